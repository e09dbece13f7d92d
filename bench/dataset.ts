import { randomFrom, type Random } from '../test/random.ts';

/**
 * The data of every workload: 60 % counters (increments uniform 0 to 29, none in a third of the scrapes, a reset once in
 * 500), 30 % gauges (a random walk with three decimals), 10 % native histograms; one sample each 15 s with up to 20 ms of
 * jitter, one in 200 missing; ten labels of realistic lengths, twenty services. The same seed gives the same data.
 */
export interface Dataset {
  readonly series: readonly BenchSeries[];
  /** Moves every series to its next scrape. */
  scrape(): void;
}

export interface BenchSeries {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** Name and nine labels. */
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch of the latest sample. */
  timeMs: number;
  /** Whether this scrape has a sample of the series. */
  present: boolean;
  /** Of counters and gauges. */
  value: number;
  /** Of histograms: cumulative counts of `BUCKETS` exponential buckets, at schema 3 from `FIRST_BUCKET` on. */
  readonly buckets: number[];
  sum: number;
  count: number;
}

const INTERVAL_MS = 15_000;
const JITTER_MS = 20;
const SERVICES = 20;
const SERIES_PER_POD = 100;
const BUCKETS = 24;

export const SCHEMA = 3;
export const FIRST_BUCKET = -40;

export function dataset(seed: number, seriesCount: number, startMs: number): Dataset {
  const random = randomFrom(seed);
  const series = Array.from({ length: seriesCount }, (_, i) => benchSeries(random, i));
  let scrapes = 0;
  return {
    series,
    scrape() {
      scrapes++;
      for (const one of series) {
        one.timeMs = startMs + scrapes * INTERVAL_MS + random.int(0, JITTER_MS);
        one.present = !random.chance(1 / 200);
        advance(one, random);
      }
    },
  };
}

const ROUTES = ['/api/v1/orders/{id}', '/api/v1/customers/{id}/baskets', '/api/v1/search', '/internal/reconcile'];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];
const CODES = ['200', '201', '400', '404', '500', '503'];

function benchSeries(random: Random, i: number): BenchSeries {
  const share = random.next();
  const kind = share < 0.6 ? 'counter' : share < 0.9 ? 'gauge' : 'histogram';
  const pod = Math.floor(i / SERIES_PER_POD);
  const service = `service-${String(pod % SERVICES).padStart(2, '0')}`;
  const name = {
    counter: 'http_server_requests_total',
    gauge: 'process_resident_memory_megabytes',
    histogram: 'http_server_request_duration_seconds',
  }[kind];
  return {
    kind,
    labels: {
      __name__: name,
      job: `production/${service}`,
      instance: `10.${pod >> 16}.${(pod >> 8) & 255}.${pod & 255}:9090`,
      service,
      namespace: 'production',
      pod: `${service}-7d9c8b6f5-${pod.toString(36).padStart(5, 'x')}`,
      method: random.pick(METHODS),
      route: random.pick(ROUTES),
      code: random.pick(CODES),
      series: String(i),
    },
    timeMs: 0,
    present: false,
    value: kind === 'gauge' ? random.int(0, 1_000_000) / 1_000 : 0,
    buckets: kind === 'histogram' ? Array.from({ length: BUCKETS }, () => 0) : [],
    sum: 0,
    count: 0,
  };
}

function advance(series: BenchSeries, random: Random): void {
  if (series.kind === 'counter') {
    if (random.chance(1 / 500)) series.value = 0;
    else if (!random.chance(1 / 3)) series.value += random.int(0, 29);
  } else if (series.kind === 'gauge') {
    series.value = Math.round(series.value * 1_000 + random.int(-500, 500)) / 1_000;
  } else {
    for (let n = random.int(0, 12); n > 0; n--) {
      const bucket = Math.min(random.int(0, BUCKETS - 1), random.int(0, BUCKETS - 1));
      series.buckets[bucket]! += 1;
      series.count++;
      series.sum += 2 ** ((FIRST_BUCKET + bucket) / 2 ** SCHEMA);
    }
  }
}
