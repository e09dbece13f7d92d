import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { histogramAt } from '../../src/model/histogram.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { randomFrom } from '../random.ts';
import { DELETED_BEFORE, DELETION_EVERY, joinedTotals } from './kill-rules.ts';
import { storePath } from './samples.ts';

const CHILD = fileURLToPath(new URL('kill-child.ts', import.meta.url));
const KILLS = Number(process.env['ROUNDS'] ?? 6);
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Lets the child append from batch `first` on, kills it after some time and returns the last batch it acknowledged. `deleted` gets the series whose deletion it acknowledged. */
async function appendUntilKilled(path: string, first: number, lifeMs: number, deleted: Set<number>): Promise<number> {
  const child = spawn(process.execPath, [CHILD, path, `${first}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    // The clock starts with the first batch, so that a slow start does not turn the kill into one before any work.
    if (output === '') setTimeout(() => child.kill('SIGKILL'), lifeMs);
    output += text;
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n');
  for (const line of lines) if (line.startsWith('d ')) deleted.add(Number(line.slice(2)));
  return Number(lines.findLast((line) => !line.startsWith('d ')));
}

test(
  `every acknowledged batch survives kill -9, once, and no deleted series comes back (SEED=${SEED})`,
  { timeout: KILLS * 15_000 },
  async () => {
    const random = randomFrom(SEED).next;
    const path = storePath();
    let stored = 0;
    const deleted = new Set<number>();
    for (let kill = 0; kill < KILLS; kill++) {
      const acknowledged = await appendUntilKilled(path, stored + 1, random() * 400, deleted);
      expect(acknowledged).toBeGreaterThan(stored);
      stored = await checkStore(path, acknowledged, deleted);
    }
  },
);

/**
 * Checks that batches 1 to n are stored whole and once, n being the last acknowledged one or the one after, and nothing of what
 * was deleted; returns n.
 */
async function checkStore(path: string, acknowledged: number, deleted: Set<number>): Promise<number> {
  const batches = checkHeld(path, acknowledged, deleted, (store) => store.close());
  // And once more when all of it has been moved.
  const store = openStore({ path });
  await store.compact();
  store.close();
  checkHeld(path, batches, deleted, (again) => {
    // The zeros before what is counted, and two samples of the series out of order, are samples as well.
    const held = [...again.select([], -Infinity, Infinity)].reduce((sum, { times }) => sum + times.length, 0);
    expect(again.stats()).toMatchObject({ samples: held, quarantined: 0 });
    again.close();
  });
  return batches;
}

function checkHeld(path: string, acknowledged: number, deleted: Set<number>, end: (store: Store) => void): number {
  const problems: unknown[] = [];
  const store = openStore({ path, onProblem: (problem) => problems.push(problem) });
  const columns = [...store.select([], -Infinity, Infinity)].filter(({ times }) => times.length > 0);
  const exemplars = [...store.exemplars([], 0, Infinity)].flatMap((one) => one.exemplars);
  end(store);
  expect(problems).toEqual([]);

  const counter = columns.filter((one) => one.labels.includes('counter'));
  expect(counter).toHaveLength(1);
  const batches = counter[0]!.times.length - 1;
  expect(batches - acknowledged).toBeOneOf([0, 1]);
  const numbers = Array.from({ length: batches }, (_, i) => i + 1);
  const times = numbers.map((n) => n * 1_000);
  expect([...counter[0]!.times]).toEqual([999, ...times]);
  expect([...counter[0]!.values]).toEqual([0, ...numbers]);

  const gauges = columns.filter((one) => one.labels.includes('gauge'));
  expect(gauges).toHaveLength(50);
  for (const gauge of gauges) {
    expect([...gauge.times]).toEqual(times);
    expect([...gauge.values]).toEqual(numbers);
  }
  const joined = columns.filter((one) => one.labels.includes('joined'));
  expect(joined).toHaveLength(1);
  expect([...joined[0]!.times]).toEqual([999, ...times]);
  expect([...joined[0]!.values]).toEqual([0, ...joinedTotals(batches)]);
  const histogram = columns.find((one) => one.labels.includes('histogram'))!;
  expect([...histogram.times]).toEqual([999, ...times]);
  const histogramCounts = Array.from(histogram.times, (_, i) => histogramAt(histogram.histograms!, i).count);
  expect(histogramCounts).toEqual([0, ...numbers]);
  expect(exemplars.map(({ value }) => value)).toEqual(numbers);
  const jumbled = columns.find((one) => one.labels.includes('jumbled'))!;
  const samples = numbers.flatMap((n): [number, number][] => [
    [n * 1_000, n],
    [n * 1_000 - 1_500, -n],
  ]);
  samples.sort(([a], [b]) => a - b);
  expect(Array.from(jumbled.times, (time, i) => [time, jumbled.values[i]])).toEqual(samples);
  const newcomers = columns.filter((one) => one.labels.includes('newcomer')).map((one) => one.values[0]!);
  // The deletion that the last batch brought may have been done without being said.
  const asked = batches % DELETION_EVERY === 0 ? batches - DELETED_BEFORE : 0;
  const unsaid = deleted.has(asked) || newcomers.includes(asked) ? 0 : asked;
  if (unsaid !== 0) deleted.add(unsaid);
  const left = numbers.filter((n) => !deleted.has(n));
  expect(newcomers.sort((a, b) => a - b)).toEqual(left);
  return batches;
}
