import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { ADD_ONCE, SET, type Appended, type Batch, type RejectReason } from '../model/batch.ts';
import type { Labels } from '../model/labels.ts';
import { isStaleAt } from '../model/series.ts';
import { lastTime, tailValues, type HeadSeries } from './head.ts';
import type { RecordColumns } from './write-ahead.ts';

/** What an append will do, worked out without changing anything. */
export interface AppendPlan {
  readonly appended: Appended;
  /** The samples to store, absolute, in the order of the batch. */
  readonly record: RecordColumns;
  /** The series of the batch without repetition; some may get no sample. */
  readonly series: readonly HeadSeries[];
  /** The series of each sample of the record, as an index into `series`. */
  readonly seriesOf: Uint32Array;
}

/** The sample that a series starts with when its first row is an addition lies this long before it, in ms. */
const ZERO_BEFORE_MS = 1;

/** Earlier times are no times (JavaScript's Date starts here); they would break arithmetic on milliseconds. */
const EARLIEST_MS = -8.64e15;

/** No sample of this series in this plan yet: its last sample is in the head. */
const IN_HEAD = -1;

/** The slot of series past a limit. */
const NO_SERIES = -1;

/**
 * Applies the row rules of `Batch` to a batch:
 * - a row older than its series' last sample is rejected as `out_of_order`; one at the same time is a repetition when
 *   its bits are the same and a `duplicate_timestamp` otherwise; one beyond `nowMs + LIMITS.futureMs`, or whose time is
 *   no number, is `too_far_in_future`;
 * - additions become absolute values; one at the time of the last sample replaces it; a series whose first row is an
 *   addition starts with a zero one millisecond before it, so that rate() sees the first increment;
 * - a staleness marker is never added: it joins as SET. What comes after it adds to the last value before it;
 * - an `ADD_ONCE` row counts as a repetition only where that is known, which is at the time of the last sample that an
 *   earlier append stored. An older one is `out_of_order`, another one at the same time a `duplicate_timestamp`: either
 *   may be an interval never seen. Of a batch that is sent again the older rows are therefore reported as rejected,
 *   which costs nothing: they are stored, and a sender does not send again what a partial success rejects;
 * - rows of a series that `resolve` does not give are rejected as `series_limit`.
 *
 * `resolve` finds the series of a label set, its tail loaded, or makes one, or gives undefined when there are too many;
 * equal label sets give the same series.
 * Throws `bad_data` when the batch's columns do not fit together.
 */
export function planAppend(
  batch: Batch,
  nowMs: number,
  resolve: (labels: Labels) => HeadSeries | undefined,
): AppendPlan {
  checkShape(batch);
  const touched: HeadSeries[] = [];
  const slots = new Int32Array(batch.series.length);
  try {
    for (let i = 0; i < slots.length; i++) {
      const series = resolve(batch.series[i]!);
      if (series === undefined) {
        slots[i] = NO_SERIES;
        continue;
      }
      if (series.slot < 0) series.slot = touched.push(series) - 1;
      slots[i] = series.slot;
    }
    return planRows(batch, nowMs, touched, slots);
  } finally {
    for (const series of touched) series.slot = -1;
  }
}

