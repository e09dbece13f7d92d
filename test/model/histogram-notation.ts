import {
  CUSTOM_BUCKETS,
  GAUGE,
  NOT_RESET,
  RESET,
  RESET_UNKNOWN,
  type NativeHistogram,
} from '../../src/model/histogram.ts';
import type { Random } from '../random.ts';

const HINTS = new Map([
  ['', RESET_UNKNOWN],
  ['reset', RESET],
  ['kept', NOT_RESET],
  ['gauge', GAUGE],
]);

/**
 * `schema/threshold/zeroCount [positive] [negative]`, or `bounds [positive]`, with buckets as `index:count`; behind them
 * may stand ` #count`, ` =sum` and one of ` reset`, ` kept` and ` gauge`. The count is by default that of the buckets, the
 * sum three times the count.
 */
export function parse(text: string): NativeHistogram {
  const [, head = '', positiveText = '', , negativeText = '', , countText, , sumText, hintText] =
    /^(\S*) \[([^\]]*)\]( \[([^\]]*)\])?( #(\S+))?( =(\S+))?(?: (\w+))?$/.exec(text) ?? [];
  const [positiveIndexes, positive] = side(positiveText);
  const [negativeIndexes, negative] = side(negativeText);
  const isCustom = !head.includes('/');
  const [schema, zeroThreshold, zeroCount] = isCustom ? [CUSTOM_BUCKETS, 0, 0] : head.split('/').map(Number);
  const count = countText === undefined ? zeroCount! + total(positive) + total(negative) : Number(countText);
  return {
    layout: {
      schema: schema!,
      zeroThreshold: zeroThreshold!,
      positive: positiveIndexes,
      negative: negativeIndexes,
      bounds: isCustom ? Float64Array.from(head.split(',').filter(Boolean), Number) : new Float64Array(0),
    },
    hint: HINTS.get(hintText ?? '')!,
    count,
    sum: sumText === undefined ? count * 3 : Number(sumText),
    zeroCount: zeroCount!,
    positive,
    negative,
  };
}

/** The buckets of a histogram in the notation of `parse`. */
export function print({ layout, zeroCount, positive, negative }: NativeHistogram): string {
  const list = (indexes: Int32Array, counts: Float64Array): string =>
    `[${Array.from(indexes, (index, i) => `${index}:${number(counts[i]!)}`).join(' ')}]`;
  const head =
    layout.schema === CUSTOM_BUCKETS
      ? layout.bounds.join(',')
      : `${layout.schema}/${layout.zeroThreshold}/${number(zeroCount)}`;
  const buckets = `${head} ${list(layout.positive, positive)}`;
  return layout.negative.length === 0 ? buckets : `${buckets} ${list(layout.negative, negative)}`;
}

/** `print` with the count, the sum and the hint. */
export function printAll(histogram: NativeHistogram): string {
  const hint = [...HINTS].find(([, value]) => value === histogram.hint)![0];
  return `${print(histogram)} #${number(histogram.count)} =${number(histogram.sum)}${hint && ` ${hint}`}`;
}

export function total(counts: Float64Array): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Histograms of one kind; exponential ones may differ in schema and threshold, custom ones in bounds. */
export function randomHistogram(random: Random, isCustom: boolean, count: (random: Random) => number): NativeHistogram {
  const bounds = isCustom ? Float64Array.from(random.subset([-2, 0, 0.5, 1, 2, 4, 8], 0.7)) : new Float64Array(0);
  const indexes = (): Int32Array => Int32Array.from(random.subset([-6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 7], 0.4));
  const positive = isCustom ? Int32Array.from(random.subset([...bounds.keys(), bounds.length], 0.7)) : indexes();
  const negative = isCustom || random.chance(0.5) ? new Int32Array(0) : indexes();
  const zeroThreshold = isCustom ? 0 : random.pick([0, 0.001, 0.5, 1, 1.3]);
  const counts = [positive, negative].map((list) => Float64Array.from(list, () => count(random)));
  const zeroCount = isCustom ? 0 : count(random);
  return {
    layout: { schema: isCustom ? CUSTOM_BUCKETS : random.int(-2, 3), zeroThreshold, positive, negative, bounds },
    hint: random.int(RESET_UNKNOWN, GAUGE),
    count: zeroCount + total(counts[0]!) + total(counts[1]!),
    sum: random.int(-50, 50),
    zeroCount,
    positive: counts[0]!,
    negative: counts[1]!,
  };
}

/** Buckets by index, in a space-separated list of `index:count`. */
function side(text: string): [indexes: Int32Array, counts: Float64Array] {
  const pairs = text === '' ? [] : text.split(' ').map((pair) => pair.split(':').map(Number));
  return [Int32Array.from(pairs, ([index]) => index!), Float64Array.from(pairs, ([, count]) => count!)];
}

function number(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
