import { mayOverlap, type Head } from './head.ts';
import { rowsWithin } from './memtable.ts';
import { allTables, isInChunks, type Memtables } from './memtables.ts';
import { PARTITION_MS, type ChunkExtent } from './partition-db.ts';
import type { Partitions } from './partitions-db.ts';

/** What reading some series over some time would find. */
export interface ReadSize {
  readonly series: number;
  /** Hidden ones and repetitions count, and of a chunk at the range's edge its part of the time. */
  readonly samples: number;
}

/** What a size is found out from. */
export interface Sized {
  readonly head: Head;
  readonly tables: Memtables;
  readonly partitions: Partitions;
}

/** Series times days that are looked up for one read: some 20 microseconds each. */
const LOOKUPS_MAX = 512;

/** However many days there are, so many series are looked at: fewer would not stand for the rest. */
const SERIES_LEAST = 16;

/** However few days there are. */
const SERIES_MOST = 32;

/**
 * How much reading the series in [fromMs, toMs] would find, without decoding a chunk. Of many series some are looked at,
 * spread evenly over those that may have samples there, and stand for the rest.
 */
export function readSize(refs: Uint32Array, fromMs: number, toMs: number, { head, ...sized }: Sized): ReadSize {
  const live = refs.filter((ref) => mayOverlap(head, ref, fromMs, toMs));
  const days = sized.partitions.days().filter((dayMs) => dayMs <= toMs && dayMs + PARTITION_MS > fromMs);
  const affordable = Math.floor(LOOKUPS_MAX / Math.max(1, days.length));
  const looked = Math.min(live.length, Math.max(SERIES_LEAST, Math.min(SERIES_MOST, affordable)));
  const stride = live.length / looked;
  let samples = 0;
  for (let i = 0; i < looked; i++) {
    // Not every so many-th: producers deliver their series in an order of their own, which could keep step with it.
    const ref = live[Math.floor((i + (looked === live.length ? 0 : (i * GOLDEN) % 1)) * stride)]!;
    samples += samplesOf(ref, head.ids[ref]!, days, fromMs, toMs, sized);
  }
  return { series: refs.length, samples: Math.ceil(looked === 0 ? 0 : samples * stride) };
}

/** Multiples of it spread evenly over the unit interval. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

function samplesOf(
  ref: number,
  id: number,
  days: readonly number[],
  fromMs: number,
  toMs: number,
  { tables, partitions }: Omit<Sized, 'head'>,
): number {
  let samples = 0;
  for (const table of allTables(tables)) samples += rowsWithin(table, ref, fromMs, toMs);
  for (const dayMs of days) {
    for (const chunk of partitions.read(dayMs, [], (db) => db.extents(id, fromMs, toMs))) {
      if (isInChunks(tables, chunk.generation, id)) samples += rowsOf(chunk, fromMs, toMs);
    }
  }
  return samples;
}

/** As if the samples of a chunk were evenly spread over its time; at least one, as it may lie within. */
function rowsOf({ startMs, endMs, rows }: ChunkExtent, fromMs: number, toMs: number): number {
  if (startMs >= fromMs && endMs <= toMs) return rows;
  const withinMs = Math.min(endMs, toMs) - Math.max(startMs, fromMs);
  return Math.min(rows, Math.ceil((rows * Math.max(0, withinMs)) / Math.max(1, endMs - startMs)) + 1);
}
