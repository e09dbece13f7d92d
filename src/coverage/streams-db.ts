import { openDatabase } from '../base/sqlite.ts';
import type { StreamRecord } from './streams.ts';

/** Streams kept across restarts, so that an agent that was down knows what it missed. */
export interface StreamsDb {
  load(): StreamRecord[];
  /** Replaces what is stored. */
  save(records: Iterable<StreamRecord>): void;
  close(): void;
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

export function openStreamsDb(path: string): StreamsDb {
  const db = openDatabase(path, { durability: 'process', kind: 'CMTS', migrations: [SCHEMA] });
  const select = db.prepare(
    'SELECT signal, job, instance, last_seen_ms AS lastSeenMs, interval_ms AS intervalMs FROM stream',
  );
  const clear = db.prepare('DELETE FROM stream');
  const insert = db.prepare('INSERT INTO stream VALUES (?, ?, ?, ?, ?)');
  const save = db.transaction((records: Iterable<StreamRecord>) => {
    clear.run();
    for (const { signal, job, instance, lastSeenMs, intervalMs } of records) {
      insert.run(signal, job, instance, lastSeenMs, intervalMs);
    }
  });
  return {
    load: () => select.all() as StreamRecord[],
    save,
    close: () => db.close(),
  };
}
