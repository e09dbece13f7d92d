import { emptyHead, type Head } from './head.ts';
import type { LogDb } from './log-db.ts';
import { memtable, type Memtable } from './memtable.ts';
import type { HeadEnds } from './state-page.ts';

/** The memtables of a store: the one that appends go into, and those that wait to become chunks. */
export interface Memtables {
  active: Generation;
  /** The oldest first. */
  readonly frozen: FrozenGeneration[];
  /** The generation up to which all is in chunks. */
  flushed: number;
  /** Series with lower ids are in chunks with the next generation as well, and not in its memtable: an open found them so. */
  flushedBelowId: number;
}

/** A memtable with its write-ahead log. */
export interface Generation {
  readonly table: Memtable;
  readonly log: LogDb;
}

/** One that nothing is added to any more, with where its series ended. */
export interface FrozenGeneration extends Generation {
  readonly ends: HeadEnds;
  readonly series: number;
  /** Samples of it that are in chunks already. */
  samplesFlushed: number;
}

/** Whether chunks of a generation are what counts of a series; until then its memtable is whole. */
export function isInChunks({ flushed, flushedBelowId }: Memtables, generation: number, seriesId: number): boolean {
  return generation <= flushed || (generation === flushed + 1 && seriesId < flushedBelowId);
}

/** Closes the active memtable, and goes on with a new one and its log. */
export function freeze(tables: Memtables, head: Head, openLog: (generation: number) => LogDb): void {
  const { table, log } = tables.active;
  const next = table.generation + 1;
  const nextLog = openLog(next);
  tables.frozen.push(frozenGeneration({ table, log }, head));
  tables.active = { table: memtable(next, head.size), log: nextLog };
}

/** `head` as it is at the end of the memtable. */
export function frozenGeneration(generation: Generation, head: Head): FrozenGeneration {
  const { size } = head;
  const ends = {
    ...emptyHead(),
    ids: head.ids.slice(0, size),
    firstTimes: head.firstTimes.slice(0, size),
    lastTimes: head.lastTimes.slice(0, size),
    bases: head.bases.slice(0, size),
    flags: head.flags.slice(0, size),
  };
  return { ...generation, ends, series: size, samplesFlushed: 0 };
}

/** All memtables, the oldest first. */
export function* allTables({ frozen, active }: Memtables): Iterable<Memtable> {
  for (const { table } of frozen) yield table;
  yield active.table;
}
