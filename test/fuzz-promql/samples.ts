import type { WriteHistogram } from '../wire/remote-write-requests.ts';

/** One sample; `startMs` is when its counter started, where that is known. */
export interface Sample {
  readonly timeMs: number;
  readonly value: number | 'stale' | Histogram;
  readonly startMs?: number;
}

/** A native histogram by bucket index; `bounds` are there for custom buckets alone. */
export interface Histogram {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly sum: number;
  readonly positive: ReadonlyMap<number, number>;
  readonly negative: ReadonlyMap<number, number>;
  readonly bounds: readonly number[];
  readonly isGauge: boolean;
}

/** What a metric is good for in a query. */
export type Content = 'counter' | 'gauge' | 'histogram' | 'gauge-histogram' | 'mixed' | 'classic' | 'info';

export interface Series {
  /** Without the domain label. */
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly Sample[];
  /** What holds it, and makes that a label of it. */
  readonly domain: string;
}

/** The domain of an agent that is asked alone. */
export const DOMAIN = 'eu';

/** The labels under which a federation has the series. */
export function federatedLabels({ labels, domain }: Series): Readonly<Record<string, string>> {
  return { ...labels, domain };
}

export const CUSTOM_SCHEMA = -53;

export function observations({ zeroCount, positive, negative }: Histogram): number {
  let count = zeroCount;
  for (const bucket of [...negative.values(), ...positive.values()]) count += bucket;
  return count;
}

/** A histogram as a message of remote write: counts as integers where all of them are. */
export function histogramMessage(histogram: Histogram, timestamp: number): WriteHistogram {
  const { schema, zeroThreshold, zeroCount, sum, positive, negative, bounds, isGauge } = histogram;
  const [positiveSpans, positiveCounts] = spans(positive);
  const [negativeSpans, negativeCounts] = spans(negative);
  const base = { sum, schema, zeroThreshold, timestamp, positiveSpans, negativeSpans, customValues: bounds };
  const hinted = isGauge ? { ...base, resetHint: 3 } : base;
  const count = observations(histogram);
  if ([count, zeroCount, ...positiveCounts, ...negativeCounts].every(Number.isSafeInteger)) {
    const deltas = { positiveDeltas: differences(positiveCounts), negativeDeltas: differences(negativeCounts) };
    return { ...hinted, ...deltas, countInt: count, zeroCountInt: zeroCount };
  }
  return { ...hinted, positiveCounts, negativeCounts, countFloat: count, zeroCountFloat: zeroCount };
}

/** Runs of neighbouring buckets: each run's distance from the end of the one before, the first from zero. */
function spans(buckets: ReadonlyMap<number, number>): [{ offset: number; length: number }[], number[]] {
  const found: { offset: number; length: number }[] = [];
  const counts: number[] = [];
  let end = 0;
  for (const [index, count] of [...buckets].sort(([a], [b]) => a - b)) {
    const last = found.at(-1);
    if (last !== undefined && index === end) last.length++;
    else found.push({ offset: index - end, length: 1 });
    counts.push(count);
    end = index + 1;
  }
  return [found, counts];
}

function differences(counts: readonly number[]): number[] {
  return counts.map((count, i) => count - (counts[i - 1] ?? 0));
}

/** A series as a person reads it: labels, then seconds after `startMs` and the sample. */
export function describeSeries(series: Series, startMs: number): string {
  const { __name__: name = '', ...others } = federatedLabels(series);
  const pairs = Object.entries(others).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  const points = series.samples.map(({ timeMs, value, startMs: since }) => {
    const started = since === undefined ? '' : `(since ${(since - startMs) / 1000})`;
    return `${(timeMs - startMs) / 1000}:${describeSample(value)}${started}`;
  });
  return `${name}{${pairs.join(',')}} ${points.join(' ')}`;
}

function describeSample(value: Sample['value']): string {
  if (typeof value !== 'object') return String(value);
  const { schema, zeroThreshold, zeroCount, sum, positive, negative, bounds, isGauge } = value;
  const side = (buckets: ReadonlyMap<number, number>): string => [...buckets].map((pair) => pair.join('→')).join(' ');
  const parts = [`schema:${schema} sum:${sum}`];
  if (zeroThreshold !== 0 || zeroCount !== 0) parts.push(`z:${zeroCount}≤${zeroThreshold}`);
  if (bounds.length > 0) parts.push(`bounds:${bounds.join(' ')}`);
  if (positive.size > 0) parts.push(`+[${side(positive)}]`);
  if (negative.size > 0) parts.push(`-[${side(negative)}]`);
  if (isGauge) parts.push('gauge');
  return `{{${parts.join(' ')}}}`;
}
