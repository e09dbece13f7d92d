import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase, type Durability } from '../../src/base/sqlite.ts';

/** https://sqlite.org/pragma.html#pragma_synchronous: in WAL mode only FULL flushes the log at each commit. */
test.each<[Durability, synchronous: number]>([
  ['process', 1],
  ['fsync', 2],
])('a commit is as durable as asked for: %s', (durability, synchronous) => {
  const folder = mkdtempSync(join(tmpdir(), 'comity-sqlite-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const db = openDatabase(join(folder, 'x.db'), { durability, kind: 'Test', migrations: ['CREATE TABLE a (b)'] });
  expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
  expect(db.pragma('synchronous', { simple: true })).toBe(synchronous);
  db.close();
});
