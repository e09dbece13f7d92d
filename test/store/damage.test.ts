import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/base/sqlite.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore, type Store, type StoreProblem } from '../../src/store/store.ts';
import { FLIP, printAll, readable, storePath, tamper } from './samples.ts';

const NOW = 1_000_000;

function open(path: string, problems: StoreProblem[] = []): Store {
  return openStore({ path, now: () => NOW, onProblem: (problem) => problems.push(problem) });
}

function append(store: Store, metric: string, from: number, to: number): void {
  const batch = batchBuilder();
  for (let time = from; time <= to; time++) batch.add(labelsOf({ __name__: metric }), time, time * 2);
  store.append(batch.build());
}

function values(from: number, to: number): string {
  const out: string[] = [];
  for (let time = from; time <= to; time++) out.push(`${time}:${time * 2}`);
  return out.join(' ');
}

test('a damaged record goes into quarantine and the rest serves', () => {
  for (const damage of [FLIP, `x''`, 'substr(body, 1, length(body) - 1)', `x'63' || substr(body, 2)`]) {
    const path = storePath();
    const store = open(path);
    for (let n = 0; n < 3; n++) append(store, 'm', n * 10, n * 10 + 9);
    store.close();
    tamper(path, (db) => db.exec(`UPDATE record SET body = CAST(${damage} AS BLOB) WHERE id = 2`));
    const problems: StoreProblem[] = [];
    const again = open(path, problems);
    expect(problems.map(({ kind }) => kind)).toEqual(['record']);
    expect(readable(again, 'm')).toBe(`${values(0, 9)} ${values(20, 29)}`);
    expect(again.stats()).toMatchObject({ samples: 20, quarantined: 1 });
    append(again, 'm', 30, 39);
    again.close();
    // It is reported once, and its bytes are kept.
    const third = open(path, problems);
    expect(problems).toHaveLength(1);
    expect(readable(third, 'm')).toBe(`${values(0, 9)} ${values(20, 39)}`);
    third.close();
    tamper(path, (db) => {
      expect(db.prepare('SELECT kind, row_id FROM quarantine').all()).toEqual([{ kind: 'record', row_id: 2 }]);
    });
  }
});

test('a damaged chunk goes into quarantine when it is read and the rest serves', () => {
  const path = storePath();
  const store = open(path);
  append(store, 'm', 0, 999);
  append(store, 'other', 0, 999);
  store.checkpoint();
  store.close();
  tamper(path, (db) => {
    const ids = db.prepare<[], number>('SELECT id FROM chunk WHERE series_id = 1 ORDER BY start_ms').pluck().all();
    expect(ids).toHaveLength(4);
    db.exec(`UPDATE chunk SET body = ${FLIP} WHERE id IN (${ids[1]}, ${ids[2]})`);
  });
  const problems: StoreProblem[] = [];
  const again = open(path, problems);
  expect(problems).toEqual([]);
  expect(readable(again, 'other')).toBe(values(0, 999));
  expect(readable(again, 'm')).toBe(`${values(0, 239)} ${values(720, 999)}`);
  expect(problems.map(({ kind }) => kind)).toEqual(['chunk', 'chunk']);
  expect(again.stats()).toMatchObject({ samples: 2 * 1_000 - 480, quarantined: 2 });
  append(again, 'm', 1_000, 1_001);
  expect(readable(again, 'm')).toBe(`${values(0, 239)} ${values(720, 1_001)}`);
  again.close();
  const third = open(path, problems);
  expect(third.stats().samples).toBe(2 * 1_000 + 2 - 480);
  expect(problems).toHaveLength(2);
  third.close();
});

test('a series whose tail is damaged goes on behind its last chunk', () => {
  const path = storePath();
  const store = open(path);
  append(store, 'm', 0, 300);
  store.checkpoint();
  store.close();
  tamper(path, (db) => db.exec(`UPDATE tail SET body = ${FLIP}`));
  const problems: StoreProblem[] = [];
  const again = open(path, problems);
  const batch = batchBuilder();
  batch.add(labelsOf({ __name__: 'm' }), 239, 5);
  batch.add(labelsOf({ __name__: 'm' }), 100, 3, ADD);
  expect(again.append(batch.build())).toMatchObject({
    stored: 1,
    rejected: new Map([['duplicate_timestamp', { count: 1, firstRow: 0 }]]),
  });
  expect(problems.map(({ kind }) => kind)).toEqual(['chunk']);
  expect(again.stats().samples).toBe(241);
  const want = `${values(0, 239)} 240:${239 * 2 + 3}`;
  expect(readable(again, 'm')).toBe(want);
  again.checkpoint();
  again.close();
  const third = open(path, problems);
  expect(readable(third, 'm')).toBe(want);
  expect(problems).toHaveLength(1);
  third.close();
});

