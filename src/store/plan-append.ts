import { LIMITS } from '../base/limits.ts';
import {
  ADD_ONCE,
  BESIDE,
  CONTINUES,
  SET,
  type Appended,
  type Batch,
  type Rejection,
  type RejectReason,
} from '../model/batch.ts';
import { histogramAt, isHistogramAt, type HistogramColumns, type NativeHistogram } from '../model/histogram.ts';
import { isStaleAt } from '../model/series.ts';
import { additions } from './additions.ts';
import { ENDS_STALE, LAST_DELETED } from './head.ts';
import { REPEATED, STORED, type Outcome } from './outcome.ts';
import { planInputs, type InputPlan } from './plan-inputs.ts';
import { addLateRow, addRow, setFloat, setHistogramOf, setStale } from './planned.ts';
import {
  addendOf,
  compareLate,
  madeLastFloat,
  madeLastHistogram,
  repeatsFloat,
  repeatsHistogram,
  type Lookback,
} from './repetition.ts';
import { addNewSeries, labelsOf, newSeries, UNKNOWN_SERIES, type NewSeries, type SeriesTable } from './series-table.ts';
import { UNKNOWN_START } from './starts.ts';

/** What becomes of the points of a batch. */
export type PlannedPoints = Omit<Appended, 'exemplars'>;

/** Earlier times are no times (JavaScript's Date starts here); they would break arithmetic on milliseconds. */
const EARLIEST_MS = -8.64e15;

/** What planning goes by beside the batch. Times in ms. */
export interface PlanTimes {
  readonly nowMs: number;
  /** Samples may be this much older than the latest of all series, and out of order in their own. */
  readonly outOfOrderMs: number;
  /** What is older would be removed at once. */
  readonly oldestMs: number;
  /** The watermark: rows that are stored before it are late to those whom it was told. */
  readonly settledUntilMs: number;
}

/**
 * Applies the row rules of `Batch` to a batch that `checkBatch` has passed, and adds what is to be stored to the planned
 * rows; the caller undoes that with `rollback` when the rows cannot be made durable. `refs` are those of `findSeries`; those
 * of series that are added are written into it.
 *
 * - A row older than its series' last sample is stored as well, unless it lies further back than the out-of-order window,
 *   which makes it `out_of_order`. Where there is a sample at its time already, which may be the last one, it is a repetition
 *   when its bits are the same and a `duplicate_timestamp` otherwise. One beyond `nowMs + LIMITS.futureMs`, or whose time is
 *   no number, is `too_far_in_future`; one that retention would remove is `too_old`.
 * - Additions become absolute values; one at the time of the last sample replaces it; a series whose first row is an
 *   addition starts with a zero one millisecond before it, so that rate() sees the first increment. They have no start
 *   time: the counter kept here goes on whenever its sender's starts anew.
 * - A staleness marker is never added: it joins as SET. What comes after it adds to the last value before it.
 * - An addition to a series whose last value is of the other type, float or histogram, or is a histogram with the other
 *   kind of buckets, starts anew from zero and never takes that sample's place.
 * - An addition that is not finite is rejected as `not_finite`: it would be in the series for good. One among several rows
 *   of a point is left out, and so is the sum of a native histogram.
 * - An `ADD_ONCE` row counts as a repetition only where that is known, which is at the time of the last sample, stored by an
 *   earlier append, when it is what made that sample of the one before. An older one is `out_of_order`, another one at the
 *   same time a `duplicate_timestamp`: either may be an interval never seen. Of a batch that is sent again the older rows
 *   are therefore reported as rejected, which costs nothing: they are stored, and a sender does not send again what a
 *   partial success rejects. Where that holds for one row of a point, none of its rows is added.
 * - A histogram that would get more than `LIMITS.bucketsPerHistogram` buckets by an addition goes to a coarser schema, and
 *   is rejected as `bad_histogram` where there is none.
 * - A new series past a limit is rejected, and with it every row of its point.
 * - A point of several rows is rejected, for the first reason met, when any of its rows is; and stored when any is.
 * - Rows of inputs follow rules of their own; see `planInputs`.
 */
