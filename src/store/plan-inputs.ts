import { ADD, ADD_ONCE, SET, type Batch, type RejectReason } from '../model/batch.ts';
import { differenceOf } from '../model/histogram-arithmetic.ts';
import { addHistograms, canAdd, zeroHistogram } from '../model/histogram-add.ts';
import { resetBetween } from '../model/histogram-compare.ts';
import { GAUGE, histogramAt, isHistogramAt, RESET_UNKNOWN, type NativeHistogram } from '../model/histogram.ts';
import { isInput } from '../model/input-label.ts';
import { isStaleAt, setStaleAt } from '../model/series.ts';
import type { Additions, Place } from './additions.ts';
import { BASE_IS_HISTOGRAM, ENDS_STALE, IS_INPUT } from './head.ts';
import { REPEATED, STORED, type Outcome } from './outcome.ts';
import { setFloat, setHistogram, setStale } from './planned.ts';
import { addendOf, lastHistogram, repeatsFloat, repeatsHistogram, type Lookback } from './repetition.ts';
import { labelsOf, outputOf, UNKNOWN_SERIES, type SeriesTable } from './series-table.ts';
import { UNKNOWN_START } from './starts.ts';

/** Plans the rows of a batch that are samples of inputs. */
export interface InputPlan {
  /** Whether the row is an input's. */
  has(row: number): boolean;
  /** Why what a row holds cannot be counted; undefined where it can. */
  faultOf(row: number): RejectReason | undefined;
  /** Plans a row without a fault, of an input with this reference. */
  row(row: number, ref: number): Outcome;
  /** What becomes of an `ADD_ONCE` row that is not later than the last one of its input; undefined for one that is. */
  alreadyAdded(row: number, ref: number): Outcome | undefined;
  /** Adds what the inputs went up by to their outputs; called once, after all rows. */
  finish(): void;
}

export interface InputDeps {
  readonly table: SeriesTable;
  readonly lookback: Lookback;
  readonly batch: Batch;
  readonly refs: Int32Array;
  readonly stamp: number;
  readonly add: Additions;
  readonly place: Place;
}

/** What of an input is known is forgotten when it has been silent for so long, by the time of the latest sample of all. */
export const INPUT_SILENT_MS = 24 * 60 * 60 * 1000;

/** Without a staleness marker an input counts as alive for so long: PromQL's own lookback. */
const INPUT_ALIVE_MS = 5 * 60 * 1000;

/** What inputs of one output went up by within so long in one batch becomes one sample, at the latest of their times. */
const TOGETHER_MS = 5_000;

/** What an input went up by, at a time. */
interface Increase {
  timeMs: number;
  value: number;
  histogram: NativeHistogram | undefined;
}

/**
 * Undefined where no row is an input's. The rules, for a sample of an input:
 *
 * - Cumulative (`SET`): what it is more than the input's last value; all of it where it is less, or says that its counter
 *   started after that value. The first one is where counting begins, unless the counter is known to have started since
 *   the output is there, since the store was opened (before, it may have been counted as another input) and within the
 *   time that inputs are remembered: then all of it counts.
 * - Added (`ADD`, `ADD_ONCE`): itself.
 * - One at the time of the last one is a repetition when its bits are the same and a `duplicate_timestamp` otherwise; an
 *   older one is `out_of_order`: what lies between has been counted. One that is no number is `not_finite`, a native
 *   histogram of a gauge `bad_histogram`.
 * - A staleness marker ends the output when no other input is alive.
 */
