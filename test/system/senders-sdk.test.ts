import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { NodeTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-node';
import { describe, expect, test } from 'vitest';
import { forgetfulHttpProxy } from '../senders/forgetful-proxy.ts';
import { rawSamples, sampleKey, shownCalls, type Shown } from '../senders/query-api.ts';
import { startWholeAgent } from '../senders/whole-agent.ts';

/** The OpenTelemetry SDK in a process that exports to a whole agent. */

const { CUMULATIVE, DELTA } = AggregationTemporality;
const TRANSPORTS = ['grpc', 'http/json', 'http/protobuf'] as const;
const ROUNDS = 3;
const RUN = { concurrent: true, timeout: 60_000 } as const;

/** Where an SDK exports to. */
interface Transport {
  readonly name: (typeof TRANSPORTS)[number];
  readonly url: string;
}

describe('what the SDK exports is what the local query API shows', () => {
  for (const name of TRANSPORTS) {
    for (const temporality of [CUMULATIVE, DELTA]) {
      test(`over ${name}, temporality ${AggregationTemporality[temporality]}`, RUN, async () => {
        const whole = await startWholeAgent();
        try {
          const url = name === 'grpc' ? whole.agent.grpcUrl! : whole.agent.otlpUrl;
          await compare(whole.queryUrl, { name, url }, temporality);
          expect(await whole.complaints()).toEqual([]);
        } finally {
          await whole.close();
        }
      });
    }
  }

  // Over gRPC it does not try again.
  test('once, when the first answer to each request is lost', RUN, async () => {
    const whole = await startWholeAgent();
    const proxy = await forgetfulHttpProxy(whole.agent.otlpUrl);
    try {
      await compare(whole.queryUrl, { name: 'http/json', url: proxy.url }, DELTA);
      const { dropped, answered } = proxy.counts;
      // Each round's metrics and two spans; the end of a provider exports once more.
      expect(dropped).toBeGreaterThanOrEqual(ROUNDS * 3);
      expect(answered).toBe(dropped);
      expect(await whole.complaints()).toEqual([]);
    } finally {
      await proxy.close();
      await whole.close();
    }
  });
});

const OF_RESOURCE = {
  job: 'shop/checkout',
  instance: 'checkout-1',
  service_name: 'checkout',
  service_namespace: 'shop',
};

const resource = resourceFromAttributes({
  'service.name': 'checkout',
  'service.namespace': 'shop',
  'service.instance.id': 'checkout-1',
});

async function compare(queryUrl: string, transport: Transport, temporality: AggregationTemporality): Promise<void> {
  const timesMs: number[] = [];
  const exporter = noting(metricExporter(transport, temporality), timesMs);
  const provider = new MeterProvider({
    resource,
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
    views: [
      {
        instrumentName: 'size',
        aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM, options: { maxSize: 8 } },
      },
    ],
  });
  const spanProcessors = [new SimpleSpanProcessor(spanExporter(transport))];
  const tracers = new NodeTracerProvider({ resource, spanProcessors });
  try {
    for (let round = 0; round < ROUNDS; round++) {
      record(provider);
      trace(tracers);
      await Promise.all([provider.forceFlush(), tracers.forceFlush()]);
    }
    const shown = await rawSamples(queryUrl, 0, Date.now(), '{job="shop/checkout",__name__!~"target_info|traces_.+"}');
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(samplesAt(timesMs, temporality === DELTA)));
    expect(Object.fromEntries(await shownCalls(queryUrl, 'shop/checkout'))).toEqual({
      'GET /orders/{id} SPAN_KIND_SERVER STATUS_CODE_UNSET': ROUNDS,
      'GET /orders/{id} SPAN_KIND_SERVER STATUS_CODE_ERROR': ROUNDS,
    });
  } finally {
    await provider.shutdown();
    await tracers.shutdown();
  }
}