test('a damaged series goes into quarantine and no new one takes over its samples', () => {
  for (const leftIn of ['chunks', 'records']) {
    const path = storePath();
    const store = open(path);
    append(store, 'kept', 0, 9);
    append(store, 'lost', 0, 9);
    if (leftIn === 'chunks') store.checkpoint();
    store.close();
    tamper(path, (db) => db.exec(`UPDATE series SET labels = '["__name__",' WHERE id = 2`));
    const problems: StoreProblem[] = [];
    open(path, problems).close();
    expect(problems.map(({ kind }) => kind)).toEqual(['series']);
    // By now the row is gone, but what it owned is not.
    const again = open(path, problems);
    append(again, 'fresh', 5, 16);
    const want = [values(0, 9), values(5, 16), ''];
    expect(['kept', 'fresh', 'lost'].map((metric) => readable(again, metric))).toEqual(want);
    expect(again.stats()).toMatchObject({ series: 2, samples: 22, quarantined: 1 });
    again.close();
    const third = open(path, problems);
    expect(['kept', 'fresh', 'lost'].map((metric) => readable(third, metric))).toEqual(want);
    expect(problems).toHaveLength(1);
    third.close();
  }
});

test('an append that fails half way leaves nothing behind', () => {
  const path = storePath();
  const first = open(path);
  append(first, 'm', 0, 9);
  first.close();
  tamper(path, (db) =>
    db.exec(`CREATE TRIGGER fail AFTER INSERT ON record WHEN (SELECT count(*) FROM record) = 3
      BEGIN SELECT RAISE(ABORT, 'injected failure'); END`),
  );
  const store = open(path);
  append(store, 'm', 10, 19);
  const before = { all: printAll(store), stats: store.stats() };
  const failing = (): void => {
    const batch = batchBuilder();
    batch.add(labelsOf({ __name__: 'm' }), 19, 100, ADD);
    batch.add(labelsOf({ __name__: 'm' }), 20, 1);
    batch.add(labelsOf({ __name__: 'fresh' }), 20, 1);
    store.append(batch.build());
  };
  expect(failing).toThrow(
    expect.objectContaining({ code: 'unavailable', message: expect.stringContaining('injected') }),
  );
  expect({ all: printAll(store), stats: store.stats() }).toEqual(before);
  // A checkpoint makes room for the trigger, so the same batch can be stored now, and counts once.
  store.checkpoint();
  failing();
  expect(readable(store, 'm')).toBe(`${values(0, 18)} 19:${38 + 100} 20:1`);
  expect(readable(store, 'fresh')).toBe('20:1');
  const after = printAll(store);
  store.close();
  const again = open(path);
  expect(printAll(again)).toEqual(after);
  again.close();
});

test('a checkpoint that fails leaves the records and the answers as they are', () => {
  const path = storePath();
  open(path).close();
  tamper(path, (db) =>
    db.exec(`CREATE TRIGGER fail AFTER INSERT ON tail WHEN NEW.series_id = 2
      BEGIN SELECT RAISE(ABORT, 'injected failure'); END`),
  );
  const store = open(path);
  append(store, 'a', 0, 999);
  append(store, 'b', 0, 999);
  const before = printAll(store);
  expect(() => store.checkpoint()).toThrow('injected failure');
  expect(printAll(store)).toEqual(before);
  store.close();
  tamper(path, (db) => db.exec('DROP TRIGGER fail'));
  const again = open(path);
  expect(printAll(again)).toEqual(before);
  again.checkpoint();
  expect(printAll(again)).toEqual(before);
  again.close();
});

test('a checkpoint that fails is tried again, but not at every append', () => {
  const path = storePath();
  open(path).close();
  tamper(path, (db) => db.exec(`CREATE TRIGGER fail AFTER INSERT ON tail BEGIN SELECT RAISE(ABORT, 'injected'); END`));
  const problems: StoreProblem[] = [];
  const onProblem = (problem: StoreProblem): void => void problems.push(problem);
  const store = openStore({ path, now: () => NOW, checkpointBytes: 40_960, onProblem });
  for (let n = 0; n < 60; n++) append(store, 'm', n, n);
  // Each small record weighs 4 KB: the first ten make a checkpoint due, then five more each time.
  expect(problems.map(({ kind }) => kind)).toEqual(Array.from({ length: 11 }, () => 'checkpoint'));
  expect(readable(store, 'm')).toBe(values(0, 59));
  store.close();
});

