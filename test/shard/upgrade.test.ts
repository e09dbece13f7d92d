import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, test } from 'vitest';
import { ADD_ONCE } from '../../src/model/batch.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { histogramAt, isHistogramAt } from '../../src/model/histogram.ts';
import { labelValue } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';
import { openShards, type Shards } from '../../src/shard/open-shards.ts';

/** What was stored in the fixture: 300 rounds, 15 s apart, from this time on. */
const START_MS = 1_700_000_000_000;
const ROUNDS = 300;
const END_MS = START_MS + ROUNDS * 15_000;
const FIXTURE = join(import.meta.dirname, '../../fixtures/store/version-2.sqlite');

const folders: string[] = [];
const opened: Shards[] = [];
afterEach(async () => {
  for (const shards of opened.splice(0)) await shards.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function oldStore(): string {
  const folder = mkdtempSync(join(tmpdir(), 'comity-upgrade-'));
  folders.push(folder);
  const path = join(folder, 'agent.sqlite');
  copyFileSync(FIXTURE, path);
  return path;
}

async function open(path: string, warnings: string[] = []): Promise<Shards> {
  const shards = await openShards({
    store: { path, durability: 'process' },
    shards: 0,
    reading: {},
    onProblem: ({ message }) => warnings.push(message),
    onProgress: () => {},
    onWarning: (message) => warnings.push(message),
  });
  opened.push(shards);
  return shards;
}

describe('a store of version 2', () => {
  test('is brought up to date with everything in it', async () => {
    const path = oldStore();
    const warnings: string[] = [];
    const shards = await open(path, warnings);
    expect(warnings).toEqual([]);
    const [store] = shards.stores;
    const series = new Map(
      [...store!.select([], -Infinity, Infinity)].map((one) => [
        `${labelValue(one.labels, '__name__')}${labelValue(one.labels, 'i')}`,
        one,
      ]),
    );
    expect(series.size).toBe(10);
    for (let i = 0; i < 6; i++) {
      const { times, values } = series.get(`plain_total${i}`)!;
      expect([...times]).toEqual(Array.from({ length: ROUNDS }, (_, s) => START_MS + s * 15_000 + i));
      expect([...values]).toEqual(Array.from({ length: ROUNDS }, (_, s) => s * (i + 1) + (s % 7 === 0 ? 0.25 : 0)));
    }
    const ends = series.get('ends')!;
    expect(ends.times.length).toBe(101);
    expect(isStaleAt(ends.values, 100)).toBe(true);
    const started = series.get('started_total')!;
    expect([...(started.startTimes as Float64Array)]).toEqual(
      Array.from({ length: ROUNDS }, (_, s) => START_MS - (s < 150 ? 1000 : 500)),
    );
    const native = series.get('native_seconds')!;
    expect(native.times.length).toBe(100);
    for (let row = 0; row < 100; row++) {
      expect(isHistogramAt(native.histograms, row)).toBe(true);
      const { count, sum, positive, layout } = histogramAt(native.histograms!, row);
      const s = row * 3;
      expect([count, sum, ...positive, ...layout.positive]).toEqual([
        10 * s,
        s * 1.5,
        s,
        2 * s,
        3 * s,
        1,
        2,
        s > 200 ? 6 : 5,
      ]);
    }
    // A delta counter starts with the zero that was put before it.
    expect([...series.get('delta_total')!.values]).toEqual(Array.from({ length: ROUNDS + 1 }, (_, s) => s * 2));
    const [exemplars] = [...store!.exemplars([], -Infinity, Infinity)];
    expect(exemplars!.exemplars.length).toBe(ROUNDS);
    expect([...store!.metadata()]).toEqual([{ metric: 'plain_total', type: 'counter', help: 'Plain.', unit: '' }]);
  });

  test('goes on where it was: additions add up, deliveries are known', async () => {
    const path = oldStore();
    const { stores } = await open(path);
    const labels = ['__name__', 'delta_total', 'domain', 'berlin'];
    const batch = (delivery: string, timeMs: number) => {
      const builder = batchBuilder();
      builder.sample(builder.seriesOf(labels), timeMs, 2, ADD_ONCE);
      return builder.build(delivery);
    };
    expect(stores[0]!.append(batch('digest-299', END_MS - 15_000))).toMatchObject({ stored: 0, repeated: 1 });
    expect(stores[0]!.append(batch('digest-new', END_MS))).toMatchObject({ stored: 1 });
    const [series] = [...stores[0]!.select([{ name: '__name__', op: '=', value: 'delta_total' }], END_MS, END_MS)];
    expect([...series!.values]).toEqual([602]);
  });

  test('leaves nothing of itself behind', async () => {
    const path = oldStore();
    await open(path);
    expect(readdirSync(join(path, '..'))).toEqual(['agent.sqlite']);
    expect(readdirSync(path).sort()).toEqual(['shard-0', 'shards']);
  });

  test('of version 1 lacks what that knew nothing of', async () => {
    const path = oldStore();
    const db = new Database(path);
    db.exec('DROP TABLE exemplar; DROP TABLE metadata; DROP TABLE delivery; PRAGMA user_version = 1');
    db.close();
    const { stores } = await open(path);
    expect(stores[0]!.stats().series).toBe(10);
    expect([...stores[0]!.metadata()]).toEqual([]);
  });

  test('is refused unchanged when it is newer', async () => {
    const path = oldStore();
    const db = new Database(path);
    db.pragma('user_version = 3');
    db.close();
    const before = readFileSync(path);
    await expect(open(path)).rejects.toMatchObject({ code: 'bad_config', message: /newer program/ });
    expect(existsSync(`${path}.upgrading`)).toBe(false);
    expect(readFileSync(path)).toEqual(before);
  });

  test('is finished by the next start when one was cut short', async () => {
    const path = oldStore();
    const first = await open(path);
    await first.close();
    opened.pop();
    // As if killed between the two renamings.
    renameSync(path, `${path}.upgrading`);
    copyFileSync(FIXTURE, `${path}.version-2`);
    const { stores } = await open(path);
    expect(stores[0]!.stats().series).toBe(10);
    expect(existsSync(`${path}.version-2`)).toBe(false);
    expect(existsSync(`${path}.upgrading`)).toBe(false);
  });
});
