import { canAdd, zeroHistogram } from '../model/histogram-add.ts';
import { RESET, RESET_UNKNOWN, type NativeHistogram } from '../model/histogram.ts';
import { BASE_IS_HISTOGRAM } from './head.ts';
import { setFloat, setHistogram } from './planned.ts';
import { lastHistogram, sumOf, type Lookback } from './repetition.ts';
import { UNKNOWN_START } from './starts.ts';

/** Adds to the last value of series; see the rules of `planBatch`. */
export interface Additions {
  float(ref: number, timeMs: number, value: number): void;
  /** `own` is one of `addendOf`. False, and nothing is planned, where no schema has few enough buckets for the sum. */
  histogram(ref: number, timeMs: number, own: NativeHistogram): boolean;
}

/** Plans the next row of a series and returns its number. */
export type Place = (ref: number, timeMs: number, startMs: number) => number;

/** The sample that a series starts with when its first row is an addition lies this long before it, in ms. */
const ZERO_BEFORE_MS = 1;

export function additions(lookback: Lookback, place: Place): Additions {
  const { head, planned } = lookback;

  /** When the zero comes from which a series counts, if it needs one and there is room for it. */
  function zeroTime(ref: number, timeMs: number, anew: boolean): number | undefined {
    const last = head.lastTimes[ref]!;
    const zeroAt = timeMs - ZERO_BEFORE_MS;
    return last === Number.NEGATIVE_INFINITY || (anew && zeroAt > last) ? zeroAt : undefined;
  }

  /** The time of an addition: its own, but never before the last sample, whose place it takes where it may. */
  function additionTime(ref: number, timeMs: number, anew: boolean): number {
    const last = head.lastTimes[ref]!;
    if (timeMs > last) return timeMs;
    // What starts anew takes no sample's place: it moves on by the smallest step.
    return anew ? last + 1 : last;
  }

  return {
    float(ref, timeMs, value) {
      const anew = (head.flags[ref]! & BASE_IS_HISTOGRAM) !== 0;
      const base = anew ? 0 : head.bases[ref]!;
      const zeroAt = zeroTime(ref, timeMs, anew);
      if (zeroAt !== undefined) setFloat(head, planned, place(ref, zeroAt, UNKNOWN_START), ZERO, 0);
      const sum = base + value;
      // Arithmetic may leave any sign and payload in a NaN, from one run to the next; the plain NaN has one pattern.
      scratch[0] = sum === sum ? sum : Number.NaN;
      setFloat(head, planned, place(ref, additionTime(ref, timeMs, anew), UNKNOWN_START), scratch, 0);
    },
    histogram(ref, timeMs, own) {
      const before = (head.flags[ref]! & BASE_IS_HISTOGRAM) === 0 ? undefined : lastHistogram(lookback, ref);
      const base = before !== undefined && canAdd(before, own) ? before : undefined;
      const anew = base === undefined && head.lastTimes[ref] !== Number.NEGATIVE_INFINITY;
      const sum = base === undefined ? own : sumOf(base, own);
      if (sum === undefined) return false;
      const zeroAt = zeroTime(ref, timeMs, anew);
      const hint = anew ? RESET : RESET_UNKNOWN;
      if (zeroAt !== undefined) {
        setHistogram(head, planned, place(ref, zeroAt, UNKNOWN_START), { ...zeroHistogram(own), hint });
      }
      const at = place(ref, additionTime(ref, timeMs, anew), UNKNOWN_START);
      setHistogram(head, planned, at, { ...sum, hint: zeroAt === undefined ? hint : RESET_UNKNOWN });
      return true;
    },
  };
}

const ZERO = Float64Array.of(0);

/** One value on its way into a column. */
const scratch = new Float64Array(1);
