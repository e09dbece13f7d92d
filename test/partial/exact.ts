import { quantileOfSorted, sortNanFirst } from '../../src/engine/quantile.ts';
import type { Row } from '../../src/engine/rows.ts';
import { histogramAt, isHistogramAt } from '../../src/model/histogram.ts';
import { partialOf } from '../../src/partial/algebra.ts';
import { STEPS, type fragmentOf, type Outcome } from './states.ts';

/**
 * What is wrong with a sum or a mean: compensation leaves one rounding, and of second order n squared epsilons squared of the
 * absolute terms. Of native histograms the sums of observations are looked at. Steps are left out where terms are not finite
 * or overflow.
 */
export function sumError(op: 'sum' | 'avg', { rows }: Outcome, series: readonly Row[]): string | undefined {
  const [row] = rows;
  for (let step = 0; step < STEPS; step++) {
    if (row?.present[step] !== 1) continue;
    const isNative = isHistogramAt(row.histograms, step);
    const got = isNative ? histogramAt(row.histograms, step).sum : row.values[step]!;
    const terms = series.flatMap(({ values, present, histograms }) =>
      present[step] === 0 ? [] : [isHistogramAt(histograms, step) ? histogramAt(histograms, step).sum : values[step]!],
    );
    if (!Number.isFinite(terms.reduce((sum, term) => sum + Math.abs(term), 0))) continue;
    const n = BigInt(terms.length);
    const exact = terms.reduce((sum, term) => sum + wholeOf(term), 0n);
    const all = terms.reduce((sum, term) => sum + magnitude(wholeOf(term)), 0n);
    const total = op === 'avg' ? wholeOf(got) * n : wholeOf(got);
    const bound = (magnitude(exact) >> 50n) + ((all * n * n) >> 102n) + 2n * n;
    if (magnitude(total - exact) > bound) return `step ${step}: ${got} as the ${op} of ${terms.join(' ')}`;
  }
  return undefined;
}

/** A finite number in units of the least one. */
function wholeOf(value: number): bigint {
  const bits = new BigUint64Array(Float64Array.of(value).buffer)[0]!;
  const exponent = (bits >> 52n) & 2047n;
  const mantissa = (bits & ((1n << 52n) - 1n)) + (exponent === 0n ? 0n : 1n << 52n);
  const size = exponent === 0n ? mantissa : mantissa << (exponent - 1n);
  return value < 0 ? -size : size;
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** What is wrong with a quantile from sketches, against the one of the values themselves. */
export function sketchError(
  of: ReturnType<typeof fragmentOf>,
  { rows }: Outcome,
  series: readonly Row[],
): string | undefined {
  if (of.answer !== 'sketch' || of.expr.param?.kind !== 'number') return 'not a sketch';
  const [row] = rows;
  for (let step = 0; step < STEPS; step++) {
    const values = Float64Array.from(
      series.flatMap((one) =>
        one.present[step] === 1 && !isHistogramAt(one.histograms, step) ? [one.values[step]!] : [],
      ),
    );
    if ((row?.present[step] ?? 0) !== (values.length > 0 ? 1 : 0)) return `step ${step}: present ${row?.present[step]}`;
    if (values.length === 0) continue;
    const wrong = quantileError(of.expr.param.value, of.relativeError, values, row!.values[step]!);
    if (wrong !== undefined) return `step ${step}: ${wrong}`;
  }
  return undefined;
}

/**
 * The result must be within `relativeError` of each of the two values that it lies between, by their weights; roundings of the
 * logarithms take 1e-12 of them more, and results below the least number none.
 */
export function quantileError(
  phi: number,
  relativeError: number,
  values: Float64Array,
  got: number,
): string | undefined {
  const sorted = values.slice();
  sortNanFirst(sorted);
  const want = quantileOfSorted(phi, sorted);
  const said = `${got} where the ${phi}-quantile of ${values.length} values is ${want}`;
  if (!Number.isFinite(want)) return Object.is(got, want) ? undefined : said;
  const rank = phi * (values.length - 1);
  const weight = rank - Math.floor(rank);
  const [a, b] = [sorted[Math.floor(rank)]!, sorted[Math.ceil(rank)]!];
  const between = Math.abs(a) * (1 - weight) + Math.abs(b) * weight;
  const bound = (relativeError + 1e-12) * between + 2 * Number.MIN_VALUE;
  return Math.abs(got - want) <= bound ? undefined : said;
}

/** The quantile of values at one step, from one sketch. */
export function sketched(phi: number, relativeError: number, values: Float64Array): number {
  const span = { start: 0, end: 0 };
  const partial = partialOf({
    answer: 'sketch',
    relativeError,
    expr: { op: 'quantile', param: { kind: 'number', value: phi, span } },
  });
  const columns = { present: new Uint8Array(1), fields: [] };
  for (const value of values) partial.add(columns, Float64Array.of(value), Uint8Array.of(1));
  const out = new Float64Array(1);
  partial.finish(columns, out);
  return out[0]!;
}
