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
    if (values.length !== wanted.length) return `${name} has ${values.length} steps, not ${wanted.length}`;
    for (const [i, [time, text]] of wanted.entries()) {
      const [gotTime, gotText] = values[i]!;
      if (gotTime !== time) return `${name} has a step at ${gotTime}, not at ${time}`;
      if (relative !== Infinity && !isNear(numberOf(gotText), numberOf(text), relative)) {
        return `${name} at ${time} is ${gotText}, not ${text}`;
      }
    }
  }
  return undefined;
}

function bySeries({ result }: Matrix): Map<string, Matrix['result'][number]['values']> {
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
