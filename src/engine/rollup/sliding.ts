import { sharedSamples, windowed, type OnStep, type StepsKernel, type WindowKernel } from './kernels.ts';

/*
 * Windows that overlap share work. All samples of a window up to some place are covered by what is kept for each sample
 * from there back ("front"), and those behind it by one running state ("back"); a window is one of the first joined with
 * the second. When the window has left the place behind, all of it becomes the front. Each sample is looked at twice at the
 * most, whatever the windows' length, and nothing is ever subtracted, so that a value that has gone leaves no trace.
 */

/** Windows of fewer samples are added up one by one: as fast, and in Prometheus's order to the last bit. */
const SHARED_MIN = 12;

/** A state over samples that are next to each other. */
interface Sliding {
  /** Makes the states that end at `to` and begin at `to - 1` … `from` the front. */
  turn(from: number, to: number): void;
  clearBack(): void;
  addToBack(index: number): void;
  /** The value over the front from `from` on and the back. */
  value(from: number, count: number): number;
}

/**
 * `plain` is for windows of few samples, and for series that `prepare` gives nothing for. What a state takes to work out
 * beyond a fixed amount it tells `onStep` itself.
 */
export function sliding(
  plain: StepsKernel,
  prepare: (times: Float64Array, values: Float64Array, onStep: OnStep | undefined) => Sliding | undefined,
): StepsKernel {
  return (times, values, windows, out, present, onStep) => {
    const state = sharedSamples(times, windows) < SHARED_MIN ? undefined : prepare(times, values, onStep);
    if (state === undefined) return plain(times, values, windows, out, present, onStep);
    const { ends, rangeMs } = windows;
    let from = 0;
    let to = 0;
    let frontEnd = 0;
    let any = false;
    for (let step = 0; step < ends.length; step++) {
      const end = ends[step]!;
      const start = end - rangeMs;
      while (to < times.length && times[to]! <= end) state.addToBack(to++);
      while (from < to && times[from]! <= start) from++;
      const count = to - from;
      onStep?.(1);
      present[step] = count > 0 ? 1 : 0;
      if (count === 0) {
        out[step] = 0;
        continue;
      }
      if (from >= frontEnd) {
        state.turn(from, to);
        state.clearBack();
        frontEnd = to;
      }
      out[step] = state.value(from, count);
      any = true;
    }
    return any;
  };
}

/** The sum with the error of one rounding, and `finish` that makes the result of it. */
export function slidingSums(
  plain: StepsKernel,
  finish: (sum: number, lost: number, count: number) => number,
): StepsKernel {
  return sliding(plain, (_times, values) => {
    if (mayOverflow(values)) return undefined;
    const frontSums = new Float64Array(values.length);
    const frontLost = new Float64Array(values.length);
    let sum = 0;
    let lost = 0;
    const add = (term: number): void => {
      const total = sum + term;
      if (total === Infinity || total === -Infinity) lost = 0;
      else if (Math.abs(sum) >= Math.abs(term)) lost += sum - total + term;
      else lost += term - total + sum;
      sum = total;
    };
    return {
      turn(from, to) {
        sum = 0;
        lost = 0;
        for (let i = to - 1; i >= from; i--) {
          add(values[i]!);
          frontSums[i] = sum;
          frontLost[i] = lost;
        }
      },
      clearBack() {
        sum = 0;
        lost = 0;
      },
      addToBack: (index) => add(values[index]!),
      value(from, count) {
        const front = frontSums[from]!;
        const total = front + sum;
        if (total === Infinity || total === -Infinity) return finish(total, 0, count);
        const error = Math.abs(front) >= Math.abs(sum) ? front - total + sum : sum - total + front;
        return finish(total, frontLost[from]! + lost + error, count);
      },
    };
  });
}

/** Whether a sum of finite values may be infinite, which depends on the order that they are added in. */
function mayOverflow(values: Float64Array): boolean {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]!);
    if (magnitude > most && magnitude !== Infinity) most = magnitude;
  }
  return most * values.length >= Number.MAX_VALUE / 2;
}

/** Whether a later sample takes the place of the best before it. */
type Beats = (later: number, earlier: number) => boolean;

/** Of equal ones the first stays; NaN gives way to any value. */
export const isLarger: Beats = (later, earlier) => later > earlier || earlier !== earlier;
export const isSmaller: Beats = (later, earlier) => later < earlier || earlier !== earlier;
/** Of equal ones the last is taken. */
export const isAsLarge: Beats = (later, earlier) => later >= earlier || earlier !== earlier;
export const isAsSmall: Beats = (later, earlier) => later <= earlier || earlier !== earlier;

/** The best sample of each window, and `result` that says what of it is asked for. */
export function best(
  beats: Beats,
  result: (times: Float64Array, values: Float64Array, index: number) => number,
): StepsKernel {
  const plain = windowed(1, (times, values): WindowKernel => {
    return (from, to) => {
      let at = from;
      for (let i = from + 1; i < to; i++) if (beats(values[i]!, values[at]!)) at = i;
      return result(times, values, at);
    };
  });
  return sliding(plain, (times, values) => {
    const front = new Int32Array(values.length);
    let back = -1;
    return {
      turn(from, to) {
        let at = to - 1;
        front[at] = at;
        for (let i = to - 2; i >= from; i--) {
          // The one in front comes first, so it is the later one that has to beat it.
          if (!beats(values[at]!, values[i]!)) at = i;
          front[i] = at;
        }
      },
      clearBack() {
        back = -1;
      },
      addToBack(index) {
        if (back === -1 || beats(values[index]!, values[back]!)) back = index;
      },
      value(from) {
        const at = front[from]!;
        return result(times, values, back !== -1 && beats(values[back]!, values[at]!) ? back : at);
      },
    };
  });
}
