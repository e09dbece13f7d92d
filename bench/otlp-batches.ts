import protobuf from 'protobufjs';
import { randomFrom, type Random } from '../test/random.ts';
import { FIRST_BUCKET, SCHEMA, type BenchSeries, type Dataset, type Kind } from './dataset.ts';

export interface OtlpBatches {
  readonly bodies: readonly Buffer[];
  /** Data points or spans. */
  readonly items: number;
}

/** Attributes that redaction lets pass; the batches have others as well. */
export const ALLOWED_KEYS = [
  'service.name',
  'service.namespace',
  'service.instance.id',
  'telemetry.sdk.language',
  'http.request.method',
  'http.route',
  'http.response.status_code',
  'url.scheme',
  'network.protocol.version',
  'server.address',
  'k8s.pod.name',
  'series',
  'error.type',
];

/** Protobuf tags of OTLP's messages (https://github.com/open-telemetry/opentelemetry-proto), by message and field. */
const TAG = {
  requestResources: 0x0a,
  resource: 0x0a,
  resourceScopes: 0x12,
  attributes: 0x0a,
  scope: 0x0a,
  scopeName: 0x0a,
  scopeItems: 0x12,
  metricName: 0x0a,
  metricUnit: 0x1a,
  gauge: 0x2a,
  sum: 0x3a,
  exponentialHistogram: 0x52,
  points: 0x0a,
  temporality: 0x10,
  isMonotonic: 0x18,
  numberAttributes: 0x3a,
  startTime: 0x11,
  time: 0x19,
  asDouble: 0x21,
  histogramAttributes: 0x0a,
  histogramCount: 0x21,
  histogramSum: 0x29,
  histogramScale: 0x30,
  histogramPositive: 0x42,
  bucketOffset: 0x08,
  bucketCounts: 0x12,
  key: 0x0a,
  value: 0x12,
  stringValue: 0x0a,
  intValue: 0x18,
  traceId: 0x0a,
  spanId: 0x12,
  parentSpanId: 0x22,
  spanName: 0x2a,
  spanKind: 0x30,
  spanStart: 0x39,
  spanEnd: 0x41,
  spanAttributes: 0x4a,
  status: 0x7a,
  statusCode: 0x18,
};

const TEMPORALITY_CUMULATIVE = 2;

/** Requests of cumulative sums, gauges and exponential histograms, `pointsPerBatch` each, one service a request. */
export function metricBatches(data: Dataset, scrapes: number, pointsPerBatch: number, startMs: number): OtlpBatches {
  const byService = [...Map.groupBy(data.series, ({ labels }) => labels['service']!).values()];
  const attributes = new Map(data.series.map((series) => [series, pointAttributes(series)]));
  const bodies: Buffer[] = [];
  let items = 0;
  for (let scrape = 0; scrape < scrapes; scrape++) {
    data.scrape();
    for (const all of byService) {
      for (let from = 0; from < all.length; from += pointsPerBatch) {
        const part = all.slice(from, from + pointsPerBatch).filter(({ present }) => present);
        if (part.length === 0) continue;
        bodies.push(metricsBody(part, attributes, startMs));
        items += part.length;
      }
    }
  }
  return { bodies, items };
}

/** Requests of server and client spans with ten attributes each, some of which redaction takes away. */
export function spanBatches(seed: number, batches: number, spansPerBatch: number, nowMs: number): OtlpBatches {
  const random = randomFrom(seed);
  const bodies: Buffer[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const service = `service-${String(batch % 20).padStart(2, '0')}`;
    const body = request(service, (scope) => {
      for (let i = 0; i < spansPerBatch; i++) nested(scope, TAG.scopeItems, (span) => writeSpan(span, random, nowMs));
    });
    bodies.push(body);
  }
  return { bodies, items: batches * spansPerBatch };
}

/** Explicit buckets are sent by no workload. */
type OtlpKind = Exclude<Kind, 'classic'>;

const UNITS: Readonly<Record<OtlpKind, string>> = { counter: '1', gauge: 'MBy', histogram: 's' };
const NAMES: Readonly<Record<OtlpKind, string>> = {
  counter: 'http.server.requests',
  gauge: 'process.memory.resident',
  histogram: 'http.server.request.duration',
};

function metricsBody(
  part: readonly BenchSeries[],
  attributes: ReadonlyMap<BenchSeries, Uint8Array>,
  startMs: number,
): Buffer {
  return request(part[0]!.labels['service']!, (scope) => {
    for (const [kind, points] of Map.groupBy(part, otlpKind)) {
      nested(scope, TAG.scopeItems, (metric) => {
        metric.uint32(TAG.metricName).string(NAMES[kind]);
        metric.uint32(TAG.metricUnit).string(UNITS[kind]);
        const data = { counter: TAG.sum, gauge: TAG.gauge, histogram: TAG.exponentialHistogram }[kind];
        nested(metric, data, (body) => {
          for (const series of points) {
            nested(body, TAG.points, (point) => writePoint(point, series, attributes.get(series)!, startMs));
          }
          if (kind !== 'gauge') body.uint32(TAG.temporality).int32(TEMPORALITY_CUMULATIVE);
          if (kind === 'counter') body.uint32(TAG.isMonotonic).bool(true);
        });
      });
    }
  });
}

function otlpKind({ kind }: BenchSeries): OtlpKind {
  if (kind === 'classic') throw new Error('no workload sends classic histograms over OTLP');
  return kind;
}

