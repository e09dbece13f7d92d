import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  DataPointType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type DataPoint,
  type ExponentialHistogram,
  type Histogram,
  type MetricData,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { NodeTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ADD, ADD_ONCE, SET } from '../../src/model/batch.ts';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import { randomFrom, type Random } from '../random.ts';
import { type GrpcHarness, startGrpc } from './otlp-grpc-client.ts';
import type { Row } from './otlp-harness.ts';

/** Real exporters of the OpenTelemetry SDK against a receiver on real ports. */

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let harness: GrpcHarness;
let url: string;
/** The compression that each request named. */
let encodings: Set<unknown>;

function noteCall(message: unknown): void {
  const { headers } = message as { headers: Record<string, string> };
  encodings.add(headers['grpc-encoding'] ?? 'none');
}

beforeEach(async () => {
  harness = await startGrpc({ now: () => Date.now() });
  encodings = new Set();
  subscribe('http2.server.stream.start', noteCall);
  harness.app.server.on('request', ({ headers }) => encodings.add(headers['content-encoding'] ?? 'none'));
  url = await harness.app.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  vi.unstubAllEnvs();
  unsubscribe('http2.server.stream.start', noteCall);
  await harness.close();
});

type Transport = 'http/protobuf' | 'http/json' | 'grpc';

function metricExporter(transport: Transport, temporalityPreference: AggregationTemporality): PushMetricExporter {
  if (transport === 'grpc') return new GrpcMetrics({ url: harness.grpc.url, temporalityPreference });
  const options = { url: `${url}/v1/metrics`, temporalityPreference };
  return transport === 'http/json' ? new JsonMetrics(options) : new ProtoMetrics(options);
}

function spanExporter(transport: Transport): SpanExporter {
  if (transport === 'grpc') return new GrpcTraces({ url: harness.grpc.url });
  const options = { url: `${url}/v1/traces` };
  return transport === 'http/json' ? new JsonTraces(options) : new ProtoTraces(options);
}

const resource = resourceFromAttributes({
  'service.name': 'checkout',
  'service.namespace': 'shop',
  'service.instance.id': 'checkout-1',
  'deployment.environment.name': 'prod',
  'process.command_args': ['node', 'main "ts"'],
  'process.pid': 42,
});

const OF_RESOURCE = {
  domain: 'eu',
  job: 'shop/checkout',
  instance: 'checkout-1',
  service_name: 'checkout',
  service_namespace: 'shop',
  deployment_environment_name: 'prod',
};

/** Records at random; every attribute set is used more than once. */
function record(provider: MeterProvider, random: Random): void {
  const meter = provider.getMeter('shop', '1.0.0', { schemaUrl: 'https://example.org/1' });
  const requests = meter.createCounter('http.requests', { unit: '{request}', description: 'Requests answered.' });
  const depth = meter.createUpDownCounter('queue.depth');
  const latency = meter.createHistogram('latency', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 0.25, 1] } });
  const size = meter.createHistogram('size', { unit: 'By' });
  for (let i = 0; i < 60; i++) {
    const attributes = { 'http.request.method': random.pick(['GET', 'POST', 'ä "']), ok: random.chance(0.5) };
    requests.add(random.pick([1, 3, 0.1, 2 ** 40]), attributes);
    depth.add(random.int(-5, 5), { queue: random.int(1, 2) });
    latency.record(random.next() * 2, attributes);
    size.record(random.chance(0.1) ? 0 : 2 ** (random.next() * 40 - 10), attributes);
  }
}

function observe(provider: MeterProvider, random: Random): void {
  const meter = provider.getMeter('shop', '1.0.0');
  const gauge = meter.createObservableGauge('cpu.utilization', { unit: '1' });
  gauge.addCallback((result) => {
    for (let cpu = 0; cpu < 3; cpu++) result.observe(random.next(), { cpu });
  });
  meter.createObservableCounter('cpu.time', { unit: 's' }).addCallback((result) => result.observe(random.int(1, 9)));
}