export function planInputs(deps: InputDeps): InputPlan | undefined {
  const { table, lookback, batch, stamp, add, place } = deps;
  const { head, planned } = lookback;
  const marks = inputsIn(deps);
  if (marks === undefined) return undefined;
  const { seriesOf, times, values, modes, histograms, startTimes } = batch;
  const increases = new Map<number, Increase[]>();
  /** Outputs of which an input ended, and when. */
  const ended = new Map<number, number>();

  function faultOf(row: number): RejectReason | undefined {
    if (!isHistogramAt(histograms, row)) {
      return Number.isFinite(values[row]!) || isStaleAt(values, row) ? undefined : 'not_finite';
    }
    const given = histogramAt(histograms, row);
    return given.hint === GAUGE || addendOf(given) === undefined ? 'bad_histogram' : undefined;
  }

  function planRow(row: number, ref: number): Outcome {
    const timeMs = times[row]!;
    const known = atLast(row, ref);
    if (known !== undefined) return known;
    const output = outputOf(table, ref);
    if (isHistogramAt(histograms, row)) {
      const own = addendOf(histogramAt(histograms, row))!;
      note(output, timeMs, 0, modes[row] === SET ? histogramIncrease(row, ref, output, own) : own);
      if (timeMs > head.lastTimes[ref]!) setHistogram(head, planned, place(ref, timeMs, UNKNOWN_START), own);
    } else if (isStaleAt(values, row)) {
      setStale(head, planned, place(ref, timeMs, UNKNOWN_START), values, row);
      ended.set(output, Math.max(timeMs, ended.get(output) ?? timeMs));
    } else {
      note(output, timeMs, modes[row] === SET ? floatIncrease(row, ref, output) : values[row]!, undefined);
      if (timeMs > head.lastTimes[ref]!) setFloat(head, planned, place(ref, timeMs, UNKNOWN_START), values, row);
    }
    return STORED;
  }

  /** What becomes of a row that is not later than its input's last one. */
  function atLast(row: number, ref: number): Outcome | undefined {
    if (modes[row] === ADD) return undefined;
    const last = head.lastTimes[ref]!;
    if (times[row]! > last) return undefined;
    if (times[row]! < last) return 'out_of_order';
    // One of two equal deltas of a request is as much of an observation as the other.
    if (modes[row] === ADD_ONCE && head.stamps[ref] === stamp) return 'duplicate_timestamp';
    return repeats(row, ref) ? REPEATED : 'duplicate_timestamp';
  }

  function repeats(row: number, ref: number): boolean {
    if (!isHistogramAt(histograms, row)) return repeatsFloat(head, ref, values, row, isStaleAt(values, row));
    const own = addendOf(histogramAt(histograms, row));
    return own !== undefined && repeatsHistogram(lookback, ref, own);
  }

  function floatIncrease(row: number, ref: number, output: number): number {
    const value = values[row]!;
    const isFirst = head.lastTimes[ref] === Number.NEGATIVE_INFINITY;
    if (isFirst || (head.flags[ref]! & BASE_IS_HISTOGRAM) !== 0)
      return countsWhole(row, ref, output) ? Math.max(0, value) : 0;
    const base = head.bases[ref]!;
    // No increase is negative: a counter that begins anew below zero is none.
    return value < base || startedSince(row, ref) ? Math.max(0, value) : value - base;
  }

  function histogramIncrease(row: number, ref: number, output: number, own: NativeHistogram): NativeHistogram {
    const base = lastHistogram(lookback, ref);
    if (base === undefined) return countsWhole(row, ref, output) ? own : zeroHistogram(own);
    if (!canAdd(base, own) || startedSince(row, ref) || resetBetween(base, own)) return own;
    return { ...differenceOf(own, base)!.histogram, hint: RESET_UNKNOWN };
  }

  /** Whether nothing of what an input counted before its first sample here can have been counted already, or be too old. */
  function countsWhole(row: number, ref: number, output: number): boolean {
    if (head.lastTimes[ref] !== Number.NEGATIVE_INFINITY) return startedSince(row, ref);
    const startMs = startOf(row);
    if (startMs === UNKNOWN_START || startMs >= times[row]!) return false;
    return (
      startMs >= head.firstTimes[output]! && startMs > table.openedAtMs && startMs > head.latestMs - INPUT_SILENT_MS
    );
  }

  /** Whether the counter started between the input's last sample and this one. A start at its own time says nothing. */
  function startedSince(row: number, ref: number): boolean {
    const startMs = startOf(row);
    return startMs !== UNKNOWN_START && startMs > head.lastTimes[ref]! && startMs < times[row]!;
  }

  function startOf(row: number): number {
    return startTimes === undefined ? UNKNOWN_START : startTimes[row]!;
  }

  function note(output: number, timeMs: number, value: number, histogram: NativeHistogram | undefined): void {
    const own = increases.get(output);
    const last = own?.at(-1);
    if (own === undefined) increases.set(output, [{ timeMs, value, histogram }]);
    else if (last?.timeMs === timeMs && last.histogram === undefined && histogram === undefined) last.value += value;
    else own.push({ timeMs, value, histogram });
  }

  function finish(): void {
    for (const [output, own] of increases) {
      for (const { timeMs, value, histogram } of together(own)) {
        if (histogram === undefined) add.float(output, timeMs, value);
        else add.histogram(output, timeMs, histogram);
      }
    }
    for (const [output, timeMs] of ended) if (!isAlive(output, timeMs)) end(output, timeMs);
  }

  function isAlive(output: number, atMs: number): boolean {
    for (const ref of table.inputs.of(output)) {
      if ((head.flags[ref]! & ENDS_STALE) === 0 && head.lastTimes[ref]! >= atMs - INPUT_ALIVE_MS) return true;
    }
    return false;
  }

  function end(output: number, timeMs: number): void {
    const last = head.lastTimes[output]!;
    if (last === Number.NEGATIVE_INFINITY || (head.flags[output]! & ENDS_STALE) !== 0) return;
    setStaleAt(scratch, 0);
    setStale(head, planned, place(output, timeMs > last ? timeMs : last + 1, UNKNOWN_START), scratch, 0);
  }

  return {
    has: (row) => marks[seriesOf[row]!] === 1,
    faultOf,
    row: planRow,
    alreadyAdded: atLast,
    finish,
  };
}

/** Which series of a batch are inputs; undefined where none is. */
function inputsIn({ table, batch, refs }: InputDeps): Uint8Array | undefined {
  const { head, inputs } = table;
  if (inputs.size === 0 && !refs.includes(UNKNOWN_SERIES)) return undefined;
  let marks: Uint8Array | undefined;
  for (let at = 0; at < refs.length; at++) {
    const ref = refs[at]!;
    const is = ref === UNKNOWN_SERIES ? isInput(labelsOf(batch.series[at]!)) : (head.flags[ref]! & IS_INPUT) !== 0;
    if (!is) continue;
    marks ??= new Uint8Array(refs.length);
    marks[at] = 1;
  }
  return marks;
}

/** Increases in order of time, those that lie close together as one. */
function* together(all: Increase[]): Iterable<Increase> {
  all.sort((a, b) => a.timeMs - b.timeMs);
  let sum: Increase | undefined;
  let fromMs = 0;
  for (const one of all) {
    if (sum === undefined || one.timeMs > fromMs + TOGETHER_MS || !isSameKind(sum, one)) {
      if (sum !== undefined) yield sum;
      sum = { ...one };
      fromMs = one.timeMs;
      continue;
    }
    sum.timeMs = one.timeMs;
    sum.value += one.value;
    sum.histogram = one.histogram && addHistograms(sum.histogram!, one.histogram);
  }
  if (sum !== undefined) yield sum;
}

function isSameKind({ histogram: a }: Increase, { histogram: b }: Increase): boolean {
  return a === undefined || b === undefined ? a === b : canAdd(a, b);
}

/** One value on its way into a column. */
const scratch = new Float64Array(1);