function writePoint(point: protobuf.Writer, series: BenchSeries, attributes: Uint8Array, startMs: number): void {
  // The attributes of a histogram point are its field 1, so they come first; those of a number are its field 7.
  if (series.kind === 'histogram') append(point, TAG.histogramAttributes, attributes);
  writeNanos(point, TAG.startTime, startMs);
  writeNanos(point, TAG.time, series.timeMs);
  if (series.kind !== 'histogram') {
    point.uint32(TAG.asDouble).double(series.value);
    append(point, TAG.numberAttributes, attributes);
    return;
  }
  point.uint32(TAG.histogramCount).fixed64(series.count);
  point.uint32(TAG.histogramSum).double(series.sum);
  point.uint32(TAG.histogramScale).sint32(SCHEMA);
  nested(point, TAG.histogramPositive, (buckets) => {
    // Bucket i of OTLP ends where bucket i + 1 of Prometheus does.
    buckets.uint32(TAG.bucketOffset).sint32(FIRST_BUCKET - 1);
    nested(buckets, TAG.bucketCounts, (counts) => {
      for (const count of series.buckets) counts.uint64(count);
    });
  });
}

/** Each attribute as a message, its length before it, to be put behind the tag that the kind of point gives it. */
function pointAttributes({ labels }: BenchSeries): Uint8Array {
  const writer = new protobuf.Writer();
  const pairs: [string, string | number][] = [
    ['http.request.method', labels['method']!],
    ['http.route', labels['route']!],
    ['http.response.status_code', Number(labels['code']!)],
    ['url.scheme', 'https'],
    ['network.protocol.version', '1.1'],
    ['server.address', labels['instance']!.split(':')[0]!],
    ['k8s.pod.name', labels['pod']!],
    ['series', labels['series']!],
    ['client.address', labels['instance']!.split(':')[0]!],
    ['user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'],
  ];
  for (const [key, value] of pairs) writer.bytes(keyValue(key, value));
  return writer.finish();
}

/** Writes length-delimited messages, each behind the tag. */
function append(writer: protobuf.Writer, tag: number, messages: Uint8Array): void {
  const reader = protobuf.Reader.create(messages);
  while (reader.pos < reader.len) writer.uint32(tag).bytes(reader.bytes());
}

const ROUTES = ['/api/v1/orders/{id}', '/api/v1/customers/{id}', '/api/v1/search', '/healthz'];

function writeSpan(span: protobuf.Writer, random: Random, nowMs: number): void {
  const isServer = random.chance(0.5);
  const method = random.pick(['GET', 'POST', 'PUT']);
  const route = random.pick(ROUTES);
  const failed = random.chance(0.02);
  span.uint32(TAG.traceId).bytes(randomBytes(random, 16));
  span.uint32(TAG.spanId).bytes(randomBytes(random, 8));
  span.uint32(TAG.parentSpanId).bytes(randomBytes(random, 8));
  span.uint32(TAG.spanName).string(`${method} ${route}`);
  span.uint32(TAG.spanKind).int32(isServer ? 2 : 3);
  const endMs = nowMs - random.int(0, 1_000);
  writeNanos(span, TAG.spanStart, endMs - random.int(1, 500));
  writeNanos(span, TAG.spanEnd, endMs);
  const pairs: [string, string | number][] = [
    ['http.request.method', method],
    ['http.route', route],
    ['http.response.status_code', failed ? 500 : 200],
    ['url.scheme', 'https'],
    ['url.path', route.replace('{id}', String(random.int(1, 1_000_000)))],
    ['server.address', 'shop.example.com'],
    ['network.protocol.version', '1.1'],
    ['client.address', `10.0.${random.int(0, 255)}.${random.int(0, 255)}`],
    ['user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'],
    ['user.id', String(random.int(1, 100_000))],
  ];
  for (const [key, value] of pairs) span.uint32(TAG.spanAttributes).bytes(keyValue(key, value));
  nested(span, TAG.status, (status) => {
    if (failed) status.uint32(TAG.statusCode).int32(2);
  });
}

function request(service: string, writeScope: (scope: protobuf.Writer) => void): Buffer {
  const writer = new protobuf.Writer();
  nested(writer, TAG.requestResources, (resources) => {
    nested(resources, TAG.resource, (resource) => {
      const pairs: [string, string][] = [
        ['service.name', service],
        ['service.namespace', 'production'],
        ['service.instance.id', `${service}-0`],
        ['telemetry.sdk.language', 'nodejs'],
        ['process.command_line', '/usr/bin/node server.js --port 8080'],
      ];
      for (const [key, value] of pairs) resource.uint32(TAG.attributes).bytes(keyValue(key, value));
    });
    nested(resources, TAG.resourceScopes, (scope) => {
      nested(scope, TAG.scope, (name) => name.uint32(TAG.scopeName).string('bench'));
      writeScope(scope);
    });
  });
  return Buffer.from(writer.finish());
}

function keyValue(key: string, value: string | number): Uint8Array {
  const writer = new protobuf.Writer();
  writer.uint32(TAG.key).string(key);
  nested(writer, TAG.value, (any) => {
    if (typeof value === 'string') any.uint32(TAG.stringValue).string(value);
    else any.uint32(TAG.intValue).int64(value);
  });
  return writer.finish();
}

function nested(writer: protobuf.Writer, tag: number, write: (writer: protobuf.Writer) => void): void {
  writer.uint32(tag).fork();
  write(writer);
  writer.ldelim();
}

function writeNanos(writer: protobuf.Writer, tag: number, timeMs: number): void {
  const nanos = BigInt(timeMs) * 1_000_000n;
  writer.uint32(tag);
  writer.fixed32(Number(nanos & 0xffffffffn)).fixed32(Number(nanos >> 32n));
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.int(1, 255));
}
