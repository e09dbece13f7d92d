import { LIMITS } from '../base/limits.ts';
import type { RejectReason, SeriesHandle } from '../model/batch.ts';
import { labelsKey, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import { addSeries, COLD, truncateHead, type Head } from './head.ts';
import type { SeriesIndex } from './series-index.ts';

/** The series that there are, and room for new ones. */
export interface SeriesTable {
  readonly head: Head;
  readonly index: SeriesIndex;
  /** Series in all. */
  readonly seriesLimit: number;
  /** Series of one metric name. */
  readonly metricSeriesLimit: number;
  /** The row id of the next new series. */
  nextId: number;
  /** Brings a series' stored tail into memory. */
  loadTail(ref: number): void;
}

export const UNKNOWN_SERIES = -1;

/**
 * The references of the series behind some handles, their tails loaded; `UNKNOWN_SERIES` for those that are not stored.
 * A handle's own reference is believed only where the labels there are the handle's: it may come from another store, or
 * from an append that failed.
 */
export function findSeries({ head, index, loadTail }: SeriesTable, handles: readonly SeriesHandle[]): Int32Array {
  const refs = new Int32Array(handles.length);
  const { flags } = head;
  for (let i = 0; i < handles.length; i++) {
    const handle = handles[i]!;
    let { ref } = handle;
    if (!index.isAt(ref, handle.labels)) {
      const found = index.find(handle.labels);
      if (found === undefined) {
        refs[i] = UNKNOWN_SERIES;
        continue;
      }
      index.takeOver(found, handle.labels);
      handle.ref = found;
      ref = found;
    }
    if ((flags[ref]! & COLD) !== 0) loadTail(ref);
    refs[i] = ref;
  }
  return refs;
}

/** Adds a series that `roomFor` has room for, or finds the one that an equal label set was given before. */
export function addNewSeries(table: SeriesTable, handle: SeriesHandle): number {
  handle.ref = table.index.find(handle.labels) ?? insert(table, handle.labels);
  return handle.ref;
}

function insert(table: SeriesTable, labels: Labels): number {
  table.index.insert(labels);
  return addSeries(table.head, table.nextId++);
}

/** Takes out the newest series, of which nothing was stored, down to `size`. */
export function truncateSeries(table: SeriesTable, size: number): void {
  table.nextId -= table.head.size - size;
  table.index.truncate(size);
  truncateHead(table.head, size);
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
    },
  };
}
