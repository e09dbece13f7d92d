import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Matcher } from '../../src/model/matcher.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { Source } from '../../src/model/source.ts';

/** A path for a database in a folder of its own that goes when the test ends. */
export function storePath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'comity-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'store.db');
}

/** One series as text: labels, then each sample as time and the value's bits, so that NaNs and zeros differ as they do. */
function printSeries(columns: SeriesColumns): string {
  const bits = new BigUint64Array(columns.values.slice().buffer);
  const samples = Array.from(columns.times, (time, i) => `${time}=${bits[i]!.toString(16)}`);
  return `${columns.labels.join(',')}: ${samples.join(' ')}`;
}

export function printSelect(source: Source, matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
  return [...source.select(matchers, fromMs, toMs)].map(printSeries);
}

/** Everything that a store holds. */
export function printAll(source: Source): string[] {
  return printSelect(source, [], Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
}

/** The samples of the only series that has this metric name, `time:value` each. */
export function readable(source: Source, metric: string): string {
  const found = [...source.select([{ name: '__name__', op: '=', value: metric }], -Infinity, Infinity)];
  return found.map((one) => Array.from(one.times, (time, i) => `${time}:${one.values[i]}`).join(' ')).join(' | ');
}

export function bitsOf(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0]!;
}

export const STALE_BITS = 0x7ff0000000000002n;

/** A generator of numbers in [0, 1) (mulberry32); the same seed gives the same numbers. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
