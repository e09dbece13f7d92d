import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { JsonMetricsSerializer, JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  MeterProvider,
  MetricReader,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ADD, ADD_ONCE, SET } from '../../src/model/batch.ts';
import { type Harness, type Row, startReceiver } from './otlp-harness.ts';

/** Real exporters of the OpenTelemetry SDK against a receiver on a real port. */

let harness: Harness;
let url: string;
/** The Content-Encoding of each request. */
let encodings: string[];

beforeEach(async () => {
  harness = await startReceiver({ now: () => Date.now() });
  encodings = [];
  harness.app.server.on('request', ({ headers }) => encodings.push(headers['content-encoding'] ?? 'none'));
  url = await harness.app.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await harness.close();
});

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

function record(provider: MeterProvider): void {
  const meter = provider.getMeter('shop', '1.0.0', { schemaUrl: 'https://example.org/1' });
  const requests = meter.createCounter('http.requests', { unit: '{request}' });
  requests.add(3, { 'http.request.method': 'GET', ok: true });
  requests.add(4, { 'http.request.method': 'GET', ok: true });
  requests.add(1.5, { 'http.request.method': 'POST' });
  meter.createUpDownCounter('queue.depth').add(-2);
  const latency = meter.createHistogram('latency', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 0.25, 1] } });
  for (const seconds of [0.05, 0.1, 0.2, 5]) latency.record(seconds);
  meter
    .createObservableGauge('cpu.utilization', { unit: '1' })
    .addCallback((result) => result.observe(0.625, { cpu: 0 }));
}

const VALUES = {
  'http_requests_total{"http_request_method":"GET","ok":"true"}': 7,
  'http_requests_total{"http_request_method":"POST"}': 1.5,
  'queue_depth{}': -2,
  'latency_seconds_sum{}': 0.05 + 0.1 + 0.2 + 5,
  'latency_seconds_count{}': 4,
  'latency_seconds_bucket{"le":"0.1"}': 2,
  'latency_seconds_bucket{"le":"0.25"}': 3,
  'latency_seconds_bucket{"le":"1"}': 3,
  'latency_seconds_bucket{"le":"+Inf"}': 4,
  'cpu_utilization_ratio{"cpu":"0"}': 0.625,
};

/** The rows by name and own labels, after a check of the labels that all of them share. */
function valuesOf(rows: readonly Row[]): Record<string, number | undefined> {
  const values: Record<string, number | undefined> = {};
  for (const { labels, value, timeMs } of rows) {
    const { __name__: name, ...rest } = labels;
    if (name === 'target_info') continue;
    expect(rest).toMatchObject(OF_RESOURCE);
    const own = Object.entries(rest).filter(([label]) => !(label in OF_RESOURCE));
    values[`${name}${JSON.stringify(Object.fromEntries(own))}`] = value;
    expect(Math.abs(Date.now() - timeMs)).toBeLessThan(60_000);
  }
  return values;
}

function modesOf(rows: readonly Row[]): Record<string, number> {
  return Object.fromEntries(rows.map(({ labels, mode }) => [labels['__name__'], mode]));
}

describe('metrics of the SDK', () => {
  test.each([
    ['cumulative', AggregationTemporality.CUMULATIVE, 'none'],
    ['cumulative and gzipped', AggregationTemporality.CUMULATIVE, 'gzip'],
    ['delta', AggregationTemporality.DELTA, 'gzip'],
  ])('as protobuf, %s', async (_what, temporalityPreference, compression) => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_COMPRESSION', compression);
    const exporter = new OTLPMetricExporter({ url: `${url}/v1/metrics`, temporalityPreference });
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ resource, readers: [reader] });
    record(provider);
    await provider.forceFlush();
    expect(encodings).toEqual([compression]);
    expect(valuesOf(harness.rows)).toEqual(VALUES);
    const delta = temporalityPreference === AggregationTemporality.DELTA;
    expect(modesOf(harness.rows)).toMatchObject({
      http_requests_total: delta ? ADD_ONCE : SET,
      latency_seconds_bucket: delta ? ADD_ONCE : SET,
      queue_depth: SET,
      cpu_utilization_ratio: SET,
    });
    await provider.shutdown();
  });

  test('as JSON', async () => {
    const reader = new ManualReader();
    const provider = new MeterProvider({ resource, readers: [reader] });
    record(provider);
    const { resourceMetrics, errors } = await reader.collect();
    expect(errors).toEqual([]);
    await post('/v1/metrics', JsonMetricsSerializer.serializeRequest(resourceMetrics));
    expect(valuesOf(harness.rows)).toEqual(VALUES);
    await provider.shutdown();
  });

  test('the resource becomes target_info and a stream', async () => {
    const reader = new ManualReader();
    const provider = new MeterProvider({ resource, readers: [reader] });
    record(provider);
    await post('/v1/metrics', JsonMetricsSerializer.serializeRequest((await reader.collect()).resourceMetrics));
    const info = harness.rows.filter(({ labels }) => labels['__name__'] === 'target_info');
    expect(info.map(({ labels, value }) => ({ labels, value }))).toEqual([
      {
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
      },
    ]);
    expect(harness.calls[1]).toMatch(/^metrics \[\{"job":"shop\/checkout","instance":"checkout-1"\}\] \d+$/);
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
  test.each(['none', 'gzip'])('as protobuf, %s', async (compression) => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_COMPRESSION', compression);
    const exporter = new OTLPTraceExporter({ url: `${url}/v1/traces` });
    const provider = new NodeTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(exporter)] });
    trace(provider);
    await provider.forceFlush();
    expect(new Set(encodings)).toEqual(new Set([compression]));
    checkSpanMetrics();
    await provider.shutdown();
  });

  test('as JSON', async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new NodeTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(exporter)] });
    trace(provider);
    await post('/v1/traces', JsonTraceSerializer.serializeRequest(exporter.getFinishedSpans()));
    checkSpanMetrics();
    await provider.shutdown();
  });
});

class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

async function post(path: string, body: Uint8Array | undefined): Promise<void> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(body ?? []),
  });
  expect(await response.text()).toBe('{}');
  expect(response.status).toBe(200);
}
