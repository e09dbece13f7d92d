/** A range query's answer: `data` of Prometheus's API, result type `matrix`. */
export interface Matrix {
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>;
    /** Time in seconds, and the value as text. */
    readonly values: readonly (readonly [number, string])[];
  }[];
}

export function matrixOf(body: string): Matrix {
  const { data } = JSON.parse(body) as { readonly data: Matrix & { readonly resultType: string } };
  if (data.resultType !== 'matrix') throw new Error(`the answer is a ${data.resultType}, not a matrix`);
  return data;
}

/**
 * How two answers differ, undefined when they do not: the same series, the same steps, and each value within `relative` of
 * the other. With `relative` Infinity only the values' being there counts.
 */
export function difference(got: Matrix, want: Matrix, relative: number): string | undefined {
  const gotSeries = bySeries(got);
  const wantSeries = bySeries(want);
  if (wantSeries.size === 0) return 'there is nothing to compare: the answer is empty';
  for (const name of gotSeries.keys()) if (!wantSeries.has(name)) return `${name} is too much`;
  for (const [name, wanted] of wantSeries) {
    const values = gotSeries.get(name);
    if (values === undefined) return `${name} is missing`;
    const found = seriesDifference(name, values, wanted, relative);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** How many series of an answer are as they should be. */
export interface Compared {
  readonly series: number;
  /** There, but with another value or other steps, or not to be there at all. */
  readonly wrong: number;
  readonly missing: number;
  /** The most that a value that is there is off, as a part of what it should be; 0 where none is. */
  readonly offBy: number;
  /** In words. */
  readonly first: string | undefined;
}

/** Counts series that are not as in `want`, each value within `relative` of it. */
export function compare(got: Matrix, want: Matrix, relative: number): Compared {
  const gotSeries = bySeries(got);
  const wantSeries = bySeries(want);
  const found: string[] = [];
  let missing = 0;
  let offBy = 0;
  for (const name of gotSeries.keys()) if (!wantSeries.has(name)) found.push(`${name} is too much`);
  for (const [name, wanted] of wantSeries) {
    const values = gotSeries.get(name);
    if (values === undefined) missing++;
    const wrong = values === undefined ? undefined : seriesDifference(name, values, wanted, relative);
    if (wrong !== undefined) found.push(wrong);
    if (values !== undefined) offBy = Math.max(offBy, worstOf(values, wanted));
  }
  const first = found[0] ?? (missing === 0 ? undefined : `${missing} series are missing`);
  return { series: wantSeries.size, wrong: found.length, missing, offBy, first };
}

type Values = Matrix['result'][number]['values'];

function seriesDifference(name: string, values: Values, wanted: Values, relative: number): string | undefined {
  if (values.length !== wanted.length) return `${name} has ${values.length} steps, not ${wanted.length}`;
  for (const [i, [time, text]] of wanted.entries()) {
    const [gotTime, gotText] = values[i]!;
    if (gotTime !== time) return `${name} has a step at ${gotTime}, not at ${time}`;
    if (relative !== Infinity && !isNear(numberOf(gotText), numberOf(text), relative)) {
      return `${name} at ${time} is ${gotText}, not ${text}`;
    }
  }
  return undefined;
}

/** Of the values at steps that both have; a number in place of NaN or an infinity, or the other way round, is off by all. */
function worstOf(values: Values, wanted: Values): number {
  const byTime = new Map(wanted.map(([time, text]) => [time, numberOf(text)]));
  return values.reduce((worst, [time, text]) => {
    const [got, want] = [numberOf(text), byTime.get(time)];
    if (want === undefined || Object.is(got, want) || got === want) return worst;
    const off = Math.abs(got - want) / Math.abs(want);
    return Math.max(worst, Number.isFinite(off) ? off : 1);
  }, 0);
}

function bySeries({ result }: Matrix): Map<string, Values> {
  return new Map(
    result.map(({ metric, values }) => {
      const labels = Object.keys(metric)
        .sort()
        .map((name) => [name, metric[name]]);
      return [JSON.stringify(labels), values];
    }),
  );
}

/** As Prometheus's API writes numbers; JavaScript's own reading knows no `+Inf`. */
function numberOf(text: string): number {
  if (text === '+Inf') return Infinity;
  return text === '-Inf' ? -Infinity : Number(text);
}

function isNear(got: number, want: number, relative: number): boolean {
  if (!Number.isFinite(want)) return Object.is(got, want);
  return Math.abs(got - want) <= relative * Math.abs(want);
}
