import { createHash, randomBytes } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/base/sqlite.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore, type Store, type StoreProblem } from '../../src/store/store.ts';
import { randomFrom } from '../random.ts';
import { filesOf, FLIP, HEAD, printAll, readable, storePath, tamper } from './samples.ts';

const NOW = 1_000_000;
const DAY = '1970-01-01.sqlite';
const ROUNDS = Number(process.env['ROUNDS'] ?? 100);
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

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
    tamper(path, 'log-1.sqlite', (db) => db.exec(`UPDATE record SET body = CAST(${damage} AS BLOB) WHERE id = 2`));
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
    tamper(path, HEAD, (db) => {
      expect(db.prepare('SELECT kind, row_id FROM quarantine').all()).toEqual([{ kind: 'record', row_id: 2 }]);
    });
  }
});

test('a damaged chunk goes into quarantine when it is read and the rest serves', () => {
  const path = storePath();
  const store = open(path);
  append(store, 'm', 0, 999);
  append(store, 'other', 0, 999);
  store.flush();
  store.close();
  tamper(path, DAY, (db) => {
    const keys = db.prepare<[], number>('SELECT key FROM chunk ORDER BY key').pluck().all();
    expect(keys).toHaveLength(6);
    db.exec(`UPDATE chunk SET body = ${FLIP} WHERE key = ${keys[1]}`);
  });
  const problems: StoreProblem[] = [];
  const again = open(path, problems);
  expect(problems).toEqual([]);
  expect(readable(again, 'other')).toBe(values(0, 999));
  for (let time = 0; time < 2; time++) expect(readable(again, 'm')).toBe(`${values(0, 332)} ${values(666, 999)}`);
  expect(problems.map(({ kind }) => kind)).toEqual(['chunk']);
  expect(again.stats()).toMatchObject({ samples: 2 * 1_000 - 333, quarantined: 1 });
  append(again, 'm', 1_000, 1_001);
  expect(readable(again, 'm')).toBe(`${values(0, 332)} ${values(666, 1_001)}`);
  again.close();
  const third = open(path, problems);
  expect(third.stats().samples).toBe(2 * 1_000 + 2 - 333);
  expect(problems).toHaveLength(1);
  third.close();
});

test('a damaged chunk that a compaction comes upon is put aside as well', async () => {
  const path = storePath();
  const store = open(path);
  for (let n = 0; n < 4; n++) {
    append(store, 'm', n * 10, n * 10 + 9);
    store.flush();
  }
  store.close();
  tamper(path, DAY, (db) => db.exec(`UPDATE chunk SET body = ${FLIP} WHERE key = (SELECT max(key) FROM chunk)`));
  const problems: StoreProblem[] = [];
  const again = open(path, problems);
  expect(await again.compact()).toMatchObject({ chunksMerged: 3 });
  expect(problems.map(({ kind }) => kind)).toEqual(['chunk']);
  expect(readable(again, 'm')).toBe(values(0, 29));
  expect(again.stats()).toMatchObject({ samples: 30, quarantined: 1 });
  again.close();
});

test('where it is lost how series end, that is read from their chunks', () => {
  const path = storePath();
  const store = open(path);
  append(store, 'm', 0, 300);
  const batch = batchBuilder();
  batch.add(labelsOf({ __name__: 'ended' }), 10, 5);
  batch.addStale(labelsOf({ __name__: 'ended' }), 20);
  store.append(batch.build());
  store.flush();
  append(store, 'm', 301, 303);
  store.close();
  tamper(path, HEAD, (db) => db.exec(`UPDATE state SET body = ${FLIP}`));
  const problems: StoreProblem[] = [];
  const again = open(path, problems);
  expect(problems.map(({ kind }) => kind)).toEqual(['state']);
  expect(readable(again, 'm')).toBe(values(0, 303));
  const more = batchBuilder();
  more.add(labelsOf({ __name__: 'm' }), 300, 5);
  more.add(labelsOf({ __name__: 'm' }), 303, 606);
  more.add(labelsOf({ __name__: 'm' }), 100, 3, ADD);
  more.add(labelsOf({ __name__: 'ended' }), 30, 1, ADD);
  expect(again.append(more.build())).toMatchObject({
    stored: 2,
    repeated: 1,
    rejected: new Map([['duplicate_timestamp', { count: 1, firstRow: 0 }]]),
  });
  const want = [`${values(0, 302)} 303:609`, '10:5 20:NaN 30:6'];
  expect(['m', 'ended'].map((metric) => readable(again, metric))).toEqual(want);
  again.close();
  const third = open(path, problems);
  expect(['m', 'ended'].map((metric) => readable(third, metric))).toEqual(want);
  expect(problems).toHaveLength(1);
  third.close();
});