test('a tail that is lost in the middle of a checkpoint is read back from the records', () => {
  const path = storePath();
  const store = open(path);
  append(store, 'm', 0, 300);
  store.close();
  let body: unknown;
  tamper(path, (db) => (body = db.prepare('SELECT body FROM record').pluck().get()));
  const again = open(path);
  again.checkpoint();
  again.close();
  tamper(path, (db) => {
    db.prepare('INSERT INTO record (body) VALUES (?)').run(body);
    db.exec(`UPDATE tail SET body = ${FLIP}`);
  });
  const problems: StoreProblem[] = [];
  const third = open(path, problems);
  expect(problems).toHaveLength(1);
  expect(readable(third, 'm')).toBe(values(0, 300));
  expect(third.stats().samples).toBe(301);
  third.close();
});

/** Checks that opening is refused with a message and that no byte of the file changes. */
function checkRefused(path: string, message: RegExp): void {
  const digest = () => createHash('sha256').update(readFileSync(path)).digest('hex');
  const before = digest();
  expect(() => openStore({ path })).toThrow(
    expect.objectContaining({ code: 'bad_config', message: expect.stringMatching(message) }),
  );
  expect(digest()).toBe(before);
}

test('a newer schema, a foreign database and other files are refused untouched', () => {
  const newer = storePath();
  open(newer).close();
  tamper(newer, (db) => void db.pragma('user_version = 99'));
  checkRefused(newer, /schema version 99/);

  const foreign = storePath();
  openDatabase(foreign, { durability: 'process', kind: 'Else', migrations: ['CREATE TABLE t (x)'] }).close();
  checkRefused(foreign, /another kind/);

  const text = storePath();
  writeFileSync(text, 'this is not a database, only some text that someone keeps here\n'.repeat(100));
  checkRefused(text, /not a database/);
});

test('a store that is open elsewhere is refused', () => {
  const path = storePath();
  const store = open(path);
  expect(() => openStore({ path })).toThrow(
    expect.objectContaining({ code: 'bad_config', message: expect.stringContaining('in use') }),
  );
  append(store, 'm', 0, 9);
  expect(readable(store, 'm')).toBe(values(0, 9));
  store.close();
  expect(() => append(store, 'm', 10, 10)).toThrow(expect.objectContaining({ code: 'unavailable' }));
});

test('a folder that does not exist is said to be the reason', () => {
  expect(() => openStore({ path: `${storePath()}/nowhere/store.db` })).toThrow(
    expect.objectContaining({ code: 'bad_config' }),
  );
});

test('both durabilities and a database in memory serve the same', () => {
  for (const options of [{ path: storePath(), durability: 'fsync' as const }, { path: ':memory:' }]) {
    const store = openStore({ ...options, now: () => NOW });
    append(store, 'm', 0, 499);
    store.checkpoint();
    append(store, 'm', 500, 509);
    expect(readable(store, 'm')).toBe(values(0, 509));
    expect(store.stats()).toMatchObject({ series: 1, samples: 510 });
    expect(store.stats().bytes).toBeGreaterThan(510 * 16);
    store.close();
  }
});

test('append checkpoints by itself when many records have gathered', () => {
  const path = storePath();
  const store = open(path);
  for (let n = 0; n < 2_100; n++) append(store, 'm', n, n);
  expect(readable(store, 'm')).toBe(values(0, 2_099));
  store.close();
  tamper(path, (db) => {
    expect(db.prepare('SELECT count(*) FROM record').pluck().get()).toBeLessThan(200);
    expect(db.prepare('SELECT count(*) FROM chunk').pluck().get()).toBe(8);
  });
});

test('a store of the first schema is read and brought up to date', () => {
  const path = storePath();
  const store = open(path);
  append(store, 'm', 0, 300);
  store.checkpoint();
  append(store, 'm', 301, 310);
  store.close();
  tamper(path, (db) => {
    db.exec('DROP TABLE exemplar; DROP TABLE metadata; DROP TABLE delivery');
    for (const table of ['record', 'chunk', 'tail']) {
      db.exec(`UPDATE ${table} SET body = CAST(x'01' || substr(body, 2) AS BLOB)`);
    }
    db.pragma('user_version = 1');
  });
  const problems: StoreProblem[] = [];
  const again = open(path, problems);
  append(again, 'm', 311, 311);
  expect(readable(again, 'm')).toBe(values(0, 311));
  expect(problems).toEqual([]);
  again.close();
});