function planRows(batch: Batch, nowMs: number, series: readonly HeadSeries[], slots: Int32Array): AppendPlan {
  const rows = batch.times.length;
  // Each row gives one sample, and a new series one more.
  const seriesOf = new Uint32Array(rows + series.length);
  const times = new Float64Array(rows + series.length);
  const values = new Float64Array(rows + series.length);
  const lastTimes = Float64Array.from(series, lastTime);
  const bases = Float64Array.from(series, (one) => one.base);
  const lastAt = new Int32Array(series.length).fill(IN_HEAD);
  const hasRepeated = new Uint8Array(series.length);
  const rejected = new Map<RejectReason, number>();
  const latestMs = nowMs + LIMITS.futureMs;
  let samples = 0;
  let repeated = 0;

  function emit(slot: number, timeMs: number): number {
    seriesOf[samples] = slot;
    times[samples] = timeMs;
    lastTimes[slot] = timeMs;
    lastAt[slot] = samples;
    return samples++;
  }

  function reject(reason: RejectReason): void {
    rejected.set(reason, (rejected.get(reason) ?? 0) + 1);
  }

  for (let row = 0; row < rows; row++) {
    const slot = slots[batch.seriesOf[row]!]!;
    if (slot === NO_SERIES) {
      reject('series_limit');
      continue;
    }
    const timeMs = batch.times[row]!;
    const value = batch.values[row]!;
    const last = lastTimes[slot]!;
    if (!(timeMs <= latestMs)) {
      reject('too_far_in_future');
      continue;
    }
    if (timeMs < EARLIEST_MS) {
      reject('out_of_order');
      continue;
    }
    const stale = value !== value && isStaleAt(batch.values, row);
    if (stale || batch.modes[row] === SET) {
      if (timeMs < last) {
        reject('out_of_order');
      } else if (timeMs === last) {
        if (sameBits(batch.values, row, lastColumn(slot), lastIndex(slot))) repeated++;
        else reject('duplicate_timestamp');
      } else {
        const at = emit(slot, timeMs);
        if (value === value) values[at] = value;
        else values.set(batch.values.subarray(row, row + 1), at);
        if (!stale) bases[slot] = value;
      }
      continue;
    }
    if (batch.modes[row] === ADD_ONCE && timeMs <= last) {
      if (timeMs < last) {
        reject('out_of_order');
      } else if (lastAt[slot] !== IN_HEAD || hasRepeated[slot] === 1 || endsStale(series[slot]!)) {
        reject('duplicate_timestamp');
      } else {
        hasRepeated[slot] = 1;
        repeated++;
      }
      continue;
    }
    if (last === Number.NEGATIVE_INFINITY) values[emit(slot, timeMs - ZERO_BEFORE_MS)] = 0;
    const sum = bases[slot]! + value;
    const at = timeMs > last ? emit(slot, timeMs) : replaceLast(slot);
    // Arithmetic may leave any sign and payload in a NaN, from one run to the next; the plain NaN has one pattern.
    values[at] = sum === sum ? sum : Number.NaN;
    bases[slot] = sum;
  }

  /** The place of a sample that takes over the time of the series' last one. */
  function replaceLast(slot: number): number {
    const at = lastAt[slot]!;
    if (at !== IN_HEAD) return at;
    // A damaged tail is gone and what remains is sealed: such an addition moves on by the smallest step.
    return emit(slot, series[slot]!.count > 0 ? lastTimes[slot]! : lastTimes[slot]! + 1);
  }

  function lastColumn(slot: number): Float64Array {
    return lastAt[slot] === IN_HEAD ? tailValues(series[slot]!) : values;
  }

  function lastIndex(slot: number): number {
    return lastAt[slot] === IN_HEAD ? series[slot]!.count - 1 : lastAt[slot]!;
  }

  let rejectedRows = 0;
  for (const count of rejected.values()) rejectedRows += count;
  const used = seriesOf.subarray(0, samples);
  return {
    appended: { stored: rows - repeated - rejectedRows, repeated, rejected },
    record: {
      seriesIds: Uint32Array.from(used, (slot) => series[slot]!.id),
      times: times.subarray(0, samples),
      values: values.subarray(0, samples),
    },
    series,
    seriesOf: used,
  };
}

function checkShape(batch: Batch): void {
  const rows = batch.times.length;
  if (batch.values.length !== rows || batch.seriesOf.length !== rows || batch.modes.length !== rows) {
    throw new ComityError('bad_data', `a batch's columns must have one length; times has ${rows}, another one differs`);
  }
  for (let row = 0; row < rows; row++) {
    if (batch.seriesOf[row]! >= batch.series.length) {
      throw new ComityError(
        'bad_data',
        `row ${row} of a batch names series ${batch.seriesOf[row]}, of ${batch.series.length}`,
      );
    }
    if (batch.modes[row]! > ADD_ONCE) {
      throw new ComityError('bad_data', `row ${row} of a batch has the unknown mode ${batch.modes[row]}`);
    }
  }
}

/** Whether the last sample is a staleness marker, which no addition can repeat. */
function endsStale(series: HeadSeries): boolean {
  return series.count > 0 && isStaleAt(tailValues(series), series.count - 1);
}

/** Whether two values have the same bits: zeros of different sign differ, and so do NaNs of different payload. */
function sameBits(a: Float64Array, at: number, b: Float64Array, bt: number): boolean {
  const left = a[at]!;
  const right = b[bt];
  if (left === left || right === right) return Object.is(left, right);
  const x = new BigUint64Array(a.buffer, a.byteOffset + at * 8, 1);
  const y = new BigUint64Array(b.buffer, b.byteOffset + bt * 8, 1);
  return x[0] === y[0];
}
