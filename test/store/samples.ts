import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openDatabase, type SqliteDatabase } from '../../src/base/sqlite.ts';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../src/model/histogram.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { Source } from '../../src/model/source.ts';

/** Files there cost no flush to a disk, which is most of what many small stores take. */
const IN_MEMORY = '/dev/shm';

/** A path for a store in a folder of its own that goes when the test ends. */
export function storePath(): string {
  const folder = mkdtempSync(join(existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir(), 'comity-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'store');
}

/**
 * One series as text: labels, then each sample as time, what `printFloat` or `printHistogram` says, and its start if that
 * is known.
 */
function printSeries({ labels, times, values, histograms, startTimes }: SeriesColumns): string {
  const samples = Array.from(times, (time, i) => {
    const sample = isHistogramAt(histograms, i) ? printHistogram(histogramAt(histograms, i)) : printFloat(values, i);
    return printSample(time, sample, (typeof startTimes === 'number' ? startTimes : startTimes?.[i]) ?? 0);
  });
  return `${labels.join(',')}: ${samples.join(' ')}`;
}

export function printSample(timeMs: number, sample: string, startMs: number): string {
  return `${timeMs}=${sample}${startMs === 0 ? '' : `@${startMs}`}`;
}

/** The bits of a value, so that NaNs and zeros differ as they do. */
export function printFloat(values: Float64Array, at: number): string {
  return new BigUint64Array(values.slice(at, at + 1).buffer)[0]!.toString(16);
}

export function printHistogram({ layout, hint, count, sum, zeroCount, positive, negative }: NativeHistogram): string {
  const side = (indexes: Int32Array, counts: Float64Array): string =>
    Array.from(indexes, (index, i) => `${index}:${counts[i]}`).join(',');
  const buckets = [side(layout.positive, positive), side(layout.negative, negative), layout.bounds.join(',')];
  return `h${layout.schema}/${layout.zeroThreshold}/${hint}/${count}/${sum}/${zeroCount}[${buckets.join('|')}]`;
}

/** The series with samples in the range, in order of their texts. */
export function printSelect(source: Source, matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
  return [...source.select(matchers, fromMs, toMs)]
    .filter(({ times }) => times.length > 0)
    .map(printSeries)
    .sort();
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

/** Changes a file of a closed store behind its back. */
export function tamper(path: string, file: string, change: (db: SqliteDatabase) => void): void {
  const kind = file === HEAD ? 'CmHd' : file.startsWith('log-') ? 'CmLg' : 'CmPt';
  const db = openDatabase(join(path, file), { durability: 'process', kind, migrations: [''] });
  change(db);
  db.close();
}

export const HEAD = 'head.sqlite';

/** The names of a store's files: of its logs, or of its days. */
export function filesOf(path: string, which: 'logs' | 'days'): string[] {
  const pattern = which === 'logs' ? /^log-\d+\.sqlite$/ : /^\d{4}-\d\d-\d\d\.sqlite$/;
  return readdirSync(path)
    .filter((file) => pattern.test(file))
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
}

/** A copy of an open store's folder as the end of the process would leave it. */
export function asCrashed(path: string): string {
  const copy = storePath();
  cpSync(path, copy, { recursive: true });
  return copy;
}

/** A body with one byte changed. */
export const FLIP = `CAST(
  substr(body, 1, 40) || CASE substr(body, 41, 1) WHEN x'ff' THEN x'00' ELSE x'ff' END || substr(body, 42) AS BLOB
)`;

export function bitsOf(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0]!;
}

export const STALE_BITS = 0x7ff0000000000002n;
