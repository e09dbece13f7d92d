import { LIMITS } from '../../src/base/limits.ts';
import { ADD_ONCE, BESIDE, CONTINUES, SET, type Batch, type Exemplar, type Metadata } from '../../src/model/batch.ts';
import { addHistograms, canAdd, zeroHistogram } from '../../src/model/histogram-add.ts';
import { histogramAt, isHistogramAt, RESET, RESET_UNKNOWN, type NativeHistogram } from '../../src/model/histogram.ts';
import { compareLabels, labelValue, labelsKey, type Labels } from '../../src/model/labels.ts';
import { matcherTest, type Matcher } from '../../src/model/matcher.ts';
import { bitsOf, printFloat, printHistogram, printSample, STALE_BITS } from './samples.ts';

/** Sums that are not a number are stored with these bits. */
const PLAIN_NAN_BITS = 0x7ff8000000000000n;

interface NaiveSample {
  time: number;
  /** The bits of a float, as hexadecimal digits, or a histogram. */
  sample: string | NativeHistogram;
  start: number;
}

interface NaiveSeries {
  readonly labels: Labels;
  readonly samples: NaiveSample[];
  /** The last float or histogram that is no marker. */
  base: number | NativeHistogram;
  readonly exemplars: Exemplar[];
}

interface Row {
  readonly time: number;
  readonly sample: string | NativeHistogram;
  readonly value: number;
  readonly mode: number;
  readonly start: number;
}

const STALE = STALE_BITS.toString(16);

