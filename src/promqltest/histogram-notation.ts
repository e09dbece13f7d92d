import { CUSTOM_BUCKETS, GAUGE, NOT_RESET, RESET, RESET_UNKNOWN, type NativeHistogram } from '../model/histogram.ts';
import { formatFloat } from '../base/numbers.ts';
import { integerAt, numberAt } from './number-notation.ts';
import type { Scanner } from './scanner.ts';
import { failAt } from './script-line.ts';

export interface WrittenHistogram {
  readonly histogram: NativeHistogram;
  readonly hintGiven: boolean;
}

export function startsHistogram({ line, at }: Scanner): boolean {
  return line.text.startsWith('{{', at);
}

/**
 * `{{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.001 buckets:[1 2] offset:1 n_buckets:[1] n_offset:0
 * custom_values:[5 10] counter_reset_hint:gauge}}`, every part of it optional. `buckets` are the counts from the index
 * `offset` on. Throws `ScriptError`.
 */
export function parseHistogram(scan: Scanner): WrittenHistogram {
  const parts: Parts = new Map();
  scan.accept('{{');
  for (;;) {
    scan.take(SPACES);
    if (scan.accept('}}')) break;
    parsePart(scan, parts);
    if (scan.line.text[scan.at] !== ' ' && !scan.line.text.startsWith('}}', scan.at)) scan.expected('a space or "}}"');
  }
  const number = (key: string): number => parts.get(key)?.[0] ?? 0;
  const positive = bucketsOf(parts, 'buckets', 'offset');
  const negative = bucketsOf(parts, 'n_buckets', 'n_offset');
  const histogram: NativeHistogram = {
    layout: {
      schema: number('schema'),
      zeroThreshold: number('z_bucket_w'),
      positive: positive.indexes,
      negative: negative.indexes,
      bounds: Float64Array.from(parts.get('custom_values') ?? []),
    },
    hint: number(HINT),
    count: number('count'),
    sum: number('sum'),
    zeroCount: number('z_bucket'),
    positive: positive.counts,
    negative: negative.counts,
  };
  return { histogram, hintGiven: parts.has(HINT) };
}

/** The histogram in the notation that `parseHistogram` reads; buckets without observations at the ends are left out. */
export function printHistogram({ layout, hint, count, sum, zeroCount, positive, negative }: NativeHistogram): string {
  const parts: string[] = [];
  const add = (key: string, value: number): void => {
    if (value !== 0) parts.push(`${key}:${formatFloat(value)}`);
  };
  add('schema', layout.schema);
  add('count', count);
  add('sum', sum);
  add('z_bucket', zeroCount);
  add('z_bucket_w', layout.zeroThreshold);
  if (layout.schema === CUSTOM_BUCKETS) parts.push(`custom_values:${printNumbers([...layout.bounds])}`);
  const hintName = [...HINTS].find(([, value]) => value === hint)?.[0];
  if (hint !== RESET_UNKNOWN && hintName !== undefined) parts.push(`${HINT}:${hintName}`);
  printBuckets(parts, '', layout.positive, positive);
  printBuckets(parts, 'n_', layout.negative, negative);
  return `{{${parts.join(' ')}}}`;
}

type Parts = Map<string, readonly number[]>;

const HINT = 'counter_reset_hint';
const HINTS: ReadonlyMap<string, number> = new Map([
  ['unknown', RESET_UNKNOWN],
  ['reset', RESET],
  ['not_reset', NOT_RESET],
  ['gauge', GAUGE],
]);
const INTEGERS: ReadonlySet<string> = new Set(['schema', 'offset', 'n_offset']);
const NUMBERS: ReadonlySet<string> = new Set(['sum', 'count', 'z_bucket', 'z_bucket_w']);
const LISTS: ReadonlySet<string> = new Set(['buckets', 'n_buckets', 'custom_values']);
const KEYS = [...INTEGERS, ...NUMBERS, ...LISTS, HINT];

const SPACES = / +/y;
const WORD = /[a-z_]+/iy;

function parsePart(scan: Scanner, parts: Parts): void {
  const start = scan.at;
  const key = (scan.take(WORD) ?? scan.expected(`one of ${KEYS.join(', ')}, or "}}"`)).toLowerCase();
  if (!KEYS.includes(key)) failAt(scan.line, start, `a histogram has no ${key}; it has ${KEYS.join(', ')}`);
  if (parts.has(key)) failAt(scan.line, start, `${key} is given twice in a histogram`);
  if (!scan.accept(':')) scan.expected(`":" after ${key}`);
  parts.set(key, parseValue(scan, key));
}

function parseValue(scan: Scanner, key: string): readonly number[] {
  if (INTEGERS.has(key)) return [integerAt(scan)];
  if (NUMBERS.has(key)) return [numberAt(scan, 'a number')];
  if (LISTS.has(key)) return parseNumbers(scan);
  const hint = HINTS.get((scan.take(WORD) ?? '').toLowerCase());
  return [hint ?? scan.expected(`one of ${[...HINTS.keys()].join(', ')} as ${HINT}`)];
}

/** `[1 2 3]` */
function parseNumbers(scan: Scanner): readonly number[] {
  if (!scan.accept('[')) scan.expected('a list of numbers such as [1 2 3]');
  const numbers: number[] = [];
  do {
    scan.take(SPACES);
    numbers.push(numberAt(scan, 'a number'));
    scan.take(SPACES);
  } while (!scan.accept(']'));
  return numbers;
}

/** What lies between indexes is counted in 32 bits. */
const INDEX_MAX = 2 ** 31 - 1;

function bucketsOf(parts: Parts, key: string, offsetKey: string): { indexes: Int32Array; counts: Float64Array } {
  const counts = Float64Array.from(parts.get(key) ?? []);
  const offset = Math.min(parts.get(offsetKey)?.[0] ?? 0, INDEX_MAX - counts.length);
  return { indexes: Int32Array.from(counts.keys(), (i) => offset + i), counts };
}

function printBuckets(parts: string[], prefix: string, indexes: Int32Array, counts: Float64Array): void {
  const first = counts.findIndex((count) => count !== 0);
  if (first < 0) return;
  const last = counts.findLastIndex((count) => count !== 0);
  const offset = indexes[first] ?? 0;
  const length = (indexes[last] ?? 0) - offset + 1;
  if (offset !== 0) parts.push(`${prefix}offset:${offset}`);
  if (length > PRINTED_MAX) {
    parts.push(
      `${prefix}buckets:[${length} from ${formatFloat(counts[first] ?? 0)} to ${formatFloat(counts[last] ?? 0)}]`,
    );
    return;
  }
  const dense = Array.from({ length }, () => 0);
  for (let i = first; i <= last; i++) dense[(indexes[i] ?? 0) - offset] = counts[i] ?? 0;
  parts.push(`${prefix}buckets:${printNumbers(dense)}`);
}

/** More buckets than anyone would read. */
const PRINTED_MAX = 200;

function printNumbers(numbers: readonly number[]): string {
  return `[${numbers.map(formatFloat).join(' ')}]`;
}
