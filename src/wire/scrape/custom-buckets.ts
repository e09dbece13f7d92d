import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { CUSTOM_BUCKETS, RESET_UNKNOWN, type NativeHistogram } from '../../model/histogram.ts';

/** Puts the samples of one classic histogram together into a native one whose bounds are its `le` labels. */
export interface ClassicHistogram {
  /**
   * The cumulative count up to `bound`. Bounds may come in any order; the first of equal ones counts. Throws `bad_data` for
   * too many.
   */
  bucket(bound: number, count: number): void;
  count(count: number): void;
  sum(sum: number): void;
  /** The histogram, or why the samples make none. */
  convert(): NativeHistogram | string;
  reset(): void;
}

/** Every count is a float: integers stay exact up to 2^53. */
export function classicHistogram(): ClassicHistogram {
  /** Ascending by bound. */
  let bounds: number[] = [];
  let counts: number[] = [];
  let total: number | undefined;
  let sum = 0;
  let problem: string | undefined;

  function insert(bound: number, count: number): string | undefined {
    if (bound !== bound) return 'a bucket whose bound is NaN';
    if (count < 0) return `a negative count in the bucket up to ${bound}`;
    let at = bounds.length;
    while (at > 0 && bounds[at - 1]! > bound) at--;
    if (at > 0 && bounds[at - 1] === bound) return undefined;
    if (bounds.length > LIMITS.boundsPerHistogram) {
      throw new ComityError(
        'bad_data',
        `a classic histogram has more than ${LIMITS.boundsPerHistogram} buckets: it cannot be converted to custom buckets`,
      );
    }
    const isLess = at > 0 && count < counts[at - 1]!;
    if (isLess || (at < bounds.length && count > counts[at]!)) return `a count at ${bound} that is not cumulative`;
    bounds.splice(at, 0, bound);
    counts.splice(at, 0, count);
    return undefined;
  }

  return {
    // Whole numbers, as which histograms count, have no zero with a sign.
    bucket(bound, count) {
      problem ??= insert(bound, count + 0);
    },
    count(count) {
      if (count < 0) problem ??= 'a negative count';
      else total = count + 0;
    },
    sum(value) {
      sum = value;
    },
    convert() {
      if (problem !== undefined) return problem;
      const count = total ?? counts.at(-1) ?? 0;
      const finite = bounds.at(-1) === Infinity ? bounds.length - 1 : bounds.length;
      const last = finite < bounds.length ? counts[finite]! : count;
      if (count !== last) return `a count of ${count} beside a bucket up to +Inf of ${last}`;
      const own = new Float64Array(finite + 1);
      for (let i = 0; i <= finite; i++) own[i] = (i < finite ? counts[i]! : last) - (i > 0 ? counts[i - 1]! : 0);
      if (own[finite]! < 0) return `a count of ${count}, fewer than in its buckets`;
      const positive = Int32Array.from(own.keys());
      return {
        layout: {
          schema: CUSTOM_BUCKETS,
          zeroThreshold: 0,
          positive,
          negative: new Int32Array(0),
          bounds: Float64Array.from(bounds.slice(0, finite)),
        },
        hint: RESET_UNKNOWN,
        count,
        sum,
        zeroCount: 0,
        positive: own,
        negative: new Float64Array(0),
      };
    },
    reset() {
      bounds = [];
      counts = [];
      total = undefined;
      sum = 0;
      problem = undefined;
    },
  };
}
