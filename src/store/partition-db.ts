import {
  databaseBytes,
  giveBack,
  openDatabaseFor,
  truncateLog,
  type Durability,
  type SqliteDatabase,
} from '../base/sqlite.ts';
import { CHUNK_HEADER_BYTES, chunkRows } from './codec/chunk.ts';

/**
 * The chunks whose samples begin in one day. The key of a chunk has its series first, so that those of one series lie side
 * by side: what a query of it reads is in few pages.
 */
export interface PartitionDb {
  /** Chunks of a series that end at or after `fromMs` and begin at or before `toMs`, in order of their beginning. */
  chunks(seriesId: number, fromMs: number, toMs: number): readonly StoredChunk[];
  /** When those chunks begin and end, and how many samples they have; damaged ones are left out. */
  extents(seriesId: number, fromMs: number, toMs: number): readonly ChunkExtent[];
  /** Chunks of all series with ids in [firstId, lastId], series after series. */
  chunksOfAll(firstId: number, lastId: number, fromMs: number, toMs: number): readonly StoredChunk[];
  /** Chunks by series: at most `count` of those with keys behind `afterKey`. */
  chunksAfter(afterKey: number, count: number): readonly StoredChunk[];
  /** Whether a series has a chunk here. */
  has(seriesId: number): boolean;
  /** Runs `change`, all of it or nothing. */
  write(change: (writer: PartitionWriter) => void): void;
  /** Samples in chunks. */
  samples(): number;
  /** The highest generation that was written, and the one up to which chunks have been merged. */
  readonly writtenGeneration: number;
  readonly mergedGeneration: number;
  bytes(): number;
  /** Gives some of the room back that removed chunks left; false when there is none. */
  shrink(): boolean;
  /** Writes SQLite's log back, so that what was deleted is gone from all files. */
  settle(): void;
  copyTo(path: string): Promise<void>;
  close(): void;
}

export interface StoredChunk {
  readonly key: number;
  readonly generation: number;
  readonly endMs: number;
  readonly body: Uint8Array;
}

/** What can be told of a chunk without decoding it. */
export interface ChunkExtent {
  readonly generation: number;
  /** Down to the second. */
  readonly startMs: number;
  readonly endMs: number;
  readonly rows: number;
}

export interface PartitionWriter {
  add(seriesId: number, startMs: number, endMs: number, generation: number, samples: number, body: Uint8Array): void;
  remove(key: number, samples: number): void;
  noteMerged(generation: number): void;
}

/** Seven full chunks of histograms, the longest that are common, fill one to 95 %; of smaller pages more would stay empty. */
const PAGE_BYTES = 32 * 1024;
/** SQLite's own log of a day is written back at this size, and cut to it. */
const LOG_BYTES = 16 * 1024 * 1024;
/** Pages that are given back at once: some milliseconds. */
const PAGES_PER_SHRINK = 64;
/** Pages stay in the system's memory anyhow. */
const CACHE_KILOBYTES = 2048;

/**
 * A key is `series id * 2^21 + place`. The place is the chunk's first second in its day times 16, so that sixteen chunks of a
 * series may begin in one second; those that find no place there take a free one before it.
 */
const PLACES = 2 ** 21;
const PLACES_PER_SECOND = 16;
/** The place of a day's first second: there are free ones before it, too. */
const FIRST_PLACE = 2 ** 19;

/** What one file holds. */
export const PARTITION_MS = 86_400_000;

const SCHEMA = `
  CREATE TABLE chunk (
    key INTEGER PRIMARY KEY, generation INTEGER NOT NULL, end_ms REAL NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE TABLE total (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO total VALUES ('samples', 0), ('written_generation', 0), ('merged_generation', 0);
`;

export function seriesIdOf(key: number): number {
  return Math.floor(key / PLACES);
}

/** The key before all chunks of a series. */
export function keyBefore(seriesId: number): number {
  return seriesId * PLACES - 1;
}

export function openPartitionDb(path: string, durability: Durability, dayMs: number): PartitionDb {
  return openDatabaseFor(
    path,
    {
      durability,
      kind: 'CmPt',
      migrations: [SCHEMA],
      exclusive: true,
      pageBytes: PAGE_BYTES,
      logBytes: LOG_BYTES,
      secureDelete: true,
      shrinks: true,
      cacheKilobytes: CACHE_KILOBYTES,
    },
    (db) => partitionDb(db, dayMs),
  );
}

