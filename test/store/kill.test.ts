import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { histogramAt } from '../../src/model/histogram.ts';
import { openStore } from '../../src/store/store.ts';
import { randomFrom } from '../random.ts';
import { storePath } from './samples.ts';

const CHILD = fileURLToPath(new URL('kill-child.ts', import.meta.url));
const KILLS = 5;
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Lets the child append from batch `first` on, kills it after some time and returns the last batch it acknowledged. */
async function appendUntilKilled(path: string, first: number, lifeMs: number): Promise<number> {
  const child = spawn(process.execPath, [CHILD, path, `${first}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    // The clock starts with the first batch, so that a slow start does not turn the kill into one before any work.
    if (output === '') setTimeout(() => child.kill('SIGKILL'), lifeMs);
    output += text;
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1));
}

test(`every acknowledged batch survives kill -9, once (SEED=${SEED})`, { timeout: 60_000 }, async () => {
  const random = randomFrom(SEED).next;
  const path = storePath();
  let stored = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const acknowledged = await appendUntilKilled(path, stored + 1, random() * 400);
    expect(acknowledged).toBeGreaterThan(stored);
    stored = checkStore(path, acknowledged);
  }
});

/** Checks that batches 1 to n are stored whole and once, n being the last acknowledged one or the one after; returns n. */
function checkStore(path: string, acknowledged: number): number {
  const problems: unknown[] = [];
  const store = openStore({ path, onProblem: (problem) => problems.push(problem) });
  const columns = [...store.select([], -Infinity, Infinity)];
  const exemplars = [...store.exemplars([], 0, Infinity)].flatMap((one) => one.exemplars);
  store.close();
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
  const histogram = columns.find((one) => one.labels.includes('histogram'))!;
  expect([...histogram.times]).toEqual([999, ...times]);
  const histogramCounts = Array.from(histogram.times, (_, i) => histogramAt(histogram.histograms!, i).count);
  expect(histogramCounts).toEqual([0, ...numbers]);
  expect(exemplars.map(({ value }) => value)).toEqual(numbers);
  const newcomers = columns.filter((one) => one.labels.includes('newcomer'));
  expect(newcomers.map((one) => one.values[0]).sort((a, b) => a! - b!)).toEqual(numbers);
  return batches;
}