/** An exporter that remembers what the SDK gave it. */
function listening(exporter: PushMetricExporter, heard: ResourceMetrics[]): PushMetricExporter {
  return {
    export(metrics, done) {
      // The SDK reuses its objects.
      heard.push(structuredClone({ ...metrics, resource: undefined }) as unknown as ResourceMetrics);
      exporter.export(metrics, done);
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
    selectAggregationTemporality: (type) => exporter.selectAggregationTemporality!(type),
  };
}

/** The names that Prometheus's own receiver gives the instruments. */
const NAMES: Readonly<Record<string, string>> = {
  'http.requests': 'http_requests_total',
  'queue.depth': 'queue_depth',
  latency: 'latency_seconds',
  size: 'size_bytes',
  'cpu.utilization': 'cpu_utilization_ratio',
  'cpu.time': 'cpu_time_seconds_total',
};

/** A sample by name and labels, as text that is equal for equal samples. */
type Samples = Record<string, unknown>;

function key(name: string, labels: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label.replaceAll('.', '_')}=${String(value)}`);
  return `${name}{${pairs.sort((a, b) => (a < b ? -1 : 1)).join()}}`;
}

const msOf = ([seconds, nanos]: readonly [number, number]): number => seconds * 1000 + Math.floor(nanos / 1e6);

/** What the SDK says that it exported, as the samples that Prometheus would store. */
function samplesOf(metrics: ResourceMetrics): Samples {
  const samples: Samples = {};
  for (const metric of metrics.scopeMetrics.flatMap((scope) => scope.metrics)) {
    for (const point of metric.dataPoints) addSamples(samples, metric, point);
  }
  return samples;
}

function addSamples(samples: Samples, metric: MetricData, point: DataPoint<unknown>): void {
  const name = NAMES[metric.descriptor.name]!;
  const timeMs = msOf(point.endTime);
  const adds = metric.aggregationTemporality === AggregationTemporality.DELTA;
  const gauge = metric.dataPointType === DataPointType.GAUGE;
  const put = (suffix: string, more: Record<string, string>, value: unknown): void => {
    const mode = adds && !gauge ? ADD_ONCE : SET;
    samples[key(`${name}${suffix}`, { ...point.attributes, ...more })] = { value, timeMs, mode };
  };
  if (metric.dataPointType === DataPointType.HISTOGRAM) {
    const { buckets, count, sum } = point.value as Histogram;
    let below = 0;
    for (const [i, bound] of buckets.boundaries.entries())
      put('_bucket', { le: String(bound) }, (below += buckets.counts[i]!));
    put('_bucket', { le: '+Inf' }, count);
    put('_count', {}, count);
    put('_sum', {}, sum);
  } else if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) {
    put('', {}, nativeOf(point.value as ExponentialHistogram));
  } else {
    put('', {}, point.value);
  }
}

/** Buckets by index in Prometheus's way: the upper bound of bucket i is base^i, and no schema is finer than 8. */
function nativeOf({ count, sum = 0, scale, zeroCount, positive }: ExponentialHistogram): unknown {
  const shift = Math.max(0, scale - 8);
  const buckets: Record<number, number> = {};
  for (const [i, inBucket] of positive.bucketCounts.entries()) {
    const index = ((positive.offset + i) >> shift) + 1;
    if (inBucket > 0) buckets[index] = (buckets[index] ?? 0) + inBucket;
  }
  return { schema: scale - shift, count, sum, zeroCount, buckets };
}

function shownHistogram({ layout, count, sum, zeroCount, positive }: NativeHistogram): unknown {
  const filled = Array.from(layout.positive, (index, i) => [index, positive[i]!] as const).filter(([, n]) => n > 0);
  return { schema: layout.schema, count, sum, zeroCount, buckets: Object.fromEntries(filled) };
}

/** The rows that arrived, after a check of the labels that all of them share. */
function arrived(rows: readonly Row[]): Samples {
  const samples: Samples = {};
  for (const { labels, value, histogram, timeMs, mode } of rows) {
    const { __name__: name = '', ...rest } = labels;
    if (name === 'target_info') continue;
    expect(rest).toMatchObject(OF_RESOURCE);
    const own = Object.entries(rest).filter(([label]) => !(label in OF_RESOURCE));
    const sample = { value: histogram === undefined ? value : shownHistogram(histogram), timeMs, mode };
    samples[key(name, Object.fromEntries(own))] = sample;
  }
  return samples;
}

const TRANSPORTS: readonly Transport[] = ['http/protobuf', 'http/json', 'grpc'];
const COMPRESSIONS = ['none', 'gzip'] as const;
const { CUMULATIVE, DELTA } = AggregationTemporality;

describe(`metrics of the SDK, seed ${SEED}`, () => {
  const cases = TRANSPORTS.flatMap((transport) =>
    COMPRESSIONS.flatMap((compression) => [CUMULATIVE, DELTA].map((t) => [transport, compression, t] as const)),
  );
  test.each(cases)('over %s, %s, temporality %d', async (transport, compression, temporality) => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_COMPRESSION', compression);
    const heard: ResourceMetrics[] = [];
    const exporter = listening(metricExporter(transport, temporality), heard);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const views = [{ instrumentName: 'size', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } } as const];
    const provider = new MeterProvider({ resource, readers: [reader], views });
    const random = randomFrom(SEED);
    observe(provider, random);
    for (let round = 0; round < 2; round++) {
      const before = harness.rows.length;
      record(provider, random);
      await provider.forceFlush();
      const want = samplesOf(heard[round]!);
      expect(Object.keys(want).length).toBeGreaterThan(20);
      expect(arrived(harness.rows.slice(before))).toEqual(want);
    }
    expect([...encodings]).toEqual([compression]);
    expect(harness.counted.filter(([what]) => what === 'rejected')).toEqual([]);
    expect(harness.batches.map(({ delivery }) => delivery !== undefined)).toEqual([
      temporality === DELTA,
      temporality === DELTA,
    ]);
    await provider.shutdown();
  });

  test('the resource becomes target_info and a stream', async () => {
    const exporter = metricExporter('http/protobuf', CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ resource, readers: [reader] });
    record(provider, randomFrom(SEED));
    await provider.forceFlush();
    const info = harness.rows.filter(({ labels }) => labels['__name__'] === 'target_info');
    expect(info.length).toBeGreaterThan(0);
    for (const { labels, value } of info) {
      expect({ labels, value }).toEqual({
        labels: {
          __name__: 'target_info',
          domain: 'eu',
          job: 'shop/checkout',
          instance: 'checkout-1',
          deployment_environment_name: 'prod',
          process_command_args: '["node","main \\"ts\\""]',
          process_pid: '42',
        },
        value: 1,
      });
    }
    expect(harness.calls[1]).toMatch(
      /^metrics \[\{"job":"shop\/checkout","instance":"checkout-1","earliestMs":\d+,"latestMs":\d+\}\] \d+$/,
    );
    await provider.shutdown();
  });
});

const START_MS = Date.UTC(2026, 0, 1);

function trace(provider: NodeTracerProvider): void {
  const tracer = provider.getTracer('shop');
  const finish = (
    name: string,
    kind: SpanKind,
    durationMs: number,
    attributes: Record<string, string>,
    failed = false,
  ) => {
    const span = tracer.startSpan(name, { kind, attributes, startTime: new Date(START_MS) });
    span.addEvent('event', { 'user.mail': 'alice@example.org' });
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR, message: 'no' });
    span.end(new Date(START_MS + durationMs));
  };
  const route = { 'http.request.method': 'GET', 'http.route': '/orders/{id}' };
  finish('GET /orders/17', SpanKind.SERVER, 5, route);
  finish('GET /orders/18', SpanKind.SERVER, 100, route);
  finish('GET /orders/18', SpanKind.SERVER, 20_000, route, true);
  finish('alice@example.org', SpanKind.INTERNAL, 1, {});
}

function checkSpanMetrics(): void {
  const calls: Record<string, number> = {};
  const bucketRows: Row[] = [];
  for (const row of harness.rows) {
    expect(row.mode).toBe(ADD);
    expect(row.labels).toMatchObject({ domain: 'eu', service: 'checkout', job: 'shop/checkout' });
    const { __name__: name, span_name: span, span_kind: kind, status_code: status } = row.labels;
    if (name === 'traces_spanmetrics_calls_total')
      calls[`${span} ${kind} ${status}`] = (calls[`${span} ${kind} ${status}`] ?? 0) + row.value!;
    if (name === 'traces_spanmetrics_latency_bucket') bucketRows.push(row);
  }
  expect(calls).toEqual({
    'GET /orders/{id} SPAN_KIND_SERVER STATUS_CODE_UNSET': 2,
    'GET /orders/{id} SPAN_KIND_SERVER STATUS_CODE_ERROR': 1,
    'internal SPAN_KIND_INTERNAL STATUS_CODE_UNSET': 1,
  });
  const below = (le: string) =>
    bucketRows.filter((row) => row.labels['le'] === le).reduce((sum, row) => sum + row.value!, 0);
  expect(['0.002', '0.004', '0.008', '0.128', '16.384', '+Inf'].map(below)).toEqual([1, 1, 2, 3, 3, 4]);
  expect(JSON.stringify(harness.rows)).not.toMatch(/alice|orders\/1/);
}

describe('spans of the SDK', () => {
  const cases = TRANSPORTS.flatMap((transport) => COMPRESSIONS.map((compression) => [transport, compression] as const));
  test.each(cases)('over %s, %s', async (transport, compression) => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_COMPRESSION', compression);
    const spanProcessors = [new SimpleSpanProcessor(spanExporter(transport))];
    const provider = new NodeTracerProvider({ resource, spanProcessors });
    trace(provider);
    await provider.forceFlush();
    expect([...encodings]).toEqual([compression]);
    checkSpanMetrics();
    expect(new Set(harness.batches.map(({ delivery }) => delivery)).size).toBe(4);
    await provider.shutdown();
  });
});
