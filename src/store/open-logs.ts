import { LIMITS } from '../base/limits.ts';
import { forgetLast } from './deletions.ts';
import type { ExemplarRow } from './exemplars.ts';
import { generationOf, numbered } from './flush.ts';
import type { HeadDb } from './head-db.ts';
import { loadExemplars, replayLog, type DamagedRow } from './load.ts';
import type { LogDb } from './log-db.ts';
import type { LogFiles } from './logs-db.ts';
import { memtable } from './memtable.ts';
import { frozenGeneration, type Generation, type Memtables } from './memtables.ts';
import type { SeriesTable } from './series-table.ts';
import type { StoreProgress } from './store-options.ts';
import type { Tombstones } from './tombstones.ts';

export interface OpenLogs {
  readonly headDb: HeadDb;
  readonly table: SeriesTable;
  readonly files: LogFiles;
  /** Told of each log as it is opened. */
  onOpened(log: LogDb): void;
  /** Told of a log that is lost. */
  onLost(generation: number, error: Error): void;
}

/** Opens the logs whose memtables are not in chunks, each with an empty memtable; at least one. */
export function openLogs({ headDb, table, files, onOpened, onLost }: OpenLogs): readonly Generation[] {
  const flushed = headDb.value('flushed_generation');
  const numbers = files.numbers();
  const generations: Generation[] = [];
  for (const number of numbers) {
    // Its file is all that was left to be done of such a log.
    if (number <= flushed) {
      files.remove(number);
      continue;
    }
    const log = files.open(number);
    if (log instanceof Error) onLost(number, log);
    else take(log, number);
  }
  const first = generations[0]?.table.generation ?? Math.max(flushed, ...numbers) + 1;
  if (first > flushed + 1) {
    if (!numbers.includes(first - 1)) onLost(first - 1, new Error('its file is not there'));
    headDb.write((writer) => {
      writer.setValue('flushed_generation', first - 1);
      writer.setValue('flushed_series_id', 0);
    });
  }
  if (generations.length === 0) take(files.begin(first), first);
  return generations;

  function take(log: LogDb, number: number): void {
    onOpened(log);
    generations.push({ log, table: memtable(number, table.head.size) });
  }
}

export interface ReadLogs {
  readonly headDb: HeadDb;
  readonly table: SeriesTable;
  readonly tombstones: Tombstones;
  readonly tables: Memtables;
  readonly generations: readonly Generation[];
  readonly onDamaged: DamagedRow;
  onProgress(progress: StoreProgress): void;
}

/**
 * Reads logs back into their memtables, and all but the last into the frozen ones. Returns the exemplars and deliveries that
 * there are, the oldest first.
 */
export function readLogs({ headDb, table, tombstones, tables, generations, onDamaged, onProgress }: ReadLogs): {
  readonly exemplars: readonly ExemplarRow[];
  readonly deliveries: readonly string[];
} {
  const { head } = table;
  const total = generations.reduce((sum, { log }) => sum + log.recordBytes, 0);
  const moved = headDb.annotations.exemplars(LIMITS.exemplars);
  const known = new Set(moved.map(([id]) => id));
  const exemplars = loadExemplars(moved, generationOf, head, tombstones, onDamaged);
  const deliveries = headDb.annotations.deliveries(LIMITS.deliveries).map(([, digest]) => digest);
  let before = 0;
  let previous = tables.flushed;
  onProgress({ kind: 'replay', done: 0, total });
  for (const one of generations) {
    replay(one);
    if (one !== tables.active) tables.frozen.push(frozenGeneration(one, head));
  }
  onProgress({ kind: 'replay', done: total, total });
  return { exemplars, deliveries };

  function replay({ log, table: memory }: Generation): void {
    const { generation } = memory;
    const skip = generation === tables.flushed + 1 ? tables.flushedBelowId : 0;
    replayLog(log, table, memory, skip, onDamaged, (done) =>
      onProgress({ kind: 'replay', done: before + done, total }),
    );
    forgetDeleted(previous, generation);
    previous = generation;
    before += log.recordBytes;
    const rows = log.annotations.exemplars(LIMITS.exemplars);
    const ids = numbered(generation, rows);
    // Some may have been moved before the process ended.
    const left = rows.filter((_row, i) => !known.has(ids[i]![0]));
    exemplars.push(...loadExemplars(left, () => generation, head, tombstones, onDamaged, log));
    for (const [, digest] of log.annotations.deliveries(LIMITS.deliveries)) deliveries.push(digest);
  }

  /** What a deletion made of the ends of its series, when all up to its generation was stored and nothing else. */
  function forgetDeleted(after: number, upTo: number): void {
    for (const ref of tombstones.refs()) {
      for (const one of tombstones.of(ref)) {
        if (one.generation > after && one.generation <= upTo) forgetLast(head, ref, one);
      }
    }
  }
}
