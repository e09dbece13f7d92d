import type { Partial } from './partial.ts';

/** `stdvar`: the population variance. */
export const STDVAR: Partial = spread((variance) => variance);

/** `stddev`: its square root. */
export const STDDEV: Partial = spread(Math.sqrt);

/**
 * Count, mean and the sum of squared distances from the mean: a series joins as in Welford (1962), states as in Chan,
 * Golub and LeVeque (1979).
 */
function spread(finished: (variance: number) => number): Partial {
  return {
    fields: ['count', 'mean', 'squares'],
    histograms: 'ignore',
    add(into, values, present) {
      const [counts, means, squares] = into.fields as Fields;
      for (let i = 0; i < present.length; i++) {
        if (present[i] === 0) continue;
        const value = values[i]!;
        const count = counts[i]! + 1;
        const delta = value - means[i]!;
        const mean = means[i]! + delta / count;
        counts[i] = count;
        means[i] = mean;
        squares[i]! += delta * (value - mean);
        into.present[i] = 1;
      }
    },
    merge(into, from) {
      const [counts, means, squares] = into.fields as Fields;
      const [otherCounts, otherMeans, otherSquares] = from.fields as Fields;
      for (let i = 0; i < from.present.length; i++) {
        if (from.present[i] === 0) continue;
        into.present[i] = 1;
        const other = otherCounts[i]!;
        const count = counts[i]! + other;
        // Joined to nothing a state stays as it is, infinite means and all.
        const delta = counts[i] === 0 ? 0 : otherMeans[i]! - means[i]!;
        means[i] = counts[i] === 0 ? otherMeans[i]! : means[i]! + delta * (other / count);
        squares[i]! += otherSquares[i]! + delta * delta * ((counts[i]! * other) / count);
        counts[i] = count;
      }
    },
    finish(columns, out) {
      const [counts, , squares] = columns.fields as Fields;
      for (let i = 0; i < out.length; i++) out[i] = finished(squares[i]! / counts[i]!);
    },
  };
}

type Fields = [Float64Array, Float64Array, Float64Array];
