import { batchBuilder } from '../../src/model/batch-builder.ts';
import type { Batch } from '../../src/model/batch.ts';
import { histogramAt, isHistogramAt } from '../../src/model/histogram.ts';
import { labelsOf } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { custom, exponential, nativeSeries, type NativeSample } from '../engine/native-series.ts';
import type { Random } from '../random.ts';
import { INTERVAL_MS, SPAN_MS, START_MS } from './dataset.ts';
import { DOMAINS, LABEL_VALUES, type Metric } from './metrics.ts';

/** Native histograms: one metric whose resolution is each domain's own, and one with the bounds that its senders chose. */
export const NATIVE_METRICS: readonly Metric[] = [
  {
    name: 'rpc_duration_seconds',
    kind: 'histogram',
    class: 'aggregate',
    labels: ['job', 'instance', 'service'],
    scale: 4,
    weight: 3,
  },
  { name: 'batch_size', kind: 'histogram', class: 'open', labels: ['service', 'instance'], scale: 10, weight: 2 },
];

/** Resolutions of exponential buckets, and bounds of custom ones, by domain: what is merged is not of one layout. */
const SCHEMAS = [2, 0, 2];
const BOUNDS = [
  [1, 5, 10, 50],
  [1, 5, 10, 50],
  [1, 10, 100],
];

/** Counters of all domains. Counts and sums are whole numbers, so that no order of addition shows. */
export function makeNativeSeries(random: Random): ReadonlyMap<string, readonly SeriesColumns[]> {
  return new Map(
    DOMAINS.map((domain, index) => {
      const series: SeriesColumns[] = [];
      for (const instance of random.subset(LABEL_VALUES['instance'] ?? [], 0.4)) {
        const service = random.pick(LABEL_VALUES['service'] ?? []);
        const job = random.pick(LABEL_VALUES['job'] ?? []);
        const rpc = { __name__: 'rpc_duration_seconds', domain, job, instance, service };
        const batch = { __name__: 'batch_size', domain, instance, service };
        const schema = SCHEMAS[index % SCHEMAS.length]!;
        const bounds = BOUNDS[index % BOUNDS.length]!;
        series.push(
          counted(rpc, random, (buckets, sum) => exponential(schema, buckets, { zero: [2 ** -20, 3], sum })),
          counted(batch, random, (buckets, sum) => ({
            ...custom(
              bounds,
              buckets.filter(([at]) => at <= bounds.length),
            ),
            sum,
          })),
        );
      }
      return [domain, series] as const;
    }),
  );
}

type Buckets = readonly (readonly [number, number])[];

/** A counter that grows at each scrape, starts again now and then and misses some. */
function counted(
  labels: Readonly<Record<string, string>>,
  random: Random,
  make: (buckets: Buckets, sum: number) => ReturnType<typeof exponential>,
): SeriesColumns {
  const samples: [number, NativeSample][] = [];
  const counts = [0, 0, 0, 0, 0];
  let sum = 0;
  for (let timeMs = START_MS; timeMs <= START_MS + SPAN_MS; timeMs += INTERVAL_MS) {
    if (random.chance(0.01)) {
      counts.fill(0);
      sum = 0;
    }
    for (let n = random.int(0, 4); n > 0; n--) {
      const more = random.int(1, 20);
      counts[random.int(0, counts.length - 1)]! += more;
      sum += more * random.int(1, 3);
    }
    if (random.chance(0.97))
      samples.push([
        timeMs,
        make(
          counts.map((count, index) => [index, count]),
          sum,
        ),
      ]);
  }
  const made = nativeSeries(labels, samples);
  return { ...made, labels: labelsOf(labels) };
}

/** The samples as a batch for a store. */
export function nativeBatch(series: readonly SeriesColumns[]): Batch {
  const builder = batchBuilder();
  for (const { labels, times, histograms } of series) {
    const index = builder.seriesOf(labels);
    for (let i = 0; i < times.length; i++) {
      if (isHistogramAt(histograms, i)) builder.histogram(index, times[i]!, histogramAt(histograms, i));
    }
  }
  return builder.build();
}