test('a damaged series goes into quarantine and no new one takes over its samples', () => {
  for (const leftIn of ['chunks', 'records'] as const) {
    const path = storePath();
    const store = open(path);
    append(store, 'kept', 0, 9);
    append(store, 'lost', 0, 9);
    if (leftIn === 'chunks') store.flush();
    store.close();
    const file = leftIn === 'chunks' ? HEAD : 'log-1.sqlite';
    tamper(path, file, (db) => db.exec(`UPDATE series SET labels = '["__name__",' WHERE id = 2`));
    const problems: StoreProblem[] = [];
    open(path, problems).close();
    expect(problems.map(({ kind }) => kind)).toEqual(['series']);
    // By now the row is gone, but what it owned is not.
    const again = open(path, problems);
    append(again, 'fresh', 5, 16);
    const want = [values(0, 9), values(5, 16), ''];
    expect(['kept', 'fresh', 'lost'].map((metric) => readable(again, metric))).toEqual(want);
    // The samples of the lost one are in its chunks until these are merged.
    expect(again.stats()).toMatchObject({ series: 2, samples: leftIn === 'chunks' ? 32 : 22, quarantined: 1 });
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
  tamper(path, 'log-1.sqlite', (db) =>
    db.exec(`CREATE TRIGGER fail AFTER INSERT ON record WHEN (SELECT count(*) FROM record) = 3
      BEGIN SELECT RAISE(ABORT, 'injected failure'); END`),
  );
  const store = openStore({ path, now: () => NOW, outOfOrderMs: 5 });
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
  // The next log has no trigger, so what comes can be stored now, and the same batch counts once.
  store.flush();
  const late = batchBuilder();
  late.add(labelsOf({ __name__: 'm' }), 14.5, 29);
  expect(store.append(late.build())).toMatchObject({ stored: 1 });
  failing();
  expect(readable(store, 'm')).toBe(`${values(0, 14)} 14.5:29 ${values(15, 18)} 19:${38 + 100} 20:1`);
  expect(readable(store, 'fresh')).toBe('20:1');
  const after = printAll(store);
  store.close();
  const again = open(path);
  expect(printAll(again)).toEqual(after);
  again.close();
});

/** Makes the writing of chunks of some series fail. */
function failChunks(path: string, seriesId: number): void {
  tamper(path, DAY, (db) =>
    db.exec(`CREATE TRIGGER fail AFTER INSERT ON chunk WHEN NEW.key >> 21 = ${seriesId}
      BEGIN SELECT RAISE(ABORT, 'injected failure'); END`),
  );
}

test('a flush that fails leaves the records and the answers as they are', () => {
  const path = storePath();
  const first = open(path);
  append(first, 'a', 0, 0);
  first.flush();
  first.close();
  failChunks(path, 2);
  const store = open(path);
  append(store, 'a', 1, 999);
  append(store, 'b', 0, 999);
  const before = printAll(store);
  expect(() => store.flush()).toThrow(
    expect.objectContaining({ code: 'unavailable', message: expect.stringContaining('injected failure') }),
  );
  expect(printAll(store)).toEqual(before);
  store.close();
  tamper(path, DAY, (db) => db.exec('DROP TRIGGER fail'));
  const again = open(path);
  expect(printAll(again)).toEqual(before);
  again.flush();
  expect(printAll(again)).toEqual(before);
  expect(again.stats().samples).toBe(2_000);
  again.close();
});

test('where chunks cannot be written appends go on for a while, and then store nothing', () => {
  const path = storePath();
  const first = open(path);
  append(first, 'm', 0, 0);
  first.flush();
  first.close();
  failChunks(path, 1);
  const problems: StoreProblem[] = [];
  const onProblem = (problem: StoreProblem): void => void problems.push(problem);
  const store = openStore({ path, now: () => NOW, logBytes: 2_048, onProblem });
  let stored = 0;
  const appendMany = (): void => {
    for (let n = stored + 1; n < 200; n++) {
      append(store, 'm', n, n);
      stored = n;
    }
  };
  expect(appendMany).toThrow(
    expect.objectContaining({ code: 'unavailable', message: expect.stringContaining('injected') }),
  );
  expect(stored).toBeGreaterThan(10);
  expect(new Set(problems.map(({ kind }) => kind))).toEqual(new Set(['flush']));
  expect(readable(store, 'm')).toBe(values(0, stored));
  store.close();
  tamper(path, DAY, (db) => db.exec('DROP TRIGGER fail'));
  const again = openStore({ path, now: () => NOW, logBytes: 2_048 });
  append(again, 'm', stored + 1, stored + 1);
  expect(readable(again, 'm')).toBe(values(0, stored + 1));
  again.close();
});

/** Checks that opening is refused with a message and that no byte of any file changes. */
function checkRefused(path: string, message: RegExp): void {
  const digests = (): string[] =>
    readdirSync(path)
      // To look at a file SQLite makes a log for it, with nothing in it.
      .filter((file) => !file.endsWith('-shm') && statSync(join(path, file)).size > 0)
      .sort()
      .map(
        (file) =>
          `${file} ${createHash('sha256')
            .update(readFileSync(join(path, file)))
            .digest('hex')}`,
      );
  const before = digests();
  expect(() => openStore({ path, now: () => NOW })).toThrow(
    expect.objectContaining({ code: 'bad_config', message: expect.stringMatching(message) }),
  );
  expect(digests()).toEqual(before);
}

/** A closed store with a day, and with records in two logs. */
function someStore(): string {
  const path = storePath();
  const store = open(path);
  append(store, 'm', 0, 9);
  store.flush();
  append(store, 'm', 10, 19);
  store.delete([{ name: 'absent', op: '=', value: 'x' }], 0, 0);
  append(store, 'm', 20, 29);
  store.close();
  expect([...filesOf(path, 'logs'), ...filesOf(path, 'days')]).toEqual(['log-2.sqlite', 'log-3.sqlite', DAY]);
  return path;
}

const SOME_FILES = [HEAD, 'log-2.sqlite', 'log-3.sqlite', DAY];

test('a newer schema in any of the files is refused untouched', () => {
  for (const file of SOME_FILES) {
    const path = someStore();
    tamper(path, file, (db) => void db.pragma('user_version = 99'));
    checkRefused(path, new RegExp(`${file} has schema version 99`));
  }
});

test('a database of another kind in place of any of the files is refused untouched', () => {
  for (const file of SOME_FILES) {
    const path = someStore();
    rmSync(join(path, file));
    openDatabase(join(path, file), {
      durability: 'process',
      kind: 'Else',
      migrations: ['CREATE TABLE t (x)'],
    }).close();
    checkRefused(path, /another kind/);
  }
});

test('without its head a store is refused untouched, with advice', () => {
  const text = 'this is not a database, only some text that someone keeps here\n'.repeat(100);
  const damages: readonly ((file: string) => void)[] = [
    (file) => writeFileSync(file, text),
    (file) => writeFileSync(file, randomBytes(20_000)),
    (file) => truncateSync(file, 0),
    (file) => rmSync(file),
  ];
  for (const damage of damages) {
    const path = someStore();
    damage(join(path, HEAD));
    checkRefused(path, /not a database|backup/);
  }
});

test('what is left of a log or a day that is damaged as a whole is put aside, and the rest serves', () => {
  const damages: Readonly<Record<string, (file: string) => void>> = {
    garbage: (file) => writeFileSync(file, randomBytes(20_000)),
    short: (file) => writeFileSync(file, 'x'),
    empty: (file) => truncateSync(file, 0),
    missing: (file) => rmSync(file),
  };
  const cases = [
    { file: 'log-2.sqlite', kind: 'log', left: `${values(0, 9)} ${values(20, 29)}` },
    { file: 'log-3.sqlite', kind: 'log', left: values(0, 19) },
    { file: DAY, kind: 'partition', left: values(10, 29) },
  ];
  for (const { file, kind, left } of cases) {
    for (const [name, damage] of Object.entries(damages)) {
      const path = someStore();
      damage(join(path, file));
      const problems: StoreProblem[] = [];
      const store = open(path, problems);
      const where = `${file}, ${name}`;
      expect(readable(store, 'm'), where).toBe(left);
      // Nobody knows of a day, or of the last log, that there was one.
      const isKnown = name !== 'missing' || file === 'log-2.sqlite';
      expect(
        problems.map((problem) => problem.kind),
        where,
      ).toEqual(isKnown ? [kind] : []);
      expect(store.stats().quarantined, where).toBe(isKnown ? 1 : 0);
      append(store, 'm', 40, 49);
      store.flush();
      store.close();
      const again = open(path, problems);
      expect(readable(again, 'm'), where).toBe(`${left} ${values(40, 49)}`);
      expect(problems, where).toHaveLength(isKnown ? 1 : 0);
      again.close();
    }
  }
});

/** The number of samples, each of which must be one that was stored. */
function trueSamples(store: Store, where: string): number {
  let count = 0;
  for (const { times, values: column } of store.select([], -Infinity, Infinity)) {
    count += times.length;
    for (const [i, time] of times.entries()) expect(column[i], where).toBe(time * 2);
  }
  return count;
}

test(`bytes changed anywhere do no harm beyond what they belong to (SEED=${SEED})`, { timeout: 60_000 }, async () => {
  const random = randomFrom(SEED);
  const pristine = someStore();
  let served = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const path = storePath();
    cpSync(pristine, path, { recursive: true });
    const file = join(path, random.pick(SOME_FILES));
    const bytes = readFileSync(file);
    if (random.chance(0.2)) truncateSync(file, random.int(1, bytes.length - 1));
    else {
      for (let count = random.int(1, 4); count > 0; count--)
        bytes[random.int(0, bytes.length - 1)]! ^= random.int(1, 255);
      writeFileSync(file, bytes);
    }
    const problems: StoreProblem[] = [];
    let store: Store;
    try {
      store = open(path, problems);
    } catch (error) {
      expect(error, `round ${round}`).toMatchObject({ code: 'bad_config' });
      continue;
    }
    served += trueSamples(store, `round ${round}`);
    try {
      append(store, 'm', 50, 59);
      await store.compact();
      store.close();
      store = open(path, problems);
    } catch (error) {
      // What SQLite finds only where it writes: it is said, and the store goes on with the rest.
      expect(error, `round ${round}`).toMatchObject({
        message: expect.stringMatching(/malformed|not a database|full/),
      });
      continue;
    }
    const held = trueSamples(store, `round ${round}`);
    // A day that turns out damaged takes with it what came for it by then.
    if (problems.length === 0) expect(held, `round ${round}`).toBeGreaterThanOrEqual(10);
    store.close();
  }
  expect(served).toBeGreaterThan(1_000);
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

test('a folder is made where there is none, and a path that can be none is refused', () => {
  const path = join(storePath(), 'some', 'where');
  open(path).close();
  const file = join(path, 'file');
  writeFileSync(file, 'x');
  for (const bad of [file, join(file, 'below')]) {
    expect(() => openStore({ path: bad })).toThrow(
      expect.objectContaining({ code: 'bad_config', message: expect.stringContaining(bad) }),
    );
  }
});

test('both durabilities and a database in memory serve the same', () => {
  for (const options of [{ path: storePath(), durability: 'fsync' as const }, { path: ':memory:' }]) {
    const store = openStore({ ...options, now: () => NOW });
    append(store, 'm', 0, 499);
    store.flush();
    append(store, 'm', 500, 509);
    expect(readable(store, 'm')).toBe(values(0, 509));
    expect(store.stats()).toMatchObject({ series: 1, samples: 510 });
    expect(store.stats().bytes).toBeGreaterThan(10_000);
    store.close();
  }
});

test('append closes logs by itself, and moves what they hold into chunks', () => {
  const path = storePath();
  const store = openStore({ path, now: () => NOW, logBytes: 100_000 });
  for (let n = 0; n < 2_100; n++) append(store, 'm', n, n);
  expect(readable(store, 'm')).toBe(values(0, 2_099));
  store.close();
  expect(filesOf(path, 'logs').length).toBeLessThan(5);
  tamper(path, DAY, (db) => {
    expect(db.prepare('SELECT count(*) FROM chunk').pluck().get()).toBeGreaterThan(10);
  });
});
