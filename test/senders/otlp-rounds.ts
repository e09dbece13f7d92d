import { formatFloat } from '../../src/base/numbers.ts';
import type { Random } from '../random.ts';
import { metricsRequest, nanos, text, traceRequest, type Json } from '../wire/otlp-requests.ts';
import { exemplarText, sampleKey, type Shown } from './query-api.ts';

/** One producer that counts on from round to round, and what a receiver that follows Prometheus shows of it. */
export interface OtlpProducer {
  readonly job: string;
  /** The metrics of the next round as an OTLP/JSON request. */
  metrics(timeMs: number): Json;
  /** The spans of the next round. */
  spans(timeMs: number): Json;
  /** The samples of all rounds so far. */
  readonly shown: Shown;
  /** The values of traces_spanmetrics_calls_total so far, by span name, kind and status. */
  readonly calls: ReadonlyMap<string, number>;
  /** Every exemplar so far, as `shownExemplars` gives them. */
  exemplars(): string[];
}

export interface ProducerOptions {
  /** Its service.name. */
  readonly service: string;
  /** Whether it has delta sums and delta histograms, too. */
  readonly withDeltas: boolean;
  /** Whether a receiver copies attributes of the resource to every series. */
  readonly isPromoted: boolean;
}

const BOUNDS = [0.1, 0.25, 1];

/** Rounds begin with a histogram's zero bucket, one below and two above. */
const ZERO_THRESHOLD = '1e-128';

const CUMULATIVE = 2;
const DELTA = 1;