export function planBatch(
  table: SeriesTable,
  lookback: Lookback,
  batch: Batch,
  refs: Int32Array,
  stamp: number,
  { nowMs, outOfOrderMs, oldestMs, settledUntilMs }: PlanTimes,
): PlannedPoints {
  const { series, seriesOf, times, values, modes, histograms, continues, startTimes } = batch;
  const { head, planned } = lookback;
  const rows = times.length;
  const latestMs = nowMs + LIMITS.futureMs;
  const earliestMs = Math.max(EARLIEST_MS, oldestMs);
  let lateFromMs = Number.POSITIVE_INFINITY;
  let lateToMs = Number.NEGATIVE_INFINITY;
  const rejected = new Map<RejectReason, Rejection>();
  let added: NewSeries | undefined;
  let stored = 0;
  let repeated = 0;
  let histogramPoints = 0;
  /** The row for which the point at hand is rejected, if it is. */
  let firstRejected = 0;
  const add = additions(lookback, place);
  const inputs = planInputs({ table, lookback, batch, refs, stamp, add, place });

  let end = 0;
  for (let row = 0; row < rows; row = end) {
    end = row + 1;
    while (continues !== undefined && end < rows && continues[end] === CONTINUES) end++;
    const outcome = planPoint(row, end);
    if (continues?.[row] === BESIDE) continue;
    if (outcome === STORED) {
      stored++;
    } else if (outcome === REPEATED) {
      repeated++;
    } else {
      const before = rejected.get(outcome);
      rejected.set(outcome, { count: (before?.count ?? 0) + 1, firstRow: before?.firstRow ?? firstRejected });
      continue;
    }
    if (isHistogramAt(histograms, row)) histogramPoints++;
  }
  inputs?.finish();
  const late = lateFromMs > lateToMs ? undefined : { fromMs: lateFromMs, toMs: lateToMs };
  return { stored, repeated, rejected, histograms: histogramPoints, late };

  function planPoint(from: number, to: number): Outcome {
    const full = meetsLimit(from, to);
    if (full !== undefined) return full;
    if (to === from + 1) {
      firstRejected = from;
      return planRow(from);
    }
    const known = pointAlreadyAdded(from, to);
    if (known !== undefined) return known;
    let whole: Outcome = REPEATED;
    for (let row = from; row < to; row++) {
      // A sum that is no number says nothing of the counts beside it.
      if (isAdded(row) && !Number.isFinite(values[row]!)) continue;
      const outcome = planRow(row);
      if (whole !== STORED && whole !== REPEATED) continue;
      if (outcome === STORED) {
        whole = STORED;
      } else if (outcome !== REPEATED) {
        whole = outcome;
        firstRejected = row;
      }
    }
    return whole;
  }

  /** Whether the value of a row is added to a series, or what it is more than the last one. */
  function isAdded(row: number): boolean {
    return modes[row] !== SET || (inputs?.has(row) === true && !isStaleAt(values, row));
  }

  /** Why the new series of a point cannot be added, if they cannot; rows that will not be stored need none. */
  function meetsLimit(from: number, to: number): RejectReason | undefined {
    let begun = false;
    for (let row = from; row < to; row++) {
      const at = seriesOf[row]!;
      if (refs[at] !== UNKNOWN_SERIES || faultOfTime(times[row]!) !== undefined) continue;
      added ??= newSeries(table);
      if (!begun) added.beginPoint();
      begun = true;
      const reason = added.room(labelsOf(series[at]!));
      if (reason === undefined) continue;
      firstRejected = row;
      return reason;
    }
    return undefined;
  }

  function faultOfTime(timeMs: number): RejectReason | undefined {
    if (!(timeMs <= latestMs)) return 'too_far_in_future';
    return timeMs < earliestMs ? 'too_old' : undefined;
  }

  function planRow(row: number): Outcome {
    const timeMs = times[row]!;
    const fault = faultOfTime(timeMs);
    if (fault !== undefined) return fault;
    if (inputs?.has(row) === true) return planInput(row, inputs);
    if (isHistogramAt(histograms, row)) return planHistogram(row, timeMs, histograms);
    const value = values[row]!;
    const stale = value !== value && isStaleAt(values, row);
    const adds = !stale && modes[row] !== SET;
    if (adds && !Number.isFinite(value)) return 'not_finite';
    const ref = refAt(row);
    if (adds) return addFloat(row, ref, timeMs, value);
    const last = head.lastTimes[ref]!;
    if (timeMs < last) return planLate(row, ref, timeMs);
    if (timeMs === last && hasLast(ref)) {
      return repeatsFloat(head, ref, values, row, stale) ? REPEATED : 'duplicate_timestamp';
    }
    const at = place(ref, timeMs, startOf(row));
    if (stale) setStale(head, planned, at, values, row);
    else setFloat(head, planned, at, values, row);
    return STORED;
  }

  function planInput(row: number, plan: InputPlan): Outcome {
    return plan.faultOf(row) ?? plan.row(row, refAt(row));
  }

  function planHistogram(row: number, timeMs: number, columns: HistogramColumns): Outcome {
    if (modes[row] !== SET) return addHistogram(row, timeMs, histogramAt(columns, row));
    const ref = refAt(row);
    const last = head.lastTimes[ref]!;
    if (timeMs < last) return planLate(row, ref, timeMs);
    if (timeMs === last && hasLast(ref)) {
      return repeatsHistogram(lookback, ref, histogramAt(columns, row)) ? REPEATED : 'duplicate_timestamp';
    }
    setHistogramOf(head, planned, place(ref, timeMs, startOf(row)), columns, row);
    return STORED;
  }

  /** Whether there is a sample at the series' last time: it may have been deleted. */
  function hasLast(ref: number): boolean {
    return (head.flags[ref]! & LAST_DELETED) === 0;
  }

  /** A row that is to be set, older than its series' last sample. */
  function planLate(row: number, ref: number, timeMs: number): Outcome {
    if (timeMs < head.latestMs - outOfOrderMs) return 'out_of_order';
    const order = compareLate(lookback, ref, timeMs, values, row, histograms);
    if (order === 'same') return REPEATED;
    if (order === 'different') return 'duplicate_timestamp';
    noteTime(timeMs);
    addLateRow(head, planned, ref, timeMs, startOf(row), values, row, histograms);
    return STORED;
  }

  function addFloat(row: number, ref: number, timeMs: number, value: number): Outcome {
    const known = addedOnce(row, ref);
    if (known !== undefined) return known;
    add.float(ref, timeMs, value);
    return STORED;
  }

  function addHistogram(row: number, timeMs: number, delta: NativeHistogram): Outcome {
    const own = addendOf(delta);
    if (own === undefined) return 'bad_histogram';
    const ref = refAt(row);
    const known = addedOnce(row, ref);
    if (known !== undefined) return known;
    return add.histogram(ref, timeMs, own) ? STORED : 'bad_histogram';
  }

  /** The series of a row where it is stored; another handle's rows may have added it. */
  function knownRefAt(row: number): number | undefined {
    const at = seriesOf[row]!;
    return refs[at] === UNKNOWN_SERIES ? table.index.find(labelsOf(series[at]!)) : refs[at];
  }

  /** The series of a row, added where it is new; `meetsLimit` has found room for it. */
  function refAt(row: number): number {
    const at = seriesOf[row]!;
    let ref = refs[at]!;
    if (ref === UNKNOWN_SERIES) refs[at] = ref = addNewSeries(table, series[at]!);
    return ref;
  }

  function place(ref: number, timeMs: number, startMs: number): number {
    head.stamps[ref] = stamp;
    noteTime(timeMs);
    return addRow(head, planned, ref, timeMs, startMs);
  }

  function noteTime(timeMs: number): void {
    if (timeMs >= settledUntilMs) return;
    if (timeMs < lateFromMs) lateFromMs = timeMs;
    if (timeMs > lateToMs) lateToMs = timeMs;
  }

  function startOf(row: number): number {
    return startTimes === undefined ? UNKNOWN_START : startTimes[row]!;
  }

  function addedOnce(row: number, ref: number): Outcome | undefined {
    const known = modes[row] === ADD_ONCE ? alreadyAdded(row, ref) : undefined;
    if (known === REPEATED) head.stamps[ref] = stamp;
    return known;
  }

  /**
   * The outcome of a point of several rows when one of them, to be added once, is not later than its series' last sample:
   * then none of them is added, since the buckets of a histogram only mean something together.
   */
  function pointAlreadyAdded(from: number, to: number): Outcome | undefined {
    let repeats = 0;
    for (let row = from; row < to; row++) {
      if (modes[row] !== ADD_ONCE) continue;
      const ref = knownRefAt(row);
      const known = ref === undefined ? undefined : alreadyAdded(row, ref);
      if (known === REPEATED) repeats++;
      else if (known !== undefined) {
        firstRejected = row;
        return known;
      }
    }
    if (repeats === 0) return undefined;
    firstRejected = from;
    if (repeats < to - from) return 'duplicate_timestamp';
    for (let row = from; row < to; row++) head.stamps[knownRefAt(row)!] = stamp;
    return REPEATED;
  }

  /**
   * The outcome of an `ADD_ONCE` row that is not later than the last sample; undefined for one that is, and for a staleness
   * marker. It is a repetition when it made the last sample of the one before.
   */
  function alreadyAdded(row: number, ref: number): Outcome | undefined {
    if (inputs?.has(row) === true) return inputs.alreadyAdded(row, ref);
    const last = head.lastTimes[ref]!;
    if (!(times[row]! <= last) || isStaleAt(values, row)) return undefined;
    if (times[row]! < last) return 'out_of_order';
    if (head.stamps[ref] === stamp || (head.flags[ref]! & (ENDS_STALE | LAST_DELETED)) !== 0) {
      return 'duplicate_timestamp';
    }
    const made = isHistogramAt(histograms, row)
      ? madeLastHistogram(lookback, ref, histogramAt(histograms, row))
      : madeLastFloat(lookback, ref, values[row]!);
    return made ? REPEATED : 'duplicate_timestamp';
  }
}