/** The row rules and the matchers once more, written for plainness: one row after the other, nothing indexed. */
export function naiveStore(options: { seriesLimit: number; metricSeriesLimit: number }) {
  const all = new Map<string, NaiveSeries>();
  /** What of each was rejected, for each reason. */
  const deliveries = new Map<string, Record<string, number>>();
  const families = new Map<string, Metadata>();

  return {
    append,
    /** The store keeps of deliveries no more than that they were. */
    reopened: () => {
      for (const delivery of deliveries.keys()) deliveries.set(delivery, {});
    },
    print,
    printExemplars,
    metadata: () => [...families.values()],
    labelsIn,
    samples: () => [...all.values()].reduce((sum, one) => sum + one.samples.length, 0),
  };

  function append(batch: Batch, nowMs: number): Record<string, number> {
    const outcome: Record<string, number> = { stored: 0, repeated: 0, histograms: 0, exemplars: 0 };
    const points = pointsOf(batch);
    const before = batch.delivery === undefined ? undefined : deliveries.get(batch.delivery);
    if (before !== undefined) {
      const sent = points.filter(([row]) => batch.continues?.[row!] !== BESIDE);
      const lost = Object.values(before).reduce((sum, count) => sum + count, 0);
      Object.assign(outcome, before, { repeated: sent.length - lost });
      outcome['histograms'] = sent.filter(([row]) => isHistogramAt(batch.histograms, row!)).length;
      outcome['exemplars'] = batch.exemplars.length;
      return outcome;
    }
    /** Label sets whose last sample this batch has written, or has said once more. */
    const touched = new Set<string>();
    let anyStored = false;
    for (const rows of points) {
      const verdicts = [...putPoint(batch, rows, nowMs, touched)];
      anyStored ||= verdicts.includes('stored');
      if (batch.continues?.[rows[0]!] === BESIDE) continue;
      const bad = verdicts.find((verdict) => verdict !== 'stored' && verdict !== 'repeated');
      const verdict = bad ?? (verdicts.includes('stored') ? 'stored' : 'repeated');
      outcome[verdict] = (outcome[verdict] ?? 0) + 1;
      if (bad === undefined && isHistogramAt(batch.histograms, rows[0]!)) outcome['histograms']!++;
    }
    for (const exemplar of batch.exemplars) outcome['exemplars']! += putExemplar(batch, exemplar, nowMs) ? 1 : 0;
    for (const metadata of batch.metadata) putMetadata(metadata);
    if (batch.delivery !== undefined && anyStored) {
      const { stored: _s, repeated: _r, histograms: _h, exemplars: _e, ...lost } = outcome;
      deliveries.set(batch.delivery, lost);
    }
    return outcome;
  }

  function* putPoint(batch: Batch, rows: readonly number[], nowMs: number, touched: Set<string>): Iterable<string> {
    const fresh = new Map<string, Labels>();
    for (const row of rows) {
      const { labels } = batch.series[batch.seriesOf[row]!]!;
      const valid = !Number.isNaN(batch.times[row]!) && batch.times[row]! <= nowMs + LIMITS.futureMs;
      if (!valid || all.has(labelsKey(labels)) || fresh.has(labelsKey(labels))) continue;
      if (all.size + fresh.size >= options.seriesLimit) {
        yield 'series_limit';
        return;
      }
      const metric = labelValue(labels, '__name__');
      const ofMetric = [...all.values(), ...[...fresh.values()].map((one) => ({ labels: one }))].filter(
        (one) => labelValue(one.labels, '__name__') === metric,
      );
      if (ofMetric.length >= options.metricSeriesLimit) {
        yield 'metric_series_limit';
        return;
      }
      fresh.set(labelsKey(labels), labels);
    }
    const whole = rows.length > 1 ? saidBefore(batch, rows, touched) : undefined;
    if (whole !== undefined) {
      if (whole === 'repeated')
        for (const row of rows) touched.add(labelsKey(batch.series[batch.seriesOf[row]!]!.labels));
      yield whole;
      return;
    }
    for (const row of rows) {
      if (rows.length > 1 && isAddition(batch, row) && !isHistogramAt(batch.histograms, row)) {
        if (!Number.isFinite(batch.values[row]!)) continue;
      }
      const { labels } = batch.series[batch.seriesOf[row]!]!;
      const key = labelsKey(labels);
      const series = all.get(key) ?? { labels, samples: [], base: 0, exemplars: [] };
      const sample = isHistogramAt(batch.histograms, row)
        ? histogramAt(batch.histograms, row)
        : printFloat(batch.values, row);
      const verdict = put(series, rowOf(batch, row), nowMs, touched.has(key));
      const said = verdict === 'repeated' && batch.modes[row] === ADD_ONCE && sample !== STALE;
      if (verdict === 'stored' || said) touched.add(key);
      if (series.samples.length > 0) all.set(key, series);
      yield verdict;
    }
  }

  /** What becomes of a whole point for a row of it that is to be added once and may have been. */
  function saidBefore(batch: Batch, rows: readonly number[], touched: Set<string>): string | undefined {
    const verdicts: (string | undefined)[] = rows.map((row) => {
      const key = labelsKey(batch.series[batch.seriesOf[row]!]!.labels);
      const series = all.get(key);
      if (series === undefined || batch.modes[row] !== ADD_ONCE || !isAddition(batch, row)) return undefined;
      return addedBefore(series, rowOf(batch, row), touched.has(key));
    });
    const bad = verdicts.find((verdict) => verdict !== undefined && verdict !== 'repeated');
    if (bad !== undefined || !verdicts.includes('repeated')) return bad;
    return verdicts.every((verdict) => verdict === 'repeated') ? 'repeated' : 'duplicate_timestamp';
  }

  /** The same of a row by itself. */
  function addedBefore({ samples, base }: NaiveSeries, { time, sample, value }: Row, isTouched: boolean) {
    const last = samples.at(-1)!;
    if (!(time <= last.time)) return undefined;
    if (time < last.time) return 'out_of_order';
    const before = samples.findLast((one) => one.time < last.time && one.sample !== STALE)?.sample;
    let made = false;
    if (typeof sample === 'string') {
      made = typeof before === 'string' && typeof base === 'number' && floatOf(before) + value === base;
    } else if (typeof before === 'object' && typeof base === 'object' && canAdd(before, sample)) {
      made = withoutHint(addHistograms(before, sample)) === withoutHint(base);
    }
    return made && !isTouched && last.sample !== STALE ? 'repeated' : 'duplicate_timestamp';
  }

  function put(series: NaiveSeries, row: Row, nowMs: number, isTouched: boolean): string {
    const { time, sample, mode, start } = row;
    if (Number.isNaN(time) || time > nowMs + LIMITS.futureMs) return 'too_far_in_future';
    const last = series.samples.at(-1);
    if (mode !== SET && typeof sample === 'string' && sample !== STALE && !Number.isFinite(row.value))
      return 'not_finite';
    if (mode === SET || sample === STALE) {
      if (last !== undefined && time < last.time) return 'out_of_order';
      if (last !== undefined && time === last.time) {
        return withoutHint(last.sample) === withoutHint(sample) ? 'repeated' : 'duplicate_timestamp';
      }
      series.samples.push({ time, sample, start });
      if (sample !== STALE) series.base = typeof sample === 'string' ? row.value : sample;
      return 'stored';
    }
    const anew = last !== undefined && !joins(series.base, sample, series.samples);
    if (mode === ADD_ONCE && last !== undefined) {
      const known = addedBefore(series, row, isTouched);
      if (known !== undefined) return known;
    }
    const needsZero = last === undefined || (anew && time - 1 > last.time);
    const hint = anew ? RESET : RESET_UNKNOWN;
    if (needsZero) {
      const zero = typeof sample === 'string' ? '0' : { ...zeroHistogram(sample), hint };
      series.samples.push({ time: time - 1, sample: zero, start: 0 });
    }
    let sum: string | NativeHistogram;
    if (typeof sample === 'string') {
      series.base = (anew || typeof series.base !== 'number' ? 0 : series.base) + row.value;
      sum = (Number.isNaN(series.base) ? PLAIN_NAN_BITS : bitsOf(series.base)).toString(16);
    } else {
      const added = last === undefined || anew ? sample : addHistograms(series.base as NativeHistogram, sample);
      sum = series.base = { ...added, hint: needsZero ? RESET_UNKNOWN : hint };
    }
    if (last === undefined || time > last.time) series.samples.push({ time, sample: sum, start: 0 });
    else if (anew) series.samples.push({ time: last.time + 1, sample: sum, start: 0 });
    else Object.assign(last, { sample: sum, start: 0 });
    return 'stored';
  }

  /** Whether an addition goes on from the base. */
  function joins(
    base: number | NativeHistogram,
    sample: string | NativeHistogram,
    before: readonly NaiveSample[],
  ): boolean {
    if (typeof sample === 'string') return typeof base === 'number';
    return before.length > 0 && typeof base !== 'number' && canAdd(base, sample);
  }

  function putExemplar(batch: Batch, exemplar: Exemplar, nowMs: number): boolean {
    const series = all.get(labelsKey(batch.series[exemplar.series]!.labels));
    if (series === undefined || exemplar.timeMs > nowMs + LIMITS.futureMs) return false;
    const last = series.exemplars.at(-1);
    const order = (one: Exemplar): readonly [number, number, Labels] => [one.timeMs, one.value, one.labels];
    if (last !== undefined) {
      const [a, b] = [order(exemplar), order(last)];
      const compared = a[0] - b[0] || a[1] - b[1] || compareLabels(a[2], b[2]);
      if (compared <= 0) return compared === 0;
    }
    series.exemplars.push(exemplar);
    return true;
  }

  function putMetadata(news: Metadata): void {
    const known = families.get(news.metric);
    families.set(news.metric, {
      metric: news.metric,
      type: news.type === 'unknown' && known !== undefined ? known.type : news.type,
      help: news.help || (known?.help ?? ''),
      unit: news.unit || (known?.unit ?? ''),
    });
  }

  function matching(matchers: readonly Matcher[]): NaiveSeries[] {
    return [...all.values()]
      .filter((one) => matchers.every((matcher) => matcherTest(matcher)(labelValue(one.labels, matcher.name))))
      .sort((a, b) => compareLabels(a.labels, b.labels));
  }

  /** As `printSelect`. */
  function print(matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
    return matching(matchers).map((one) => {
      const within = one.samples.filter(({ time }) => time >= fromMs && time <= toMs);
      const texts = within.map(({ time, sample, start }) => printSample(time, printed(sample), start));
      return `${one.labels.join(',')}: ${texts.join(' ')}`;
    });
  }

  /** As `printExemplars` of the model test. */
  function printExemplars(matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
    return matching(matchers).flatMap(({ labels, exemplars }) => {
      const within = exemplars.filter(({ timeMs }) => timeMs >= fromMs && timeMs <= toMs);
      if (within.length === 0) return [];
      return [
        `${labels.join(',')}: ${within.map((one) => `${one.timeMs}=${one.value}{${one.labels.join()}}`).join(' ')}`,
      ];
    });
  }

  /** The label sets with a sample in the range. */
  function labelsIn(matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
    return matching(matchers)
      .filter((one) => one.samples.some(({ time }) => time >= fromMs && time <= toMs))
      .map((one) => one.labels.join(','));
  }
}

