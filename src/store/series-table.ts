import { LIMITS } from '../base/limits.ts';
import { handleLabels, type RejectReason, type SeriesHandle } from '../model/batch.ts';
import { isInput, outputLabels } from '../model/input-label.ts';
import { labelsKey, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import { ComityError } from '../base/errors.ts';
import { endSeries, startSeries, type Head } from './head.ts';
import type { SeriesIndex } from './index/series-index.ts';
import type { Inputs } from './inputs.ts';

/** The series that there are, and room for new ones. */
export interface SeriesTable {
  readonly head: Head;
  readonly index: SeriesIndex;
  readonly inputs: Inputs;
  /** Series in all. */
  readonly seriesLimit: number;
  /** Series of one metric name. */
  readonly metricSeriesLimit: number;
  /** The id of the next new series. */
  nextId: number;
  /** The time of the latest sample when the store was opened; minus infinity where there was none. */
  openedAtMs: number;
  /** The references of series that the append under way has added. */
  readonly added: number[];
}

export const UNKNOWN_SERIES = -1;

/**
 * The references of the series behind some handles; `UNKNOWN_SERIES` for those that are not stored. A handle's own reference
 * is believed only where the series there has the handle's id, which no other series ever gets.
 */
export function findSeries({ head, index }: SeriesTable, handles: readonly SeriesHandle[]): Int32Array {
  const refs = new Int32Array(handles.length);
  const { ids } = head;
  for (let i = 0; i < handles.length; i++) {
    const handle = handles[i]!;
    const { ref, id } = handle;
    if (id !== 0 && ids[ref] === id) {
      refs[i] = ref;
      continue;
    }
    const found = index.find(labelsOf(handle));
    if (found === undefined) {
      refs[i] = UNKNOWN_SERIES;
      continue;
    }
    note(handle, found, ids[found]!);
    refs[i] = found;
  }
  return refs;
}

/** Adds a series that `roomFor` has room for, or finds the one that an equal label set was given before. */
export function addNewSeries(table: SeriesTable, handle: SeriesHandle): number {
  const labels = labelsOf(handle);
  const ref = refOfLabels(table, labels);
  // Until the append has succeeded, the id may come to nothing; then no series has it.
  note(handle, ref, table.head.ids[ref]!);
  return ref;
}

function refOfLabels(table: SeriesTable, labels: Labels): number {
  const { head, index, inputs, added } = table;
  const known = index.find(labels);
  if (known !== undefined) return known;
  const ref = index.insert(labels);
  startSeries(head, ref, table.nextId++);
  added.push(ref);
  if (isInput(labels)) inputs.add(head, index, ref);
  return ref;
}

/** The output of an input, added where it is not stored. */
export function outputOf(table: SeriesTable, ref: number): number {
  const { head, index, inputs } = table;
  const known = inputs.outputOf(head, ref);
  if (known !== undefined) return known;
  const output = refOfLabels(table, outputLabels(index.labels(ref)));
  inputs.join(head, ref, output);
  return output;
}

/** Takes out the series that were added, of which nothing was stored. Their ids are not used again. */
export function removeAdded(table: SeriesTable): void {
  const { added } = table;
  if (added.length === 0) return;
  dropSeries(table, added);
  added.length = 0;
}

/** Takes series out of memory. */
export function dropSeries({ head, index, inputs }: SeriesTable, refs: readonly number[]): void {
  index.remove(refs);
  for (const ref of refs) {
    endSeries(head, ref);
    inputs.forget(ref);
  }
}

export function labelsOf(handle: SeriesHandle): Labels {
  const labels = handleLabels(handle);
  if (labels !== undefined) return labels;
  throw new ComityError('internal', 'a series came without its labels, which the store no longer has');
}

function note(handle: SeriesHandle, ref: number, id: number): void {
  handle.ref = ref;
  handle.id = id;
}

/** Counts the new series of one request, and of one point of it, against the limits. */
export interface NewSeries {
  /** Why a series that is not stored cannot be added beside those that `room` was asked for since `beginPoint`. */
  room(labels: Labels): RejectReason | undefined;
  beginPoint(): void;
}

export function newSeries({ index, seriesLimit, metricSeriesLimit }: SeriesTable): NewSeries {
  const sizeBefore = index.size;
  /** The label sets that the point would add, by their keys, and how many of them have which metric name. */
  const wanted = new Set<string>();
  const wantedOf = new Map<string, number>();

  return {
    beginPoint() {
      wanted.clear();
      wantedOf.clear();
    },
    room(labels) {
      const reason = roomFor(labels);
      return reason === undefined && isInput(labels) ? roomFor(outputLabels(labels)) : reason;
    },
  };

  function roomFor(labels: Labels): RejectReason | undefined {
    if (index.find(labels) !== undefined) return undefined;
    const key = labelsKey(labels);
    if (wanted.has(key)) return undefined;
    const size = index.size + wanted.size;
    if (size >= seriesLimit || size - sizeBefore >= LIMITS.newSeriesPerRequest) return 'series_limit';
    const metric = labelValue(labels, METRIC_NAME);
    const ofMetric = wantedOf.get(metric) ?? 0;
    if (index.metricSize(metric) + ofMetric >= metricSeriesLimit) return 'metric_series_limit';
    wanted.add(key);
    wantedOf.set(metric, ofMetric + 1);
    return undefined;
  }
}
