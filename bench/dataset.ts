import { randomFrom, type Random } from '../test/random.ts';

/**
 * The data of every workload: 60 % counters (increments uniform 0 to 29, none in a third of the scrapes, a reset once in
 * 500), 30 % gauges (a random walk with three decimals), 10 % native histograms; one sample each 15 s with up to 20 ms of
 * jitter, one in 200 missing; ten labels of realistic lengths, twenty services. The same seed gives the same data.
 * Classic histograms only come where `kinds` asks for them.
 */
export interface Dataset {
  readonly series: readonly BenchSeries[];
  /** Moves every series to its next scrape. */
  scrape(): void;
}

export type Kind = 'counter' | 'gauge' | 'histogram' | 'classic';

export interface BenchSeries {
  readonly kind: Kind;
  /** Name and nine labels; made anew each time, as a million sets would fill the memory. */
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch of the latest sample. */
  timeMs: number;
  /** Whether this scrape has a sample of the series. */
  present: boolean;
  /** Of counters and gauges. */
  value: number;
  /**
   * Observations so far in each bucket. Native: `BUCKETS` exponential ones at schema 3 from `FIRST_BUCKET` on. Classic:
   * those of `CLASSIC_BOUNDS` and one above them.
   */
  readonly buckets: number[];
  sum: number;
  count: number;
}

export interface DatasetOptions {
  readonly seed: number;
  /** Each classic histogram counts as one, though it is `timeSeriesOf('classic')` series. */
  readonly series: number;
  /** One interval before the first scrape. */
  readonly startMs: number;
  /** Only these, in the proportion that they have to each other; counters, gauges and native histograms when left out. */
  readonly kinds?: readonly Kind[];
  /** Value of the label `series` of the first one; two sets that do not overlap share no series. */
  readonly firstSeries?: number;
}

export const INTERVAL_MS = 15_000;
const JITTER_MS = 20;
const SERVICES = 20;
const SERIES_PER_POD = 100;
const BUCKETS = 24;

export const SCHEMA = 3;
export const FIRST_BUCKET = -40;

/** In seconds: what Prometheus's own clients begin with. */
export const CLASSIC_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const SHARE: Readonly<Record<Kind, number>> = { counter: 0.6, gauge: 0.3, histogram: 0.1, classic: 0.1 };

export function dataset(options: DatasetOptions): Dataset {
  const { seed, startMs, kinds = ['counter', 'gauge', 'histogram'], firstSeries = 0 } = options;
  const random = randomFrom(seed);
  const shares = kinds.map((kind) => [SHARE[kind], kind] as const);
  const series = Array.from(
    { length: options.series },
    (_, i) => new OneSeries(random, random.weighted(shares), firstSeries + i),
  );
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

/** Time series that one of the kind is sent as: a classic histogram has one a bucket, its sum and its count. */
export function timeSeriesOf(kind: Kind): number {
  return kind === 'classic' ? CLASSIC_BOUNDS.length + 3 : 1;
}

/** The start for data whose last scrape is now. */
export function startOf(scrapes: number): number {
  return Date.now() - scrapes * INTERVAL_MS;
}

const ROUTES = ['/api/v1/orders/{id}', '/api/v1/customers/{id}/baskets', '/api/v1/search', '/internal/reconcile'];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];
const CODES = ['200', '201', '400', '404', '500', '503'];

const NAMES: Readonly<Record<Kind, string>> = {
  counter: 'http_server_requests_total',
  gauge: 'process_resident_memory_megabytes',
  histogram: 'http_server_request_duration_seconds',
  classic: 'http_server_response_seconds',
};

/** A class, as a getter of each object's own would make a million objects three times as large. */
class OneSeries implements BenchSeries {
  readonly kind: Kind;
  timeMs = 0;
  present = false;
  value: number;
  readonly buckets: number[];
  sum = 0;
  count = 0;
  private readonly i: number;
  private readonly method: string;
  private readonly route: string;
  private readonly code: string;

  constructor(random: Random, kind: Kind, i: number) {
    this.kind = kind;
    this.i = i;
    this.method = random.pick(METHODS);
    this.route = random.pick(ROUTES);
    this.code = random.pick(CODES);
    this.value = kind === 'gauge' ? random.int(0, 1_000_000) / 1_000 : 0;
    this.buckets = bucketsOf(kind) === 0 ? NO_BUCKETS : Array.from({ length: bucketsOf(kind) }, () => 0);
  }

  get labels(): Readonly<Record<string, string>> {
    const { kind, i, method, route, code } = this;
    const pod = Math.floor(i / SERIES_PER_POD);
    const service = `service-${String(pod % SERVICES).padStart(2, '0')}`;
    return {
      __name__: NAMES[kind],
      job: `production/${service}`,
      instance: `10.${pod >> 16}.${(pod >> 8) & 255}.${pod & 255}:9090`,
      service,
      namespace: 'production',
      pod: `${service}-7d9c8b6f5-${pod.toString(36).padStart(5, 'x')}`,
      method,
      route,
      code,
      series: String(i),
    };
  }
}

const NO_BUCKETS: number[] = [];

function bucketsOf(kind: Kind): number {
  if (kind === 'histogram') return BUCKETS;
  return kind === 'classic' ? CLASSIC_BOUNDS.length + 1 : 0;
}

function advance(series: BenchSeries, random: Random): void {
  if (series.kind === 'counter') {
    if (random.chance(1 / 500)) series.value = 0;
    else if (!random.chance(1 / 3)) series.value += random.int(0, 29);
  } else if (series.kind === 'gauge') {
    series.value = Math.round(series.value * 1_000 + random.int(-500, 500)) / 1_000;
  } else {
    const { kind, buckets } = series;
    for (let n = random.int(0, 12); n > 0; n--) {
      const bucket = Math.min(random.int(0, buckets.length - 1), random.int(0, buckets.length - 1));
      buckets[bucket]! += 1;
      series.count++;
      series.sum += kind === 'classic' ? classicValue(bucket) : nativeValue(bucket, random);
    }
  }
}

/** An observation anywhere in the bucket: were it on a bound, sums would follow from the counts. */
function nativeValue(bucket: number, random: Random): number {
  return 2 ** ((FIRST_BUCKET + bucket - random.next()) / 2 ** SCHEMA);
}

/** An observation in the bucket, in seconds. */
function classicValue(bucket: number): number {
  return (CLASSIC_BOUNDS[bucket] ?? 2 * CLASSIC_BOUNDS.at(-1)!) * 0.9;
}
