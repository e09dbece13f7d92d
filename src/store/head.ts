import { longer } from '../base/columns.ts';

/**
 * What is known of every series in memory, in columns by the series' reference (its place in the index): a row of a batch
 * touches few lines of memory, which is what an append costs. The columns are replaced when they grow.
 */
export interface Head {
  /** One more than the highest reference. */
  size: number;
  /** Ids in the database, never used again; 0 where no series is. */
  ids: Uint32Array<ArrayBuffer>;
  /** No sample is older; plus infinity when there is none. */
  firstTimes: Float64Array<ArrayBuffer>;
  /** The time of the last sample; minus infinity when there is none. */
  lastTimes: Float64Array<ArrayBuffer>;
  /** The last float that is no staleness marker, to which additions are made; zero at first, and behind a histogram. */
  bases: Float64Array<ArrayBuffer>;
  flags: Uint8Array<ArrayBuffer>;
  /** The number of the batch that wrote the last sample or repeated it; tells repetitions within a batch. */
  stamps: Uint32Array;
  /** The newest planned row; `NO_ROW` when there is none. */
  newest: Int32Array;
  /** The time of the latest sample of all series; minus infinity when there is none. */
  latestMs: number;
  /** Whether there may be inputs of joined series. */
  hasInputs: boolean;
}

/** The last sample is a staleness marker. */
export const ENDS_STALE = 1;
/** The last sample that is no staleness marker is a native histogram. */
export const BASE_IS_HISTOGRAM = 2;
/** The last sample was deleted: there is none at its time. */
export const LAST_DELETED = 16;
/** Flags that are stored. */
export const STORED_FLAGS = ENDS_STALE | BASE_IS_HISTOGRAM | LAST_DELETED;
/** Decoded columns of the series are kept: what changes in them must be taken out there. */
export const CACHED = 4;
/** Samples of the series are hidden by a deletion. */
export const HAS_TOMBSTONES = 8;
/** The series is an input; see `INPUT_LABEL`. Its labels say so, and the flag is made from them. */
export const IS_INPUT = 32;

export const NO_ROW = -1;

const FIRST_CAPACITY = 64;

export function emptyHead(): Head {
  return {
    size: 0,
    ids: new Uint32Array(0),
    firstTimes: new Float64Array(0),
    lastTimes: new Float64Array(0),
    bases: new Float64Array(0),
    flags: new Uint8Array(0),
    stamps: new Uint32Array(0),
    newest: new Int32Array(0),
    latestMs: Number.NEGATIVE_INFINITY,
    hasInputs: false,
  };
}

/** Makes `ref` a series without samples. */
export function startSeries(head: Head, ref: number, id: number): void {
  if (ref >= head.size) head.size = ref + 1;
  if (ref >= head.ids.length) grow(head, Math.max(FIRST_CAPACITY, head.ids.length * 2, ref + 1));
  head.ids[ref] = id;
  head.firstTimes[ref] = Number.POSITIVE_INFINITY;
  head.lastTimes[ref] = Number.NEGATIVE_INFINITY;
  head.bases[ref] = 0;
  head.flags[ref] = 0;
  head.stamps[ref] = 0;
  head.newest[ref] = NO_ROW;
}

/** Makes `ref` no series any more. */
export function endSeries(head: Head, ref: number): void {
  head.ids[ref] = 0;
  head.lastTimes[ref] = Number.NEGATIVE_INFINITY;
  head.flags[ref] = 0;
}

/** Whether the series may have a sample in [fromMs, toMs]. */
export function mayOverlap(head: Head, ref: number, fromMs: number, toMs: number): boolean {
  return head.firstTimes[ref]! <= toMs && head.lastTimes[ref]! >= fromMs;
}

/** The reference of the series with an id, among references in the order of their ids; undefined when there is none. */
export function refOfId(head: Head, id: number): number | undefined {
  // Without damage the ids are 1, 2, 3, ….
  if (id <= head.size && head.ids[id - 1] === id) return id - 1;
  let low = 0;
  let high = head.size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (head.ids[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low < head.size && head.ids[low] === id ? low : undefined;
}

function grow(head: Head, capacity: number): void {
  head.ids = longer(head.ids, new Uint32Array(capacity));
  head.firstTimes = longer(head.firstTimes, new Float64Array(capacity));
  head.lastTimes = longer(head.lastTimes, new Float64Array(capacity));
  head.bases = longer(head.bases, new Float64Array(capacity));
  head.flags = longer(head.flags, new Uint8Array(capacity));
  head.stamps = longer(head.stamps, new Uint32Array(capacity));
  head.newest = longer(head.newest, new Int32Array(capacity));
}
