import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD, SET } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { openStore, type Store, type StoreProblem } from '../../src/store/store.ts';
import { randomFrom } from '../random.ts';
import { asCrashed, filesOf, FLIP, HEAD, readable, storePath, tamper } from './samples.ts';

const NOW = 1_700_000_000_000;
const DAY_MS = 86_400_000;
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const WHO: Matcher = { name: 'who', op: '=', value: 'ada-lovelace-1815' };
const NEEDLES = { labels: 'ada-lovelace-1815', exemplar: 'trace-f00dfeedbeef' };

function open(path: string, problems: StoreProblem[] = []): Store {
  return openStore({ path, now: () => NOW, onProblem: (problem) => problems.push(problem) });
}

/** Samples over three days of a person's series and of others, in chunks and in a log, with values that nothing else has. */
function fill(store: Store): number[] {
  const random = randomFrom(SEED);
  const values: number[] = [];
  for (let part = 0; part < 8; part++) {
    const builder = batchBuilder();
    const mine = builder.seriesOf(labelsOf({ __name__: 'visits', who: NEEDLES.labels }));
    const others = Array.from({ length: 120 }, (_, i) =>
      builder.seriesOf(labelsOf({ __name__: 'visits', who: `w${i}` })),
    );
    for (let i = 0; i < 120; i++) {
      const time = NOW - 3 * DAY_MS + (part * 120 + i) * 240_000;
      const value = random.next() * 1e6;
      values.push(value);
      builder.sample(mine, time, value, SET, time - 12_345);
      builder.sample(others[i % others.length]!, time, part);
      if (i % 10 === 0) {
        const labels = labelsOf({ trace_id: `${NEEDLES.exemplar}-${i}` });
        builder.exemplar({ series: mine, timeMs: time, value, labels });
        builder.exemplar({ series: others[0]!, timeMs: time, value: 1, labels: labelsOf({ trace_id: 'kept' }) });
      }
    }
    store.append(builder.build());
    if (part % 2 === 1) store.flush();
  }
  // What is in the log only, a sum among it, whose last value is known beside the samples.
  const builder = batchBuilder();
  builder.add(labelsOf({ __name__: 'total', who: NEEDLES.labels }), NOW, SUM, ADD);
  builder.add(labelsOf({ __name__: 'total', who: 'other' }), NOW, 7, ADD);
  store.append(builder.build());
  return values;
}

const SUM = 987_654.321_012_3;