function rowOf(batch: Batch, row: number): Row {
  const isHistogram = isHistogramAt(batch.histograms, row);
  const sample = isHistogram ? histogramAt(batch.histograms, row) : printFloat(batch.values, row);
  // A sum that is no number says nothing of the counts beside it.
  const added = isHistogram && batch.modes[row] !== SET && !Number.isFinite((sample as NativeHistogram).sum);
  return {
    time: batch.times[row]!,
    sample: added ? { ...(sample as NativeHistogram), sum: 0 } : sample,
    value: batch.values[row]!,
    mode: batch.modes[row]!,
    start: batch.startTimes?.[row] ?? 0,
  };
}

function isAddition(batch: Batch, row: number): boolean {
  return batch.modes[row] !== SET && (isHistogramAt(batch.histograms, row) || printFloat(batch.values, row) !== STALE);
}

function floatOf(bits: string): number {
  return new Float64Array(BigUint64Array.of(BigInt(`0x${bits}`)).buffer)[0]!;
}

/** The rows of each point. */
function pointsOf(batch: Batch): number[][] {
  const points: number[][] = [];
  for (let row = 0; row < batch.times.length; row++) {
    if (row > 0 && batch.continues?.[row] === CONTINUES) points.at(-1)!.push(row);
    else points.push([row]);
  }
  return points;
}

function printed(sample: string | NativeHistogram): string {
  return typeof sample === 'string' ? sample : printHistogram(sample);
}

function withoutHint(sample: string | NativeHistogram): string {
  return typeof sample === 'string' ? sample : printHistogram({ ...sample, hint: 0 });
}
