import type { Row } from '../../src/engine/rows.ts';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../src/model/histogram.ts';
import { STEPS, type Op, type Outcome } from './states.ts';

/** In numbers of a step: how far roundings may take two ways to the same result apart. */
type Bound = (step: number) => number;

const EPSILON = 2 ** -52;

/**
 * How two outcomes of an aggregation over `series` differ; undefined where they are equal: counts, groups and sketches bit for
 * bit, other numbers within 1e-12 relative or, where terms cancel, within 16 epsilons of the sum of the absolute terms, of a
 * variance n epsilons of the mean square; histograms field by field.
 */
export function differenceOf(op: Op, one: Outcome, other: Outcome, series: readonly Row[]): string | undefined {
  if (one.notes.join('\n') !== other.notes.join('\n')) return `notes ${one.notes.join()} and ${other.notes.join()}`;
  if (one.rows.length !== other.rows.length) return `${one.rows.length} rows and ${other.rows.length}`;
  const [a] = one.rows;
  const [b] = other.rows;
  if (a === undefined || b === undefined) return undefined;
  if (a.dropsName !== b.dropsName) return `dropsName ${a.dropsName} and ${b.dropsName}`;
  const bound = floatBound(op, series);
  for (let step = 0; step < STEPS; step++) {
    const difference = differenceAt(op, step, a, b, bound, series);
    if (difference !== undefined) return `step ${step}: ${difference}`;
  }
  return undefined;
}

function differenceAt(op: Op, step: number, a: Row, b: Row, bound: Bound, series: readonly Row[]): string | undefined {
  if (a.present[step] !== b.present[step]) return `present ${a.present[step]} and ${b.present[step]}`;
  if (a.present[step] === 0) return undefined;
  const isNative = isHistogramAt(a.histograms, step);
  if (isNative !== isHistogramAt(b.histograms, step)) return 'a histogram and a float';
  if (isNative) {
    return histogramDifference(op, histogramAt(a.histograms, step), histogramAt(b.histograms!, step), step, series);
  }
  const [x, y] = [a.values[step]!, b.values[step]!];
  const isExact = op === 'count' || op === 'group' || op === 'quantile';
  if (isExact ? Object.is(x, y) : isClose(x, y, bound(step))) return undefined;
  return `${x} and ${y}, where ${isExact ? 'every bit counts' : `${bound(step)} is allowed`}`;
}

/** An infinite bound, of terms whose sum overflows, allows whatever the order makes of them. */
function isClose(a: number, b: number, bound: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b)) || bound === Infinity) return true;
  return Math.abs(a - b) <= Math.max(1e-12 * Math.max(Math.abs(a), Math.abs(b)), bound);
}

function floatBound(op: Op, series: readonly Row[]): Bound {
  return (step) => {
    const terms = series.flatMap(({ values, present, histograms }) =>
      present[step] === 1 && !isHistogramAt(histograms, step) ? [values[step]!] : [],
    );
    const finite = terms.filter((term) => Number.isFinite(term)).map(Math.abs);
    switch (op) {
      case 'sum':
        return 16 * EPSILON * sumOf(finite);
      case 'avg':
        // Divided first: means do not overflow. Below the least number there is no half of it.
        return 16 * EPSILON * sumOf(finite.map((term) => term / terms.length)) + 2 * Number.MIN_VALUE;
      case 'stdvar':
        return varianceBound(finite);
      case 'stddev':
        // A root is as far off as its square at the most where the square is small.
        return Math.sqrt(varianceBound(finite));
      default:
        return 0;
    }
  };
}

function varianceBound(finite: readonly number[]): number {
  const squares = sumOf(finite.map((term) => term * term));
  return 16 * EPSILON * squares + finite.length * Number.MIN_VALUE;
}

function sumOf(terms: readonly number[]): number {
  return terms.reduce((sum, term) => sum + term, 0);
}

function histogramDifference(
  op: Op,
  a: NativeHistogram,
  b: NativeHistogram,
  step: number,
  series: readonly Row[],
): string | undefined {
  const terms = series.flatMap(({ present, histograms }) =>
    present[step] === 1 && isHistogramAt(histograms, step) ? [histogramAt(histograms, step)] : [],
  );
  const divisor = op === 'avg' ? terms.length : 1;
  const counts = sumOf(terms.map(({ count }) => count / divisor));
  const sums = sumOf(terms.map(({ sum }) => (Number.isFinite(sum) ? Math.abs(sum) / divisor : 0)));
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    // An empty bucket is as good as none.
    const [x, y] = [left.get(key) ?? 0, right.get(key) ?? 0];
    if (!isClose(x, y, 16 * EPSILON * (key === 'sum' ? sums : counts))) return `${key}: ${x} and ${y}`;
  }
  const [boundsA, boundsB] = [a.layout.bounds.join(), b.layout.bounds.join()];
  return boundsA === boundsB ? undefined : `bounds ${boundsA} and ${boundsB}`;
}

function numbersOf({ layout, hint, count, sum, zeroCount, positive, negative }: NativeHistogram): Map<string, number> {
  const numbers = new Map<string, number>([
    ['schema', layout.schema],
    ['zero threshold', layout.zeroThreshold],
    ['hint', hint],
    ['count', count],
    ['sum', sum],
    ['zero count', zeroCount],
  ]);
  layout.positive.forEach((index, i) => numbers.set(`+${index}`, positive[i]!));
  layout.negative.forEach((index, i) => numbers.set(`-${index}`, negative[i]!));
  return numbers;
}