function bytesOf(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

/** The names of the files in which some bytes are found. */
function filesWith(path: string, needle: Buffer | string): string[] {
  return readdirSync(path).filter((file) => readFileSync(join(path, file)).includes(needle));
}

/** Pieces of the chunks of a series, as they are in the files; read from a copy. */
function chunkPieces(path: string, seriesId: number): Buffer[] {
  const copy = asCrashed(path);
  open(copy).close();
  const pieces: Buffer[] = [];
  for (const file of filesOf(copy, 'days')) {
    tamper(copy, file, (db) => {
      const bodies = db.prepare<[], Buffer>(`SELECT body FROM chunk WHERE key >> 21 = ${seriesId}`).pluck().all();
      for (const body of bodies) {
        for (let at = 64; at + 16 <= body.length; at += 97) pieces.push(Buffer.from(body.subarray(at, at + 16)));
      }
    });
  }
  return pieces;
}

/** Everything by which the person could be found, none of it twice; `before` is whether it is to be there. */
function expectTraces(path: string, needles: readonly (Buffer | string)[], before: boolean): void {
  for (const needle of needles) {
    const found = filesWith(path, needle);
    const what = typeof needle === 'string' ? needle : needle.toString('hex');
    if (before) expect(found.length, `${what} is in no file`).toBeGreaterThan(0);
    else expect(found, what).toEqual([]);
  }
}

test(`what is deleted is in no file after a compaction (SEED=${SEED})`, async () => {
  const path = storePath();
  const store = open(path);
  const values = fill(store);
  const pieces = chunkPieces(path, 1);
  expect(pieces.length).toBeGreaterThan(20);
  const others = [...store.select([{ ...WHO, op: '!=' }], -Infinity, Infinity)].map(({ labels, times }) => [
    labels,
    times.length,
  ]);
  const needles = [NEEDLES.labels, NEEDLES.exemplar, bytesOf(SUM), ...pieces];
  // The last values stand in pages of states or in the log.
  expectTraces(path, [...needles, bytesOf(values.at(-1)!)], true);
  expect(store.delete([WHO], -Infinity, Infinity)).toMatchObject({ series: 2, state: 'hidden' });
  expect([...store.exemplars([WHO], -Infinity, Infinity)]).toEqual([]);
  expectTraces(path, [NEEDLES.labels], true);
  expect((await store.compact()).samplesErased).toBe(values.length);
  expect(store.deletions()).toMatchObject([{ state: 'erased' }]);
  const gone = [...needles, ...values.map(bytesOf)];
  expectTraces(path, gone, false);
  expect(store.stats().series).toBe(121);
  const left = [...store.select([], -Infinity, Infinity)].map(({ labels, times }) => [labels, times.length]);
  expect(left).toEqual(others);
  expect([...store.exemplars([], -Infinity, Infinity)].flatMap(({ exemplars }) => exemplars)).toHaveLength(8 * 12);
  store.close();
  expectTraces(path, gone, false);
  // And what may have been in memory does not come back.
  const again = open(path);
  again.flush();
  expectTraces(path, gone, false);
  again.close();
});

test('what comes by the way some minutes after a deletion erases as well', () => {
  const path = storePath();
  let nowMs = NOW;
  const store = openStore({ path, now: () => nowMs });
  const values = fill(store);
  const pieces = chunkPieces(path, 1);
  store.delete([WHO], -Infinity, Infinity);
  while (store.upkeep());
  expectTraces(path, [NEEDLES.labels, ...pieces], true);
  nowMs += 6 * 60_000;
  while (store.upkeep());
  expect(store.deletions()).toMatchObject([{ state: 'erased' }]);
  expectTraces(path, [NEEDLES.labels, NEEDLES.exemplar, bytesOf(SUM), ...pieces, ...values.map(bytesOf)], false);
  store.close();
});

test('of a series that keeps some samples nothing is left of the others, nor of what its last value was', async () => {
  const path = storePath();
  const store = open(path);
  const values = fill(store);
  const cut = NOW - 3 * DAY_MS + 480 * 240_000;
  const pieces = chunkPieces(path, 1);
  store.delete([{ name: '__name__', op: '=', value: 'visits' }, WHO], cut, Infinity);
  store.delete([{ name: '__name__', op: '=', value: 'total' }, WHO], NOW, NOW);
  await store.compact();
  expectTraces(path, [bytesOf(SUM), ...values.slice(480).map(bytesOf)], false);
  expect(filesWith(path, NEEDLES.labels)).not.toEqual([]);
  const kept = pieces.filter((piece) => filesWith(path, piece).length > 0);
  expect(kept.length).toBeLessThan(pieces.length);
  expect(kept.length).toBeGreaterThan(0);
  const [mine] = store.select([{ name: '__name__', op: '=', value: 'visits' }, WHO], -Infinity, Infinity);
  expect([...mine!.values]).toEqual(values.slice(0, 480));
  // The sum starts from zero.
  const builder = batchBuilder();
  builder.add(labelsOf({ __name__: 'total', who: NEEDLES.labels }), NOW + 1, 5, ADD);
  store.append(builder.build());
  expect(readable(store, 'total')).toMatch(new RegExp(`^${NOW - 1}:0 ${NOW + 1}:5 \\|`));
  store.close();
});

test('what was put into quarantine goes as well', async () => {
  const path = storePath();
  const first = open(path);
  const values = fill(first);
  const pieces = chunkPieces(path, 1);
  first.close();
  const [firstDay, secondDay] = filesOf(path, 'days') as [string, string];
  const logs = filesOf(path, 'logs');
  // A chunk, a record, a row of labels that nobody can read, and a file as a whole.
  tamper(path, firstDay, (db) => db.exec(`UPDATE chunk SET body = ${FLIP} WHERE key >> 21 = 1`));
  tamper(path, logs.at(-1)!, (db) => {
    db.exec(`UPDATE record SET body = ${FLIP}`);
    db.exec(`UPDATE series SET labels = '["broken' || labels`);
  });
  const bytes = readFileSync(join(path, secondDay));
  writeFileSync(join(path, secondDay), Buffer.concat([Buffer.from('no header'), bytes.subarray(9)]));
  const problems: StoreProblem[] = [];
  const store = open(path, problems);
  expect([...store.select([WHO], -Infinity, Infinity)].length).toBe(1);
  expect(new Set(problems.map(({ kind }) => kind))).toEqual(new Set(['chunk', 'record', 'series', 'partition']));
  expect(store.stats().quarantined).toBe(problems.length);
  const needles = [NEEDLES.labels, NEEDLES.exemplar, bytesOf(SUM), ...pieces];
  expectTraces(path, needles, true);
  // A compaction alone leaves it for people to look at.
  await store.compact();
  expect(store.stats().quarantined).toBe(problems.length);
  store.delete([WHO], -Infinity, Infinity);
  await store.compact();
  expect(store.stats().quarantined).toBe(0);
  expectTraces(path, [...needles, ...values.map(bytesOf)], false);
  store.close();
  tamper(path, HEAD, (db) => expect(db.prepare('SELECT count(*) FROM quarantine').pluck().get()).toBe(0));
});

test('with a day that retention removes its series go, their labels too', () => {
  const path = storePath();
  let nowMs = NOW;
  const store = openStore({ path, now: () => nowMs, retentionMs: DAY_MS });
  const builder = batchBuilder();
  builder.add(labelsOf({ __name__: 'visits', who: NEEDLES.labels }), NOW - DAY_MS / 2, SUM);
  builder.exemplar({ series: 0, timeMs: NOW - DAY_MS / 2, value: 1, labels: labelsOf({ trace_id: NEEDLES.exemplar }) });
  store.append(builder.build());
  nowMs = NOW + 3 * DAY_MS;
  const later = batchBuilder();
  later.add(labelsOf({ __name__: 'visits', who: 'other' }), nowMs, 1);
  store.append(later.build());
  store.flush();
  while (store.upkeep());
  expect(store.stats()).toMatchObject({ series: 1, samples: 1 });
  expect(filesOf(path, 'days')).toHaveLength(1);
  store.close();
  expectTraces(path, [NEEDLES.labels, NEEDLES.exemplar, bytesOf(SUM)], false);
});