/** An exporter that notes the time of each export's points. */
function noting(exporter: PushMetricExporter, timesMs: number[]): PushMetricExporter {
  return {
    export(metrics, done) {
      const points = metrics.scopeMetrics.flatMap((scope) => scope.metrics.flatMap((metric) => [...metric.dataPoints]));
      const times = new Set(points.map(({ endTime: [seconds, nanos] }) => seconds * 1000 + Math.floor(nanos / 1e6)));
      timesMs.push(...times);
      exporter.export(metrics, done);
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
    selectAggregationTemporality: (type) => exporter.selectAggregationTemporality!(type),
  };
}

function metricExporter({ name, url }: Transport, temporalityPreference: AggregationTemporality): PushMetricExporter {
  if (name === 'grpc') return new GrpcMetrics({ url, temporalityPreference });
  const Exporter = name === 'http/json' ? JsonMetrics : ProtobufMetrics;
  return new Exporter({ url: `${url}/v1/metrics`, temporalityPreference });
}

function spanExporter({ name, url }: Transport): SpanExporter {
  if (name === 'grpc') return new GrpcTraces({ url });
  const Exporter = name === 'http/json' ? JsonTraces : ProtobufTraces;
  return new Exporter({ url: `${url}/v1/traces` });
}

/** The same in each round, in numbers whose sums are exact. */
function record(provider: MeterProvider): void {
  const meter = provider.getMeter('shop');
  const requests = meter.createCounter('http.requests', { unit: '{request}' });
  requests.add(3, { 'http.request.method': 'GET' });
  requests.add(0.5, { 'http.request.method': 'POST' });
  meter.createUpDownCounter('queue.depth').add(-2);
  const latency = meter.createHistogram('latency', { unit: 's', advice: { explicitBucketBoundaries: [0.25, 1] } });
  for (const seconds of [0.125, 0.5, 4]) latency.record(seconds);
  const size = meter.createHistogram('size', { unit: 'By' });
  for (const bytes of [0, 1, 1024]) size.record(bytes);
}

function trace(provider: NodeTracerProvider): void {
  const tracer = provider.getTracer('shop');
  const attributes = { 'http.request.method': 'GET', 'http.route': '/orders/{id}' };
  for (const isError of [false, true]) {
    const span = tracer.startSpan('GET /orders/17', { kind: SpanKind.SERVER, attributes });
    if (isError) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }
}

/** What is to be shown of rounds at these times. A receiver counts deltas up from a zero right before the first one. */
function samplesAt(timesMs: readonly number[], isDelta: boolean): Shown {
  expect(timesMs).toHaveLength(ROUNDS);
  const shown: Shown = new Map();
  const show = (timeMs: number, name: string, value: number | string, labels: Record<string, string> = {}) => {
    shown.set(sampleKey({ __name__: name, ...OF_RESOURCE, ...labels }, timeMs), String(value));
  };
  const showAll = (timeMs: number, rounds: number) => {
    show(timeMs, 'http_requests_total', 3 * rounds, { http_request_method: 'GET' });
    show(timeMs, 'http_requests_total', 0.5 * rounds, { http_request_method: 'POST' });
    for (const [i, le] of ['0.25', '1', '+Inf'].entries()) {
      show(timeMs, 'latency_seconds_bucket', (i + 1) * rounds, { le });
    }
    show(timeMs, 'latency_seconds_count', 3 * rounds);
    show(timeMs, 'latency_seconds_sum', 4.625 * rounds);
    show(timeMs, 'size_bytes', sizes(rounds));
  };
  if (isDelta) showAll(timesMs[0]! - 1, 0);
  for (const [i, timeMs] of timesMs.entries()) {
    showAll(timeMs, i + 1);
    // Counters that go up and down have no delta temporality.
    show(timeMs, 'queue_depth', -2 * (i + 1));
  }
  return shown;
}

/** Eight buckets hold 1 and 1024 when their bounds are powers of four. */
function sizes(rounds: number): string {
  if (rounds === 0) return JSON.stringify({ count: '0', sum: '0' });
  const each = String(rounds);
  const buckets = [
    [3, '-1e-128', '1e-128', each],
    [0, '0.25', '1', each],
    [0, '256', '1024', each],
  ];
  return JSON.stringify({ count: String(3 * rounds), sum: String(1025 * rounds), buckets });
}