export function otlpProducer(random: Random, { service, withDeltas, isPromoted }: ProducerOptions): OtlpProducer {
  const job = `shop/${service}`;
  const resource = [text('service.namespace', 'shop'), text('service.name', service), text('service.instance.id', 'i')];
  const own = { job, instance: 'i', ...(isPromoted && { service_name: service, service_namespace: 'shop' }) };
  const shown: Shown = new Map();
  const exemplars: string[] = [];
  const calls = new Map<string, number>();
  const totals = { requests: 0, depth: 0, jobs: 0 };
  const latency = newClassic();
  const size = newExponential();
  const work = newClassic();
  const payload = newExponential();
  let startMs: number | undefined;
  let lastMs = 0;
  let rounds = 0;

  function show(timeMs: number, name: string, value: number | string, labels: Record<string, string> = {}): void {
    const shownAs = typeof value === 'number' ? formatFloat(value) : value;
    shown.set(sampleKey({ __name__: name, ...own, ...labels }, timeMs), shownAs);
  }

  function showClassic(timeMs: number, name: string, { counts, sum }: Classic): void {
    let below = 0;
    for (const [i, count] of counts.entries()) {
      const le = i < BOUNDS.length ? String(BOUNDS[i]) : '+Inf';
      show(timeMs, `${name}_bucket`, (below += count), { le });
    }
    show(timeMs, `${name}_count`, below);
    show(timeMs, `${name}_sum`, sum);
  }

  /** Delta points are counted up by their receiver, from a zero one millisecond before the first one. */
  function showZeros(timeMs: number): void {
    show(timeMs, 'jobs_total', 0);
    showClassic(timeMs, 'work_seconds', newClassic());
    show(timeMs, 'payload_bytes', exponentialText(newExponential()));
  }

  return {
    job,
    shown,
    calls,
    exemplars: () => exemplars.sort(),
    metrics(timeMs) {
      startMs ??= timeMs - 1000;
      const isFirst = rounds++ === 0;
      const times = { startTimeUnixNano: nanos(startMs), timeUnixNano: nanos(timeMs) };
      const since = { startTimeUnixNano: nanos(isFirst ? startMs : lastMs), timeUnixNano: nanos(timeMs) };
      lastMs = timeMs;
      totals.requests += random.int(1, 9);
      totals.depth += random.int(-5, 5);
      const cpu = random.pick([0.5, -1.25, 5e-324, 1e308, 1 / 3]);
      observeClassic(random, latency);
      observeExponential(random, size);
      const quantiles = [0.5, 0.99].map((quantile) => ({ quantile, value: random.next() }));
      const trace = { traceId: hex(random, 32), spanId: hex(random, 16) };
      const method = { http_request_method: 'GET', ok: 'true' };
      show(timeMs, 'http_requests_total', totals.requests, method);
      show(timeMs, 'queue_depth', totals.depth);
      show(timeMs, 'cpu_utilization_ratio', cpu);
      showClassic(timeMs, 'latency_seconds', latency);
      show(timeMs, 'size_bytes', exponentialText(size));
      for (const { quantile, value } of quantiles) {
        show(timeMs, 'rpc_milliseconds', value, { quantile: String(quantile) });
      }
      show(timeMs, 'rpc_milliseconds_count', rounds);
      show(timeMs, 'rpc_milliseconds_sum', rounds / 4);
      const traceLabels = { trace_id: trace.traceId, span_id: trace.spanId };
      exemplars.push(exemplarText({ __name__: 'http_requests_total', ...own, ...method }, traceLabels, '1.5', timeMs));
      const attributes = [text('http.request.method', 'GET'), { key: 'ok', value: { boolValue: true } }];
      const requests = {
        ...times,
        asInt: String(totals.requests),
        attributes,
        exemplars: [{ timeUnixNano: nanos(timeMs), asDouble: 1.5, ...trace }],
      };
      const sum = { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints: [requests] };
      const depth = { aggregationTemporality: CUMULATIVE, dataPoints: [{ ...times, asInt: String(totals.depth) }] };
      const summary = { ...times, count: String(rounds), sum: rounds / 4, quantileValues: quantiles };
      const metrics: Json[] = [
        { name: 'http.requests', unit: '{request}', description: 'Requests answered.', sum },
        { name: 'queue.depth', sum: depth },
        { name: 'cpu.utilization', unit: '1', gauge: { dataPoints: [{ timeUnixNano: nanos(timeMs), asDouble: cpu }] } },
        { name: 'latency', unit: 's', histogram: points(CUMULATIVE, { ...times, ...classicPoint(latency) }) },
        { name: 'size', unit: 'By', exponentialHistogram: points(CUMULATIVE, { ...times, ...exponentialPoint(size) }) },
        { name: 'rpc', unit: 'ms', summary: { dataPoints: [summary] } },
      ];
      if (!withDeltas) return metricsRequest(resource, metrics);

      if (isFirst) showZeros(timeMs - 1);
      const jobs = random.int(1, 9);
      const more = { work: newClassic(), payload: newExponential() };
      observeClassic(random, more.work);
      observeExponential(random, more.payload);
      show(timeMs, 'jobs_total', (totals.jobs += jobs));
      addClassic(work, more.work);
      addExponential(payload, more.payload);
      showClassic(timeMs, 'work_seconds', work);
      show(timeMs, 'payload_bytes', exponentialText(payload));
      const jobPoints = { ...points(DELTA, { ...since, asInt: String(jobs) }), isMonotonic: true };
      metrics.push(
        { name: 'jobs', sum: jobPoints },
        { name: 'work', unit: 's', histogram: points(DELTA, { ...since, ...classicPoint(more.work) }) },
        {
          name: 'payload',
          unit: 'By',
          exponentialHistogram: points(DELTA, { ...since, ...exponentialPoint(more.payload) }),
        },
      );
      return metricsRequest(resource, metrics);
    },
    spans(timeMs) {
      const spans = Array.from({ length: random.int(2, 5) }, () => {
        const isError = random.chance(0.3);
        const status = isError ? 'STATUS_CODE_ERROR' : 'STATUS_CODE_UNSET';
        const key = `GET /orders/{id} SPAN_KIND_SERVER ${status}`;
        calls.set(key, (calls.get(key) ?? 0) + 1);
        return {
          traceId: hex(random, 32),
          spanId: hex(random, 16),
          name: 'GET /orders/17',
          kind: 2,
          startTimeUnixNano: nanos(timeMs - 5),
          endTimeUnixNano: nanos(timeMs),
          attributes: [text('http.request.method', 'GET'), text('http.route', '/orders/{id}')],
          ...(isError && { status: { code: 2 } }),
        };
      });
      return traceRequest(resource, spans);
    },
  };
}

