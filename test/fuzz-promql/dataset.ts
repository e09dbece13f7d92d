import { schedule, type Life } from '../differential/schedule.ts';
import type { Random } from '../random.ts';
import { classicBuckets, counter, gauge, GAUGE_KINDS, type GaugeKind } from './float-series.ts';
import { customHistograms, exponentialHistograms } from './histogram-series.ts';
import { OTLP_JOB } from './otlp.ts';
import { DOMAIN, federatedLabels, observations, type Content, type Sample, type Series } from './samples.ts';

/** A metric as queries use it. */
export interface Metric {
  readonly name: string;
  readonly content: Content;
  /** The labels beside `job` and `instance` that its series have. */
  readonly extra: readonly string[];
}

export interface Dataset {
  readonly series: readonly Series[];
  readonly metrics: readonly Metric[];
  /** The values of each label, for matchers. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** Where its series are: one domain, unless they were spread. */
  readonly domains: readonly string[];
}

/** On the whole two hours, where Prometheus begins a block, and ten minutes: no chunk of its head ends in between. */
export const START_MS = Date.UTC(2025, 4, 6, 8, 10);
export const SPAN_MS = 30 * 60_000;

const JOBS = ['api', 'dä"b\\'];
const INSTANCES = ['a:1', 'b:2', 'c'];

type Values = (i: number) => Sample['value'];

/** Random series of every kind that queries tell apart, those that tell when they `started` if wanted. */
export function makeDataset(random: Random, withStarts: boolean): Dataset {
  const series: Series[] = [];
  const metrics: Metric[] = [];

  function add(metric: Metric, labels: Readonly<Record<string, string>>, values: Values): void {
    const samples = sampled(values, random);
    if (samples.length > 0) series.push({ labels: { __name__: metric.name, ...labels }, samples, domain: DOMAIN });
  }

  /** Series of one metric on most of the jobs and instances. */
  function spread(metric: Metric, extra: readonly Readonly<Record<string, string>>[], make: () => Values): void {
    metrics.push(metric);
    for (const labels of places(random)) for (const more of extra) add(metric, { ...labels, ...more }, make());
  }

  function metric(name: string, content: Content, ...extra: string[]): Metric {
    return { name, content, extra };
  }

  for (const name of ['requests_total', 'errors_total']) spread(metric(name, 'counter'), [{}], () => counter(random));
  spread(metric('calls_total', 'counter', 'code'), [{ code: '200' }, { code: '500' }], () => counter(random));
  for (const kind of GAUGE_KINDS) spread(metric(GAUGE_NAMES[kind], 'gauge'), [{}], () => gauge(kind, random));
  spread(metric('height', 'gauge'), [{}], () => gauge('walk', random));
  // Sums of these cancel: what is left of them is far smaller than their terms.
  let turn = 0;
  spread(metric('balance', 'gauge'), [{}], () => {
    const large = [1e16, -1e16, 0][turn++ % 3] ?? 0;
    return large === 0 ? gauge('walk', random) : () => large;
  });
  spread(metric('näme of.one', 'gauge', 'läbel.x'), [{ 'läbel.x': 'ü\n"' }], () => gauge('walk', random));
  spread(metric('by', 'gauge', 'on'), [{ on: '1' }, { on: '10' }], () => gauge('small', random));
  for (const [name, fault] of [
    ['latency_seconds', 'none'],
    ['torn_seconds', random.pick(['not-monotonic', 'no-infinity'] as const)],
  ] as const) {
    const family = metric(`${name}_bucket`, 'classic', 'le');
    metrics.push(family);
    for (const labels of places(random).slice(0, 3)) {
      const bounds = random.pick([
        [0.1, 0.5, 1, 5],
        [-1, 0, 1],
        [1, 2, 4],
      ]);
      const buckets = classicBuckets(bounds, fault, random);
      const known: ReadonlyMap<number, number>[] = [];
      const at = (i: number): ReadonlyMap<number, number> => {
        while (known.length <= i) known.push(buckets(known.length));
        return known[i]!;
      };
      for (const bound of at(0).keys()) {
        const le = bound === Infinity ? '+Inf' : random.pick([String(bound), String(bound), bound.toFixed(1)]);
        add(family, { ...labels, le }, (i) => at(i).get(bound) ?? 0);
      }
    }
  }
  const natives: [string, Content, () => Values][] = [
    ['duration_seconds', 'histogram', () => exponentialHistograms({ isGauge: false, changes: false }, random)],
    ['sizes_bytes', 'histogram', () => exponentialHistograms({ isGauge: false, changes: true }, random)],
    [
      'pressure',
      'gauge-histogram',
      () => exponentialHistograms({ isGauge: true, changes: random.chance(0.3) }, random),
    ],
    ['waits_seconds', 'histogram', () => customHistograms({ isGauge: false, changes: false }, random)],
    ['bounded_seconds', 'histogram', () => customHistograms({ isGauge: false, changes: true }, random)],
    ['queued', 'gauge-histogram', () => customHistograms({ isGauge: true, changes: false }, random)],
    ['mixed', 'mixed', () => mixedValues(random)],
  ];
  for (const [name, content, make] of natives) spread(metric(name, content), [{}], make);
  const versions = (): Readonly<Record<string, string>> => ({ version: random.pick(['1', '2', '1.10']), zone: 'b' });
  spread(metric('target_info', 'info', 'version', 'zone'), [versions()], () => () => 1);
  spread(metric('build_info', 'info', 'version'), [{ version: '7' }], () => () => 1);
  const typed = { __type__: 'counter', __unit__: 'bytes' };
  spread(metric('typed_bytes_total', 'counter', '__type__', '__unit__'), [typed], () => counter(random));
  spread(metric('typed_level', 'gauge', '__type__'), [{ __type__: 'gauge' }], () => gauge('small', random));
  for (const instance of withStarts ? INSTANCES.slice(0, 2) : []) {
    const labels = { job: OTLP_JOB, instance };
    const total = started(counter(random), random);
    series.push({ labels: { __name__: 'started_total', ...labels }, samples: total, domain: DOMAIN });
    const sizes = exponentialHistograms({ isGauge: false, changes: false, whole: true }, random);
    const bytes = started(sizes, random);
    series.push({ labels: { __name__: 'started_bytes', ...labels }, samples: bytes, domain: DOMAIN });
  }
  if (withStarts) metrics.push(metric('started_total', 'counter'), metric('started_bytes', 'histogram'));
  return datasetOf(series, metrics, [DOMAIN]);
}

