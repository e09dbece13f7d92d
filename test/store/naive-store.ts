import { LIMITS } from '../../src/base/limits.ts';
import { ADD_ONCE, SET, type Batch } from '../../src/model/batch.ts';
import { compareLabels, labelValue, labelsKey, type Labels } from '../../src/model/labels.ts';
import { matcherTest, type Matcher } from '../../src/model/matcher.ts';
import { bitsOf, STALE_BITS } from './samples.ts';

/** Sums that are not a number are stored with these bits. */
const PLAIN_NAN_BITS = 0x7ff8000000000000n;

interface NaiveSeries {
  readonly labels: Labels;
  /** Time and the value's bits. */
  readonly samples: [number, bigint][];
  base: number;
}

/** The row rules and the matchers once more, written for plainness: one row after the other, nothing indexed. */
export function naiveStore() {
  const all = new Map<string, NaiveSeries>();

  return {
    append,
    print,
    labelsIn,
    samples: () => [...all.values()].reduce((sum, one) => sum + one.samples.length, 0),
  };

  function append(batch: Batch, nowMs: number): Record<string, number> {
    const outcome: Record<string, number> = { stored: 0, repeated: 0 };
    const bits = new BigUint64Array(batch.values.slice().buffer);
    /** Label sets whose last sample this batch has written, or has said once more. */
    const touched = new Set<string>();
    for (let row = 0; row < batch.times.length; row++) {
      const labels = batch.series[batch.seriesOf[row]!]!;
      const key = labelsKey(labels);
      const series = all.get(key) ?? { labels, samples: [], base: 0 };
      const verdict = put(
        series,
        batch.times[row]!,
        bits[row]!,
        batch.values[row]!,
        batch.modes[row]!,
        nowMs,
        touched.has(key),
      );
      if (verdict === 'stored' || (verdict === 'repeated' && batch.modes[row] === ADD_ONCE && bits[row] !== STALE_BITS))
        touched.add(key);
      outcome[verdict] = (outcome[verdict] ?? 0) + 1;
      if (series.samples.length > 0) all.set(key, series);
    }
    return outcome;
  }

  function put(
    series: NaiveSeries,
    timeMs: number,
    bits: bigint,
    value: number,
    mode: number,
    nowMs: number,
    isTouched: boolean,
  ): string {
    if (Number.isNaN(timeMs) || timeMs > nowMs + LIMITS.futureMs) return 'too_far_in_future';
    const last = series.samples.at(-1);
    if (mode === SET || bits === STALE_BITS) {
      if (last !== undefined && timeMs < last[0]) return 'out_of_order';
      if (last !== undefined && timeMs === last[0]) return last[1] === bits ? 'repeated' : 'duplicate_timestamp';
      series.samples.push([timeMs, bits]);
      if (bits !== STALE_BITS) series.base = value;
      return 'stored';
    }
    if (mode === ADD_ONCE && last !== undefined && timeMs <= last[0]) {
      if (timeMs < last[0]) return 'out_of_order';
      return isTouched || last[1] === STALE_BITS ? 'duplicate_timestamp' : 'repeated';
    }
    if (last === undefined) series.samples.push([timeMs - 1, 0n]);
    series.base += value;
    const sumBits = Number.isNaN(series.base) ? PLAIN_NAN_BITS : bitsOf(series.base);
    if (last !== undefined && timeMs <= last[0]) last[1] = sumBits;
    else series.samples.push([timeMs, sumBits]);
    return 'stored';
  }

  function matching(matchers: readonly Matcher[]): NaiveSeries[] {
    return [...all.values()]
      .filter((one) => matchers.every((matcher) => matcherTest(matcher)(labelValue(one.labels, matcher.name))))
      .sort((a, b) => compareLabels(a.labels, b.labels));
  }

  /** As `printSelect`. */
  function print(matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
    return matching(matchers).map((one) => {
      const within = one.samples.filter(([time]) => time >= fromMs && time <= toMs);
      return `${one.labels.join(',')}: ${within.map(([time, bits]) => `${time}=${bits.toString(16)}`).join(' ')}`;
    });
  }

  /** The label sets with a sample in the range. */
  function labelsIn(matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
    return matching(matchers)
      .filter((one) => one.samples.some(([time]) => time >= fromMs && time <= toMs))
      .map((one) => one.labels.join(','));
  }
}
