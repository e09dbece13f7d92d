import { openDatabase, type Durability } from '../base/sqlite.ts';
import { settlementIn, SETTLEMENT_SCHEMA, type SettlementDb } from './settlement-db.ts';
import type { StreamKey, StreamRecord } from './streams.ts';

/** What an agent knows of its streams and of what is settled, kept across restarts. */
export interface CoverageDb {
  readonly streams: StreamsDb;
  readonly settlement: SettlementDb;
  close(): void;
}

/** Streams kept across restarts, so that an agent that was down knows what it missed. */
export interface StreamsDb {
  load(): StreamRecord[];
  /** Writes the changed streams and removes the forgotten ones; when it throws, nothing was written. */
  save(changed: Iterable<StreamRecord>, forgotten: Iterable<StreamKey>): void;
}

const SCHEMA = `
  CREATE TABLE stream (
    signal TEXT NOT NULL,
    job TEXT NOT NULL,
    instance TEXT NOT NULL,
    last_seen_ms REAL NOT NULL,
    interval_ms REAL NOT NULL,
    PRIMARY KEY (signal, job, instance)
  ) WITHOUT ROWID;
`;

const LAST_SAMPLES = 'ALTER TABLE stream ADD COLUMN last_sample_ms REAL NOT NULL DEFAULT 0;';

/** Opens or creates the database. Throws `bad_config` as `openDatabase`. */
export function openCoverageDb(path: string, durability: Durability): CoverageDb {
  const migrations = [SCHEMA, LAST_SAMPLES + SETTLEMENT_SCHEMA];
  const db = openDatabase(path, { durability, kind: 'CMTS', migrations });
  const select = db.prepare(`
    SELECT signal, job, instance, last_seen_ms AS lastSeenMs, last_sample_ms AS lastSampleMs, interval_ms AS intervalMs
    FROM stream
  `);
  const replace = db.prepare(`
    INSERT OR REPLACE INTO stream (signal, job, instance, last_seen_ms, last_sample_ms, interval_ms)
    VALUES (?, ?, ?, ?, ?, ?)
  `);
  const remove = db.prepare('DELETE FROM stream WHERE signal = ? AND job = ? AND instance = ?');
  const save = db.transaction((changed: Iterable<StreamRecord>, forgotten: Iterable<StreamKey>) => {
    for (const { signal, job, instance } of forgotten) remove.run(signal, job, instance);
    for (const { signal, job, instance, lastSeenMs, lastSampleMs, intervalMs } of changed) {
      replace.run(signal, job, instance, lastSeenMs, lastSampleMs, intervalMs);
    }
  });
  return {
    streams: { load: () => select.all() as StreamRecord[], save },
    settlement: settlementIn(db),
    close: () => db.close(),
  };
}
