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
  /** What can be seen, in order of time. */
  samples: NaiveSample[];
  /** The times of the first and of the last sample that there ever were, infinite where there was none. */
  firstMs: number;
  lastMs: number;
  /** The last sample is a marker. */
  endsStale: boolean;
  /** The last sample was deleted. */
  lastDeleted: boolean;
  /** The last float that is no marker; undefined where it was a histogram. */
  base: number | undefined;
  exemplars: Exemplar[];
}

/** What goes by time, in ms. */
export interface NaiveLimits {
  readonly seriesLimit: number;
  readonly metricSeriesLimit: number;
  readonly outOfOrderMs: number;
  /** Undefined: nothing is too old. */
  readonly retentionMs?: number | undefined;
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
export function naiveStore(options: NaiveLimits) {
  const all = new Map<string, NaiveSeries>();
  let latestMs = -Infinity;
  /** What of each was rejected, for each reason. */
  const deliveries = new Map<string, Record<string, number>>();
  const families = new Map<string, Metadata>();

  return {
    append,
    /** The store keeps of deliveries no more than that they were, and looks at the series that there are. */
    reopened: () => {
      for (const delivery of deliveries.keys()) deliveries.set(delivery, {});
      latestMs = Math.max(-Infinity, ...[...all.values()].map(({ lastMs }) => lastMs));
    },
    delete: remove,
    /** Forgets the samples of whole days. */
    dropBefore: (timeMs: number) => {
      for (const one of all.values()) one.samples = one.samples.filter(({ time }) => time >= timeMs);
    },
    /** Forgets the series without samples that are not among these. */
    keepOnly: (keys: ReadonlySet<string>) => {
      for (const [key, { samples }] of all) if (samples.length === 0 && !keys.has(key)) all.delete(key);
    },
    keys: () => [...all.keys()],
    /** Whether a series has no samples. */
    isBare: (key: string) => all.get(key)?.samples.length === 0,
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
    // What is without rows has none that could still be stored when it comes again.
    if (batch.delivery !== undefined && (anyStored || points.length === 0)) {
      const { stored: _s, repeated: _r, histograms: _h, exemplars: _e, ...lost } = outcome;
      deliveries.set(batch.delivery, lost);
    }
    return outcome;
  }

  function* putPoint(batch: Batch, rows: readonly number[], nowMs: number, touched: Set<string>): Iterable<string> {
    const fresh = new Map<string, Labels>();
    for (const row of rows) {
      const { labels } = batch.series[batch.seriesOf[row]!]!;
      const valid = faultOfTime(batch.times[row]!, nowMs) === undefined;
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
      const series = all.get(key) ?? newSeries(labels);
      const sample = isHistogramAt(batch.histograms, row)
        ? histogramAt(batch.histograms, row)
        : printFloat(batch.values, row);
      // The last sample stays what it was when an older one comes beside it.
      const isLate = !isAddition(batch, row) && batch.times[row]! < series.lastMs;
      const verdict = put(series, rowOf(batch, row), nowMs, touched.has(key));
      const said = verdict === 'repeated' && batch.modes[row] === ADD_ONCE && sample !== STALE;
      if ((verdict === 'stored' && !isLate) || said) touched.add(key);
      if (series.lastMs > -Infinity) all.set(key, series);
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
  function addedBefore(series: NaiveSeries, { time, sample, value }: Row, isTouched: boolean) {
    const { samples, lastMs, base, endsStale, lastDeleted } = series;
    if (!(time <= lastMs)) return undefined;
    if (time < lastMs) return 'out_of_order';
    const before = samples.findLast((one) => one.time < lastMs && one.sample !== STALE)?.sample;
    const last = lastHistogram(series);
    let made = false;
    if (typeof sample === 'string') {
      made = typeof before === 'string' && base !== undefined && floatOf(before) + value === base;
    } else if (typeof before === 'object' && last !== undefined && canAdd(before, sample)) {
      made = withoutHint(addHistograms(before, sample)) === withoutHint(last);
    }
    return made && !isTouched && !endsStale && !lastDeleted ? 'repeated' : 'duplicate_timestamp';
  }

  function lastHistogram({ samples, base }: NaiveSeries): NativeHistogram | undefined {
    const last = samples.findLast(({ sample }) => sample !== STALE)?.sample;
    return base === undefined && typeof last === 'object' ? last : undefined;
  }

  function faultOfTime(time: number, nowMs: number): string | undefined {
    if (Number.isNaN(time) || time > nowMs + LIMITS.futureMs) return 'too_far_in_future';
    return time < nowMs - (options.retentionMs ?? Infinity) || time < -8.64e15 ? 'too_old' : undefined;
  }

  function put(series: NaiveSeries, row: Row, nowMs: number, isTouched: boolean): string {
    const { time, sample, mode, start } = row;
    const fault = faultOfTime(time, nowMs);
    if (fault !== undefined) return fault;
    const isAdded = mode !== SET && sample !== STALE;
    if (isAdded && typeof sample === 'string' && !Number.isFinite(row.value)) return 'not_finite';
    if (!isAdded) {
      const known = series.samples.find((one) => one.time === time);
      if (time < series.lastMs && time < latestMs - options.outOfOrderMs) return 'out_of_order';
      if (known !== undefined)
        return withoutHint(known.sample) === withoutHint(sample) ? 'repeated' : 'duplicate_timestamp';
      const isLate = time < series.lastMs;
      insert(series, { time, sample, start });
      if (!isLate) {
        series.endsStale = sample === STALE;
        if (sample !== STALE) series.base = typeof sample === 'string' ? row.value : undefined;
      }
      return 'stored';
    }
    const hasLast = series.lastMs > -Infinity;
    const histogram = lastHistogram(series);
    const joins =
      typeof sample === 'string' ? series.base !== undefined : histogram !== undefined && canAdd(histogram, sample);
    const anew = hasLast && !joins;
    if (mode === ADD_ONCE && hasLast) {
      const known = addedBefore(series, row, isTouched);
      if (known !== undefined) return known;
    }
    const lastMs = series.lastMs;
    const needsZero = !hasLast || (anew && time - 1 > lastMs);
    const hint = anew ? RESET : RESET_UNKNOWN;
    const base = series.base;
    if (needsZero) {
      const zero = typeof sample === 'string' ? '0' : { ...zeroHistogram(sample), hint };
      insert(series, { time: time - 1, sample: zero, start: 0 });
    }
    let sum: string | NativeHistogram;
    if (typeof sample === 'string') {
      series.base = (anew ? 0 : base!) + row.value;
      sum = (Number.isNaN(series.base) ? PLAIN_NAN_BITS : bitsOf(series.base)).toString(16);
    } else {
      series.base = undefined;
      sum = { ...(joins ? addHistograms(histogram!, sample) : sample), hint: needsZero ? RESET_UNKNOWN : hint };
    }
    const at = !hasLast || time > lastMs ? time : anew ? lastMs + 1 : lastMs;
    series.samples = series.samples.filter((one) => one.time !== at);
    insert(series, { time: at, sample: sum, start: 0 });
    series.endsStale = false;
    return 'stored';
  }

  function insert(series: NaiveSeries, sample: NaiveSample): void {
    series.samples.push(sample);
    series.samples.sort((a, b) => a.time - b.time);
    series.firstMs = Math.min(series.firstMs, sample.time);
    if (sample.time >= series.lastMs) {
      series.lastMs = sample.time;
      series.lastDeleted = false;
    }
    latestMs = Math.max(latestMs, sample.time);
  }

  /** Deletes, and returns how many series that is said to have touched. */
  function remove(matchers: readonly Matcher[], fromMs: number, toMs: number): number {
    let touched = 0;
    for (const one of matching(matchers)) {
      const exemplars = one.exemplars.filter(({ timeMs }) => timeMs < fromMs || timeMs > toMs);
      const isTouched = exemplars.length < one.exemplars.length || (one.firstMs <= toMs && one.lastMs >= fromMs);
      if (!isTouched) continue;
      touched++;
      one.exemplars = exemplars;
      one.samples = one.samples.filter(({ time }) => time < fromMs || time > toMs);
      if (one.lastMs < fromMs || (one.lastMs > toMs && !one.endsStale)) continue;
      one.base = 0;
      if (one.lastMs > toMs) continue;
      one.endsStale = false;
      one.lastDeleted = true;
    }
    return touched;
  }

  function putExemplar(batch: Batch, exemplar: Exemplar, nowMs: number): boolean {
    const series = all.get(labelsKey(batch.series[exemplar.series]!.labels));
    if (series === undefined || exemplar.timeMs > nowMs + LIMITS.futureMs) return false;
    const order = (one: Exemplar): number =>
      exemplar.timeMs - one.timeMs || exemplar.value - one.value || compareLabels(exemplar.labels, one.labels);
    if (series.exemplars.some((one) => order(one) <= 0)) return series.exemplars.some((one) => order(one) === 0);
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
    const tests = matchers.map((matcher) => ({ name: matcher.name, passes: matcherTest(matcher) }));
    return [...all.values()].filter((one) => tests.every(({ name, passes }) => passes(labelValue(one.labels, name))));
  }

  /** As `printSelect`. */
  function print(matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
    return matching(matchers)
      .flatMap((one) => {
        const within = one.samples.filter(({ time }) => time >= fromMs && time <= toMs);
        const texts = within.map(({ time, sample, start }) => printSample(time, printed(sample), start));
        return texts.length === 0 ? [] : [`${one.labels.join(',')}: ${texts.join(' ')}`];
      })
      .sort();
  }

  /** As `printExemplars` of the model test. */
  function printExemplars(matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
    return matching(matchers)
      .flatMap(({ labels, exemplars }) => {
        const within = exemplars.filter(({ timeMs }) => timeMs >= fromMs && timeMs <= toMs);
        const texts = within.map((one) => `${one.timeMs}=${one.value}{${one.labels.join()}}`);
        return texts.length === 0 ? [] : [`${labels.join(',')}: ${texts.join(' ')}`];
      })
      .sort();
  }

  /** The label sets with a sample in the range. */
  function labelsIn(matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
    return matching(matchers)
      .filter((one) => one.samples.some(({ time }) => time >= fromMs && time <= toMs))
      .map((one) => one.labels.join(','));
  }
}

function newSeries(labels: Labels): NaiveSeries {
  return {
    labels,
    samples: [],
    firstMs: Infinity,
    lastMs: -Infinity,
    endsStale: false,
    lastDeleted: false,
    base: 0,
    exemplars: [],
  };
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