function points(aggregationTemporality: number, point: Json): Json {
  return { aggregationTemporality, dataPoints: [point] };
}

function hex(random: Random, digits: number): string {
  return Array.from({ length: digits }, () => random.int(1, 15).toString(16)).join('');
}

interface Classic {
  /** One more than there are bounds. */
  readonly counts: number[];
  sum: number;
}

function newClassic(): Classic {
  return { counts: BOUNDS.map(() => 0).concat(0), sum: 0 };
}

function observeClassic(random: Random, { counts }: Classic): void {
  for (const i of counts.keys()) counts[i]! += random.int(0, 3);
  // A point of no observations is no point.
  counts[0]!++;
}

function addClassic(to: Classic, delta: Classic): void {
  for (const [i, count] of delta.counts.entries()) to.counts[i]! += count;
  to.sum += delta.sum;
}

function classicPoint({ counts, sum }: Classic): Json {
  const count = counts.reduce((all, one) => all + one, 0);
  return { count: String(count), sum, bucketCounts: counts.map(String), explicitBounds: BOUNDS };
}

/** Buckets of the powers of two: the bounds of bucket i are 2^(i-1) and 2^i. */
interface Exponential {
  zeroCount: number;
  readonly positive: number[];
  readonly negative: number[];
  sum: number;
}

/** Of the first bucket in OTLP's way, which leaves the lower bound out. */
const OFFSET = -2;

function newExponential(): Exponential {
  return { zeroCount: 0, positive: [0, 0, 0, 0], negative: [0, 0], sum: 0 };
}

function observeExponential(random: Random, one: Exponential): void {
  one.zeroCount += random.int(1, 3);
  for (const i of one.positive.keys()) one.positive[i]! += random.int(0, 2);
  for (const i of one.negative.keys()) one.negative[i]! += random.int(0, 2);
  one.sum += 0.25;
}

function addExponential(to: Exponential, delta: Exponential): void {
  to.zeroCount += delta.zeroCount;
  for (const [i, count] of delta.positive.entries()) to.positive[i]! += count;
  for (const [i, count] of delta.negative.entries()) to.negative[i]! += count;
  to.sum += delta.sum;
}

function exponentialPoint(one: Exponential): Json {
  return {
    count: String(countOf(one)),
    sum: one.sum,
    scale: 0,
    zeroCount: String(one.zeroCount),
    positive: { offset: OFFSET, bucketCounts: one.positive.map(String) },
    negative: { offset: OFFSET, bucketCounts: one.negative.map(String) },
  };
}

function countOf({ zeroCount, positive, negative }: Exponential): number {
  return [...positive, ...negative].reduce((all, count) => all + count, zeroCount);
}

/** As the API shows it: the buckets that are not empty in ascending order, each with the rule for its bounds. */
function exponentialText(one: Exponential): string {
  const bound = (i: number) => 2 ** (OFFSET + i);
  const above = one.positive.map((count, i) => [0, String(bound(i)), String(bound(i + 1)), String(count)] as const);
  const below = one.negative.map((count, i) => [1, String(-bound(i + 1)), String(-bound(i)), String(count)] as const);
  const zero = [3, `-${ZERO_THRESHOLD}`, ZERO_THRESHOLD, String(one.zeroCount)] as const;
  const buckets = [...below.reverse(), zero, ...above].filter(([, , , count]) => count !== '0');
  const head = { count: String(countOf(one)), sum: String(one.sum) };
  return JSON.stringify(buckets.length === 0 ? head : { ...head, buckets });
}
