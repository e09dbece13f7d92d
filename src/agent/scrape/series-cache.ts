import { seriesHandle, type SeriesHandle } from '../../model/batch.ts';
import type { HeardTimes } from '../../model/heard-times.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import type { Stream } from '../../model/stream.ts';
import type { ByteTable } from '../../wire/byte-table.ts';
import type { ExposedSeries } from '../../wire/scrape/exposition.ts';

/** A stored series of one target. Only the cache and the scrape that fills it write to it. */
export interface TargetSeries {
  readonly handle: SeriesHandle;
  /** The producer that its labels name, where that is not the target. */
  readonly foreign: ForeignStream | undefined;
  /** The scrape in which a sample of it came last. */
  seenIn: number;
  /** The scrape in which it came last in a way that makes it stale when it does not come again. */
  trackedIn: number;
  /** Whether it can be found by its labels. */
  listed: boolean;
}

/** A producer whose series another target exposes, with the times of its samples in a scrape. */
export interface ForeignStream extends HeardTimes {
  readonly stream: Stream;
  /** The scrape in which a sample of it came last. */
  seenIn: number;
}

/** What is known of one way in which a target writes a series. */
export interface KnownKey {
  seenIn: number;
  /** Undefined for a series that relabelling drops. */
  series: TargetSeries | undefined;
}

/** The keys of all targets of an agent: in one table, so that one bound holds for all. */
export type KeyTable = ByteTable<KnownKey>;

/**
 * The series that one target exposes. A key that was seen before leads to its series without decoding a label; keys that
 * come to the same labels share a series, so that one of them going away makes nothing stale.
 */
export interface SeriesCache {
  /** The number of the scrape under way. */
  readonly scrape: number;
  find(exposed: ExposedSeries): KnownKey | undefined;
  /** Remembers a key; `labels` are as stored, undefined for a dropped series. */
  add(exposed: ExposedSeries, labels: Labels | undefined, foreign?: ForeignStream): KnownKey;
  /** A sample of the series came; `track`: it shall be marked as stale once it is missing. */
  seen(series: TargetSeries, track: boolean): void;
  /** Series that came last time and not in the scrape under way. */
  missing(): Iterable<TargetSeries>;
  /** Takes back what the scrape under way has brought so far: all that came last time is missing. */
  discard(): void;
  /** Ends the scrape and begins the next one. */
  next(outcome: ScrapeOutcome): void;
}

/**
 * `filled`: the target exposed what it has. `failed`: it did not, and its series were marked as stale. `lost`: nothing could
 * be stored, so the markers are due in the next scrape.
 */
export type ScrapeOutcome = 'filled' | 'failed' | 'lost';

/** A target whose every scrape fails may bring new series each time; past this many more the unseen ones go. */
const SLACK = 1_000;

/** `id` tells the target's keys from those of others in `table`. */
export function seriesCache(table: KeyTable, id: number): SeriesCache {
  const byHash = new Map<number, TargetSeries[]>();
  let listed = 0;
  let listedAtSuccess = 0;
  let scrape = 1;
  let tracked: TargetSeries[] = [];
  let trackedBefore: TargetSeries[] = [];

  function list(labels: Labels, make: () => TargetSeries): TargetSeries {
    const hash = hashLabels(labels);
    const bucket = byHash.get(hash);
    const same = bucket?.find((one) => compareLabels(one.handle.labels, labels) === 0);
    if (same !== undefined) return same;
    const series = make();
    series.listed = true;
    listed++;
    if (bucket === undefined) byHash.set(hash, [series]);
    else bucket.push(series);
    return series;
  }

  function sweep(): void {
    for (const [hash, bucket] of byHash) {
      const kept = bucket.filter((series) => series.seenIn === scrape);
      if (kept.length === bucket.length) continue;
      for (const series of bucket) series.listed = series.seenIn === scrape;
      listed -= bucket.length - kept.length;
      if (kept.length === 0) byHash.delete(hash);
      else byHash.set(hash, kept);
    }
  }

  return {
    get scrape() {
      return scrape;
    },
    find(exposed) {
      const key = table.get(exposed.bytes, exposed.start, exposed.end, id);
      // Swept out while its key was kept: others may have come to the same labels since.
      if (key?.series?.listed === false) {
        const { series } = key;
        key.series = list(series.handle.labels, () => series);
      }
      return key;
    },
    add(exposed, labels, foreign) {
      const series =
        labels &&
        list(labels, () => ({ handle: seriesHandle(labels), foreign, seenIn: 0, trackedIn: 0, listed: true }));
      const key = { seenIn: 0, series };
      table.set(exposed.bytes, exposed.start, exposed.end, key, id);
      return key;
    },
    seen(series, track) {
      series.seenIn = scrape;
      if (!track || series.trackedIn === scrape) return;
      series.trackedIn = scrape;
      tracked.push(series);
    },
    *missing() {
      for (const series of trackedBefore) if (series.trackedIn !== scrape) yield series;
    },
    discard() {
      tracked = [];
      scrape++;
    },
    next(outcome) {
      if (outcome === 'filled' || listed > listedAtSuccess * 2 + SLACK) sweep();
      if (outcome === 'filled') listedAtSuccess = listed;
      const due = outcome === 'lost' ? trackedBefore.filter((series) => series.trackedIn !== scrape) : [];
      trackedBefore = due.length === 0 ? tracked : [...due, ...tracked];
      tracked = [];
      scrape++;
    },
  };
}

/** FNV-1a over names and values; the separators keep `ab`,`c` from `a`,`bc`. */
function hashLabels(labels: Labels): number {
  let hash = 0x811c9dc5;
  for (const text of labels) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0x1f, 0x01000193);
  }
  return hash;
}
