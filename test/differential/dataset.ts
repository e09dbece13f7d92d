import { labelsOf } from '../../src/model/labels.ts';
import { setStaleAt, type SeriesColumns } from '../../src/model/series.ts';
import { DOMAINS, LABEL_VALUES, TIDE_DOMAIN } from './metrics.ts';
import type { Random } from '../random.ts';
import { schedule, type Schedule } from './schedule.ts';

/** The series of every domain, each with its `domain` label, over [startMs, endMs]. */
export interface Dataset {
  readonly startMs: number;
  readonly endMs: number;
  readonly byDomain: ReadonlyMap<string, readonly SeriesColumns[]>;
}

/** Fixed, so that a seed means the same queries and answers on every day. A whole hour: many windows end on samples. */
export const START_MS = Date.UTC(2025, 2, 3, 10, 0, 0);
export const SPAN_MS = 45 * 60_000;
export const INTERVAL_MS = 15_000;

const BOUNDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, Infinity];
/** The smallest magnitude at which adding a number below 1 is lost altogether: one unit in the last place is 2. */
const ABSORBING = 2 ** 53;
/** Enough small terms that losing them all exceeds 16 ε times the sum of the absolute terms about twice. */
const SMALL_ACCOUNTS = 130;

type Labelled = Readonly<Record<string, string>>;
type Sink = (labels: Labelled, plan: Schedule, value: (index: number) => number) => void;

/**
 * Seeded series over three domains of unequal size. Instances are drawn from one pool, so many label sets are in two or
 * three domains and differ by `domain` only.
 */
export function makeDataset(random: Random): Dataset {
  const byDomain = new Map<string, readonly SeriesColumns[]>();
  const sizes = new Map(DOMAINS.map((domain, index) => [domain, [5, 3, 2][index] ?? 2]));
  for (const [domain, size] of sizes) {
    const series: SeriesColumns[] = [];
    const add: Sink = (labels, plan, value) => series.push(column({ ...labels, domain }, plan, value));
    const pool = [...(LABEL_VALUES['instance'] ?? [])];
    for (let i = 0; i < size; i++) {
      const instance = pool.splice(random.int(0, pool.length - 1), 1)[0] ?? 'host-0:9090';
      addInstance(random, instance, add);
    }
    addZones(random, domain, add);
    addAccounts(random, add);
    byDomain.set(domain, series);
  }
  return { startMs: START_MS, endMs: START_MS + SPAN_MS, byDomain };
}

function addInstance(random: Random, instance: string, add: Sink): void {
  const job = random.pick(['api', 'worker']);
  const plan = newSchedule(random);
  const own = (): Schedule => (random.chance(0.25) ? newSchedule(random) : plan);
  const at = { job, instance };

  add({ __name__: 'up', ...at }, plan, () => (random.chance(0.9) ? 1 : 0));
  add({ __name__: 'build_info', instance, version: random.pick(LABEL_VALUES['version'] ?? []) }, plan, () => 1);
  add({ __name__: 'extreme_value', instance }, own(), () => random.float(0.9, 1) * 1.7e308);
  for (const mode of LABEL_VALUES['mode'] ?? []) {
    add(
      { __name__: 'cpu_seconds_total', instance, mode },
      plan,
      counter(random, () => random.float(0, 12)),
    );
  }
  for (const service of random.subset(LABEL_VALUES['service'] ?? [], 0.6)) {
    addService(random, at, service, own, add);
  }
}

function addService(
  random: Random,
  at: { job: string; instance: string },
  service: string,
  own: () => Schedule,
  add: Sink,
): void {
  const { instance } = at;
  add({ __name__: 'queue_depth', ...at, service }, own(), () => random.int(0, 80));
  add({ __name__: 'memory_bytes', service, instance }, own(), walk(random, 2e9, 3e8));
  const cache = own();
  add(
    { __name__: 'cache_hits_total', service, instance },
    cache,
    counter(random, () => random.int(0, 150)),
  );
  add(
    { __name__: 'cache_lookups_total', service, instance },
    cache,
    counter(random, () => random.int(60, 220)),
  );
  add(
    { __name__: 'customer_orders_total', service, instance, customer: `c-${random.int(1, 9)}` },
    own(),
    counter(random, () => random.int(0, 20)),
  );
  for (const method of LABEL_VALUES['method'] ?? []) {
    for (const code of random.subset(LABEL_VALUES['code'] ?? [], 0.8)) {
      const most = code === '200' ? 90 : 6;
      const labels = { __name__: 'http_requests_total', ...at, service, method, code };
      add(
        labels,
        own(),
        counter(random, () => random.int(0, most)),
      );
    }
  }
  addHistogram(random, { ...at, service }, own(), add);
}

