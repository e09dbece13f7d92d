import type { SqliteDatabase } from '../base/sqlite.ts';
import type { LateInterval } from '../model/batch.ts';
import type { LateEntry } from './late-intervals.ts';

/** What an agent has to know of the watermarks that it told, whatever becomes of its process. */
export interface SettlementState {
  /** Names the sequence numbers: those of another epoch mean nothing here. */
  readonly epoch: string;
  /** The highest sequence number that was given. */
  readonly sequence: number;
  /** The highest watermark that was told; -Infinity when none was. */
  readonly toldMs: number;
  /** Where samples behind it may be changing at this moment. */
  readonly begun: LateInterval | undefined;
}

export interface SettlementDb {
  /** Undefined in a new database. The intervals are in order of time. */
  load(): { readonly state: SettlementState; readonly entries: readonly LateEntry[] } | undefined;
  /** Writes the state, and the entries that came and went, in one transaction; when it throws, nothing was written. */
  save(state: SettlementState, gone: Iterable<LateEntry>, added: Iterable<LateEntry>): void;
}

/** Pieces of one interval share its sequence number, but no two intervals begin at one time. */
export const SETTLEMENT_SCHEMA = `
  CREATE TABLE late_interval (
    from_ms REAL PRIMARY KEY,
    to_ms REAL NOT NULL,
    sequence INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE settlement (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    told_ms REAL,
    begun_from_ms REAL,
    begun_to_ms REAL
  );
`;

interface StateRow {
  readonly epoch: string;
  readonly sequence: number;
  readonly toldMs: number | null;
  readonly begunFromMs: number | null;
  readonly begunToMs: number | null;
}

export function settlementIn(db: SqliteDatabase): SettlementDb {
  const selectState = db.prepare(`
    SELECT epoch, sequence, told_ms AS toldMs, begun_from_ms AS begunFromMs, begun_to_ms AS begunToMs FROM settlement
  `);
  const selectEntries = db.prepare(
    'SELECT from_ms AS fromMs, to_ms AS toMs, sequence FROM late_interval ORDER BY from_ms',
  );
  const replaceState = db.prepare('INSERT OR REPLACE INTO settlement VALUES (1, ?, ?, ?, ?, ?)');
  const insert = db.prepare('INSERT INTO late_interval VALUES (?, ?, ?)');
  const remove = db.prepare('DELETE FROM late_interval WHERE from_ms = ?');
  return {
    load() {
      const row = selectState.get() as StateRow | undefined;
      if (row === undefined) return undefined;
      const { epoch, sequence, toldMs, begunFromMs, begunToMs } = row;
      const begun = begunFromMs === null || begunToMs === null ? undefined : { fromMs: begunFromMs, toMs: begunToMs };
      const state = { epoch, sequence, toldMs: toldMs ?? -Infinity, begun };
      return { state, entries: selectEntries.all() as LateEntry[] };
    },
    save: db.transaction(({ epoch, sequence, toldMs, begun }, gone, added) => {
      const told = toldMs === -Infinity ? null : toldMs;
      replaceState.run(epoch, sequence, told, begun?.fromMs ?? null, begun?.toMs ?? null);
      for (const { fromMs } of gone) remove.run(fromMs);
      for (const { fromMs, toMs, sequence: number } of added) insert.run(fromMs, toMs, number);
    }) satisfies SettlementDb['save'],
  };
}