/** The series of a data set in their order, with the values of their labels. */
export function datasetOf(series: readonly Series[], metrics: readonly Metric[], domains: readonly string[]): Dataset {
  const values = new Map<string, Set<string>>();
  const sorted = series.toSorted(byLabels);
  for (const { labels } of sorted) {
    for (const [name, value] of Object.entries(labels)) {
      if (name !== '__name__') values.set(name, (values.get(name) ?? new Set()).add(value));
    }
  }
  const ofLabels = [...values].map(([name, set]) => [name, [...set].sort()] as const);
  return { series: sorted, metrics, values: new Map([...ofLabels, ['domain', domains]]), domains };
}

const GAUGE_NAMES: Readonly<Record<GaugeKind, string>> = {
  walk: 'temperature',
  constant: 'limit',
  small: 'level',
  odd: 'odd',
  extreme: 'extreme',
  wide: 'wide',
};

/**
 * In the order of their labels. An oracle whose series came in this order goes through them so, as it does anyway where it
 * has several blocks: what hangs on the order of series is then the same in both programs.
 */
function byLabels(a: Series, b: Series): number {
  return Buffer.compare(sortedLabels(a), sortedLabels(b));
}

function sortedLabels(series: Series): Buffer {
  const pairs = Object.entries(federatedLabels(series)).toSorted(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  return Buffer.from(pairs.flat().join('\0'));
}

function places(random: Random): Readonly<Record<string, string>>[] {
  const all = JOBS.flatMap((job) => INSTANCES.map((instance) => ({ job, instance })));
  const kept = random.subset(all, 0.7);
  return kept.length > 1 ? kept : all.slice(0, 2);
}

/** Values at scrape times that have holes, staleness markers and, for some, no regularity. */
function sampled(values: Values, random: Random): Sample[] {
  const intervalMs = random.pick([15_000, 30_000, 30_000, 60_000]);
  const life = random.weighted<Life>([
    [5, 'steady'],
    [1, 'starts-late'],
    [1, 'ends-early'],
    [1, 'gap'],
    [1, 'flapping'],
  ]);
  const jitterMs = random.pick([0, 0, 0, 7, Math.floor(intervalMs / 3)]);
  const { times, stale } = schedule({ startMs: START_MS, spanMs: SPAN_MS, intervalMs, life, jitterMs }, random);
  return Array.from(times, (timeMs, i) => ({ timeMs, value: stale.has(i) ? 'stale' : values(i) }));
}

/** Samples that tell when their counter started: at its resets mostly, sometimes at odd times or not at all. */
function started(values: Values, random: Random): Sample[] {
  let startMs = START_MS - random.pick([0, 1_000, 60_000, 3_600_000]);
  let beforeMs = startMs;
  let before = 0;
  return sampled(values, random).map((sample) => {
    const { timeMs, value } = sample;
    const size = typeof value === 'object' ? observations(value) : Number(value);
    if (size < before || random.chance(0.03)) startMs = random.int(beforeMs, timeMs);
    [before, beforeMs] = [size, timeMs];
    return random.chance(0.03) ? sample : { ...sample, startMs };
  });
}

/** Runs of floats, exponential and custom histograms in one series. */
function mixedValues(random: Random): Values {
  const isGauge = random.chance(0.3);
  const kinds = [
    gauge('walk', random),
    exponentialHistograms({ isGauge, changes: false }, random),
    exponentialHistograms({ isGauge, changes: false }, random),
    customHistograms({ isGauge, changes: false }, random),
  ];
  let kind = random.pick(kinds);
  const steadiness = random.pick([0.95, 0.85, 0.6]);
  return (i) => {
    if (!random.chance(steadiness)) kind = random.pick(kinds);
    return kind(i);
  };
}