/** Cumulative buckets of one stream of observations: all of them reset together and stay consistent with the count. */
function addHistogram(random: Random, labels: Labelled, plan: Schedule, add: Sink): void {
  const rows: number[][] = [];
  const sums: number[] = [];
  let counts = BOUNDS.map(() => random.int(0, 1000));
  let sum = random.float(0, 500);
  const typical = random.float(0.02, 1.2);
  for (let i = 0; i < plan.times.length; i++) {
    if (random.chance(0.012)) {
      counts = BOUNDS.map(() => 0);
      sum = 0;
    }
    for (let n = random.int(0, 100); n > 0; n--) {
      const seconds = -Math.log(1 - random.next()) * typical;
      sum += seconds;
      const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    rows.push(counts.map((_, bucket) => counts.slice(0, bucket + 1).reduce((a, b) => a + b, 0)));
    sums.push(sum);
  }
  const name = 'http_request_duration_seconds';
  BOUNDS.forEach((bound, bucket) => {
    const le = bound === Infinity ? '+Inf' : String(bound);
    add({ __name__: `${name}_bucket`, ...labels, le }, plan, (i) => rows[i]?.[bucket] ?? 0);
  });
  add({ __name__: `${name}_sum`, ...labels }, plan, (i) => sums[i] ?? 0);
  add({ __name__: `${name}_count`, ...labels }, plan, (i) => rows[i]?.at(-1) ?? 0);
}

function addZones(random: Random, domain: string, add: Sink): void {
  const special = [NaN, Infinity, -Infinity];
  for (const zone of LABEL_VALUES['zone'] ?? []) {
    for (const instance of random.subset(LABEL_VALUES['instance'] ?? [], 0.25)) {
      const calm = walk(random, 8, 4);
      // Every third sensor fails now and then, so that most answers stay finite.
      const faulty = random.chance(0.3);
      const value = (i: number): number => (faulty && random.chance(0.04) ? random.pick(special) : calm(i));
      add({ __name__: 'temperature_celsius', zone, instance }, newSchedule(random), value);
    }
    if (domain === TIDE_DOMAIN) {
      add({ __name__: 'tide_level_metres', zone }, newSchedule(random), (i) => 3 * Math.sin(i / 20) + random.next());
    }
  }
}

/** One very large balance, many small ones and the large one's opposite, which sort in this order by label. */
function addAccounts(random: Random, add: Sink): void {
  const plan = schedule(
    { startMs: START_MS, spanMs: SPAN_MS, intervalMs: 60_000, life: 'steady', jitterMs: 0 },
    random,
  );
  const small = (): number => random.float(0.9, 0.999);
  add({ __name__: 'account_balance', job: 'api', account: '0-opening' }, plan, () => ABSORBING);
  for (let i = 0; i < SMALL_ACCOUNTS; i++) {
    const account = `1-${String(i).padStart(4, '0')}`;
    add({ __name__: 'account_balance', job: 'api', account }, plan, small);
  }
  add({ __name__: 'account_balance', job: 'api', account: '2-closing' }, plan, () => -ABSORBING);
  add({ __name__: 'account_balance', job: 'worker', account: '3-petty' }, newSchedule(random), walk(random, 60, 5));
}

/** Half of all schedules lie exactly on the scrape interval, so that windows begin and end on samples. */
function newSchedule(random: Random): Schedule {
  const life = random.weighted([
    [5, 'steady'],
    [1.2, 'starts-late'],
    [1.2, 'ends-early'],
    [1.5, 'gap'],
    [1.5, 'flapping'],
  ] as const);
  const jitterMs = random.weighted([
    [5, 0],
    [3, 400],
    [2, 4000],
  ]);
  return schedule({ startMs: START_MS, spanMs: SPAN_MS, intervalMs: INTERVAL_MS, life, jitterMs }, random);
}

function counter(random: Random, increase: () => number): () => number {
  let value = random.chance(0.3) ? random.int(1e5, 1e8) : random.int(0, 500);
  return () => {
    value = random.chance(0.012) ? 0 : value + increase();
    return value;
  };
}

function walk(random: Random, start: number, stride: number): (index: number) => number {
  let value = start * random.float(0.5, 1.5);
  return () => {
    value += random.float(-stride, stride);
    return value;
  };
}

function column(labels: Labelled, plan: Schedule, value: (index: number) => number): SeriesColumns {
  const values = new Float64Array(plan.times.length);
  for (let i = 0; i < values.length; i++) {
    values[i] = value(i);
    if (plan.stale.has(i)) setStaleAt(values, i);
  }
  return { labels: labelsOf(labels), times: plan.times, values };
}