function partitionDb(db: SqliteDatabase, dayMs: number): PartitionDb {
  const range = db
    .prepare<[number, number, number], [number, number, number, Uint8Array]>(
      'SELECT key, generation, end_ms, body FROM chunk WHERE key BETWEEN ? AND ? AND end_ms >= ? ORDER BY key',
    )
    .raw();
  const rangeOfAll = db
    .prepare<[number, number, number, number], [number, number, number, Uint8Array]>(
      `SELECT key, generation, end_ms, body FROM chunk
      WHERE key BETWEEN ? AND ? AND end_ms >= ? AND (key & ${PLACES - 1}) <= ? ORDER BY key`,
    )
    .raw();
  const extents = db
    .prepare<[number, number, number], [number, number, number, Uint8Array]>(
      `SELECT key, generation, end_ms, substr(body, 1, ${CHUNK_HEADER_BYTES}) FROM chunk
      WHERE key BETWEEN ? AND ? AND end_ms >= ?`,
    )
    .raw();
  const after = db
    .prepare<[number, number], [number, number, number, Uint8Array]>(
      'SELECT key, generation, end_ms, body FROM chunk WHERE key > ? ORDER BY key LIMIT ?',
    )
    .raw();
  const first = db.prepare<[number, number], number>('SELECT key FROM chunk WHERE key BETWEEN ? AND ? LIMIT 1').pluck();
  const takenPlaces = db
    .prepare<[number, number], [number, number, number]>(
      'SELECT key, generation, end_ms FROM chunk WHERE key BETWEEN ? AND ? ORDER BY key',
    )
    .raw();
  const insert = db.prepare('INSERT INTO chunk (key, generation, end_ms, body) VALUES (?, ?, ?, ?)');
  const remove = db.prepare('DELETE FROM chunk WHERE key = ?');
  const total = db.prepare<[string], number>('SELECT value FROM total WHERE name = ?').pluck();
  const setTotal = db.prepare('UPDATE total SET value = ? WHERE name = ?');
  let totals: Totals = {
    samples: total.get('samples') ?? 0,
    written: total.get('written_generation') ?? 0,
    merged: total.get('merged_generation') ?? 0,
  };

  /** As the transaction under way makes them. */
  let next = totals;
  const writer: PartitionWriter = {
    add(seriesId, startMs, endMs, generation, count, body) {
      const lowest = seriesId * PLACES + placeOf(startMs);
      const taken = takenPlaces.all(lowest, lowest + PLACES_PER_SECOND - 1);
      // A part that was written before its flush was cut short: it is the same.
      if (taken.some(([, ofGeneration, end]) => ofGeneration === generation && end === endMs)) return;
      insert.run(freeKey(seriesId, lowest, taken.at(-1)?.[0]), generation, endMs, body);
      next.samples += count;
      next.written = Math.max(next.written, generation);
    },
    remove(key, count) {
      remove.run(key);
      next.samples -= count;
    },
    noteMerged(generation) {
      next.merged = generation;
    },
  };
  const transaction = db.transaction((change: (writer: PartitionWriter) => void) => {
    change(writer);
    setTotal.run(next.samples, 'samples');
    setTotal.run(next.written, 'written_generation');
    setTotal.run(next.merged, 'merged_generation');
  });

  return {
    chunks(seriesId, fromMs, toMs) {
      return range.all(seriesId * PLACES, seriesId * PLACES + lastPlace(toMs), fromMs).map(storedChunk);
    },
    extents: (seriesId, fromMs, toMs) =>
      extents
        .all(seriesId * PLACES, seriesId * PLACES + lastPlace(toMs), fromMs)
        .flatMap(([key, generation, endMs, head]) => {
          const rows = rowsOrNone(head);
          return rows === undefined ? [] : [{ generation, startMs: startOf(key), endMs, rows }];
        }),
    chunksOfAll: (firstId, lastId, fromMs, toMs) =>
      rangeOfAll.all(firstId * PLACES, (lastId + 1) * PLACES - 1, fromMs, lastPlace(toMs)).map(storedChunk),
    chunksAfter: (key, count) => after.all(key, count).map(storedChunk),
    has: (seriesId) => first.get(seriesId * PLACES, (seriesId + 1) * PLACES - 1) !== undefined,
    write(change) {
      next = { ...totals };
      transaction(change);
      totals = next;
    },
    samples: () => totals.samples,
    get writtenGeneration() {
      return totals.written;
    },
    get mergedGeneration() {
      return totals.merged;
    },
    bytes: () => databaseBytes(db),
    shrink: () => giveBack(db, PAGES_PER_SHRINK),
    settle: () => truncateLog(db),
    copyTo: async (target) => void (await db.backup(target)),
    close: () => void db.close(),
  };

  function placeOf(ms: number): number {
    return FIRST_PLACE + Math.floor((ms - dayMs) / 1000) * PLACES_PER_SECOND;
  }

  function startOf(key: number): number {
    return dayMs + Math.floor(((key % PLACES) - FIRST_PLACE) / PLACES_PER_SECOND) * 1000;
  }

  /** The highest place of chunks that begin at or before a time. */
  function lastPlace(toMs: number): number {
    return placeOf(Math.min(toMs, dayMs + PARTITION_MS - 1)) + PLACES_PER_SECOND - 1;
  }

  function freeKey(seriesId: number, lowest: number, highestTaken = lowest - 1): number {
    if (highestTaken < lowest + PLACES_PER_SECOND - 1) return highestTaken + 1;
    let key = lowest - 1;
    while (first.get(key, key) !== undefined) key--;
    if (key < seriesId * PLACES) throw new Error(`series ${seriesId} has no room for another chunk`);
    return key;
  }
}

interface Totals {
  samples: number;
  written: number;
  merged: number;
}

function rowsOrNone(head: Uint8Array): number | undefined {
  try {
    return chunkRows(head);
  } catch {
    // Whoever reads the chunk finds out as well, and says so.
    return undefined;
  }
}

function storedChunk([key, generation, endMs, body]: [number, number, number, Uint8Array]): StoredChunk {
  return { key, generation, endMs, body };
}
