import { openDatabase } from '../base/sqlite.ts';
import type { StreamKey, StreamRecord } from './streams.ts';

/** Streams kept across restarts, so that an agent that was down knows what it missed. */
export interface StreamsDb {
  load(): StreamRecord[];
  /** Writes the changed streams and removes the forgotten ones; when it throws, nothing was written. */
  save(changed: Iterable<StreamRecord>, forgotten: Iterable<StreamKey>): void;
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
  const replace = db.prepare('INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?)');
  const remove = db.prepare('DELETE FROM stream WHERE signal = ? AND job = ? AND instance = ?');
  const save = db.transaction((changed: Iterable<StreamRecord>, forgotten: Iterable<StreamKey>) => {
    for (const { signal, job, instance } of forgotten) remove.run(signal, job, instance);
    for (const { signal, job, instance, lastSeenMs, intervalMs } of changed) {
      replace.run(signal, job, instance, lastSeenMs, intervalMs);
    }
  });
  return {
    load: () => select.all() as StreamRecord[],
    save,
    close: () => db.close(),
  };
}
