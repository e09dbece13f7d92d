import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  hasHeader,
  isDamage,
  makeDatabase,
  removeDatabase,
  renameDatabase,
  UNFINISHED,
  type Durability,
} from '../base/sqlite.ts';
import { openPartitionDb, PARTITION_MS, type PartitionDb, type PartitionWriter } from './partition-db.ts';

/** The files of a store's chunks, one a day. Those that are not used are closed again. */
export interface Partitions {
  /** The days that there are, each by its first millisecond, in order. */
  days(): readonly number[];
  /** Goes up whenever chunks come, go or are changed. */
  readonly version: number;
  /** Reads from one day. A damaged file is put aside and gives `otherwise`, as does a day that there is none of. */
  read<T>(dayMs: number, otherwise: T, read: (db: PartitionDb) => T): T;
  /** As `read`, for what changes the day's chunks as it reads them. */
  update<T>(dayMs: number, otherwise: T, update: (db: PartitionDb) => T): T;
  /** Writes into a day, which is made where there is none yet. */
  write(dayMs: number, change: (writer: PartitionWriter) => void): void;
  /** The highest generation that was written into a day, and the one up to which its chunks have been merged. */
  generations(dayMs: number): { readonly written: number; readonly merged: number };
  /** Removes a day with all that it holds. */
  drop(dayMs: number): void;
  /** Removes the files that were put aside, and says how many. */
  dropDamaged(): number;
  samples(): number;
  bytes(): number;
  /** The files by their names in the folder. */
  files(): readonly { readonly name: string; copyTo(path: string): Promise<void> }[];
  close(): void;
}

/** Told of a file that was put aside. */
export type DamagedFile = (dayMs: number, file: string, error: unknown) => void;

/** Each open file costs its pages and two descriptors. */
const OPEN_MAX = 16;

const SUFFIX = '.sqlite';
const DAMAGED = '.damaged';
const DAY_NAME = /^([+-]\d{6}|\d{4})-\d\d-\d\d$/;

export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / PARTITION_MS) * PARTITION_MS;
}

/** `folder` undefined: all in memory. */
export function partitionsIn(folder: string | undefined, durability: Durability, onDamaged: DamagedFile): Partitions {
  /** In order of their latest use, the oldest first. */
  const open = new Map<number, PartitionDb>();
  const totals = new Map<number, Totals>();
  /** Those that must not be closed. */
  const pinned = new Set<number>();
  let days: number[] = [];
  let version = 0;
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(folder)) {
      const dayMs = dayOfFile(file);
      if (dayMs !== undefined) days.push(dayMs);
      else if (file.endsWith(UNFINISHED)) removeDatabase(join(folder, file));
    }
    days.sort((a, b) => a - b);
    for (const dayMs of days) {
      // SQLite would take it for a new one.
      if (!hasHeader(pathOf(dayMs))) putAside(dayMs, new Error('the file is too short for a database'));
      else read(dayMs, undefined, () => {});
    }
  }

  function pathOf(dayMs: number): string {
    return folder === undefined ? ':memory:' : join(folder, fileOf(dayMs));
  }

  function use(dayMs: number): PartitionDb {
    const known = open.get(dayMs);
    if (known !== undefined) {
      open.delete(dayMs);
      open.set(dayMs, known);
      return known;
    }
    const path = pathOf(dayMs);
    if (folder !== undefined) makeDatabase(path, (at) => openPartitionDb(at, durability, dayMs).close());
    const db = openPartitionDb(path, durability, dayMs);
    open.set(dayMs, db);
    note(dayMs, db);
    for (const [other, one] of open) {
      if (open.size <= OPEN_MAX || folder === undefined) break;
      if (other === dayMs || pinned.has(other)) continue;
      note(other, one);
      open.delete(other);
      one.close();
    }
    return db;
  }

  function note(dayMs: number, db: PartitionDb): void {
    const { writtenGeneration: written, mergedGeneration: merged } = db;
    totals.set(dayMs, { samples: db.samples(), bytes: db.bytes(), written, merged });
  }

  function read<T>(dayMs: number, otherwise: T, body: (db: PartitionDb) => T): T {
    if (!days.includes(dayMs)) return otherwise;
    try {
      return body(use(dayMs));
    } catch (error) {
      if (!isDamage(error)) throw error;
      putAside(dayMs, error);
      return otherwise;
    }
  }

  function putAside(dayMs: number, error: unknown): void {
    forget(dayMs);
    const path = pathOf(dayMs);
    const taken = folder === undefined ? 0 : readdirSync(folder).filter((file) => file.includes(DAMAGED)).length;
    const target = `${path}${DAMAGED}-${taken + 1}`;
    if (folder !== undefined) renameDatabase(path, target);
    onDamaged(dayMs, target, error);
  }

  function forget(dayMs: number): void {
    version++;
    try {
      open.get(dayMs)?.close();
    } catch {
      // A file that is damaged or gone may fail to close; what matters is that it is not used again.
    }
    open.delete(dayMs);
    totals.delete(dayMs);
    days = days.filter((day) => day !== dayMs);
  }

  function write(dayMs: number, change: (writer: PartitionWriter) => void): void {
    version++;
    try {
      use(dayMs).write(change);
    } catch (error) {
      if (!isDamage(error)) throw error;
      putAside(dayMs, error);
      use(dayMs).write(change);
    }
    if (!days.includes(dayMs)) days = [...days, dayMs].sort((a, b) => a - b);
  }

  return {
    days: () => days,
    get version() {
      return version;
    },
    read,
    update(dayMs, otherwise, body) {
      version++;
      return read(dayMs, otherwise, body);
    },
    write,
    generations(dayMs) {
      const db = open.get(dayMs);
      if (db !== undefined) return { written: db.writtenGeneration, merged: db.mergedGeneration };
      return totals.get(dayMs) ?? NO_GENERATIONS;
    },
    drop(dayMs) {
      forget(dayMs);
      if (folder !== undefined) removeDatabase(pathOf(dayMs));
    },
    dropDamaged() {
      if (folder === undefined) return 0;
      const files = readdirSync(folder).filter((file) => file.includes(DAMAGED));
      for (const file of files) removeDatabase(join(folder, file));
      return files.length;
    },
    samples: () => sum('samples'),
    bytes: () => sum('bytes'),
    files: () =>
      days.map((dayMs) => ({
        name: fileOf(dayMs),
        async copyTo(path) {
          pinned.add(dayMs);
          try {
            await read(dayMs, undefined, (db) => db.copyTo(path));
          } finally {
            pinned.delete(dayMs);
          }
        },
      })),
    close() {
      for (const db of open.values()) db.close();
      open.clear();
    },
  };

  /** An open day is asked, for the one number: bytes take calls of the system. */
  function sum(of: 'samples' | 'bytes'): number {
    let all = 0;
    for (const [dayMs, total] of totals) all += open.get(dayMs)?.[of]() ?? total[of];
    return all;
  }
}

interface Totals {
  readonly samples: number;
  readonly bytes: number;
  readonly written: number;
  readonly merged: number;
}

const NO_GENERATIONS = { written: 0, merged: 0 };

function fileOf(dayMs: number): string {
  return new Date(dayMs).toISOString().replace(/T.*/, SUFFIX);
}

/** Whether a file's name is that of a day. */
export function isDayFile(file: string): boolean {
  return dayOfFile(file) !== undefined;
}

function dayOfFile(file: string): number | undefined {
  const name = file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : '';
  return DAY_NAME.test(name) ? Date.parse(`${name}T00:00:00Z`) : undefined;
}
