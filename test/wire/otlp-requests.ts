import { encodeMessage } from '../../src/wire/otlp/schema.ts';
import type { Random } from '../random.ts';

/** A message in the shape of OTLP/JSON. */
export type Json = Record<string, unknown>;

export function metricsProtobuf(request: Json): Uint8Array {
  return encodeMessage(
    'opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest',
    idsToBytes(request) as Json,
  );
}

export function traceProtobuf(request: Json): Uint8Array {
  return encodeMessage('opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest', idsToBytes(request) as Json);
}

export function nanos(timeMs: number, rest = 0): string {
  return String(BigInt(timeMs) * 1_000_000n + BigInt(rest));
}

export function text(key: string, value: string): Json {
  return { key, value: { stringValue: value } };
}

/** One resource with one scope. */
export function metricsRequest(attributes: readonly Json[], metrics: readonly Json[]): Json {
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics }] }] };
}

/** One resource with one scope. */
export function traceRequest(attributes: readonly Json[], spans: readonly Json[]): Json {
  return { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] };
}

/** A span of `durationMs` that ends at `endMs`. */
export function span(kind: number, endMs: number, durationMs: number, attributes: readonly Json[] = []): Json {
  return {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    name: 'a name that may hold a secret',
    kind,
    startTimeUnixNano: nanos(endMs - durationMs),
    endTimeUnixNano: nanos(endMs),
    attributes,
  };
}

/** How a random request is made. */
export interface RequestOptions {
  /** Points lie in the ten minutes after this time. */
  readonly startMs: number;
  /** 1 makes delta sums and histograms, 2 cumulative ones. */
  readonly temporality: number;
  /** Whether every observation of an explicit histogram is in one of its buckets. */
  readonly countsFit?: boolean;
}

/**
 * A request with odd names, units and attributes, every part of which Prometheus takes: no two points of it are the same
 * sample, and every attribute makes a label name.
 */
export function randomMetricsRequest(random: Random, options: RequestOptions): Json {
  const resources = random.int(1, 4);
  let metric = 0;
  return {
    resourceMetrics: Array.from({ length: resources }, (_, resource) => ({
      resource: { attributes: resourceAttributes(random, resource) },
      scopeMetrics: Array.from({ length: random.int(1, 2) }, () => ({
        scope: { name: 'scope', version: '1', attributes: [text('scope.attribute', 'x')] },
        metrics: Array.from({ length: random.int(1, 6) }, () => randomMetric(random, metric++, options)),
      })),
    })),
  };
}

const NAME_PARTS = [
  'http.server',
  'request',
  'total',
  'ratio',
  'seconds',
  'bytes',
  '9',
  '__',
  '.',
  ':',
  'ä',
  '😀',
  ' ',
  '-',
  'per',
  'a_b',
  '%',
  'CamelCase',
  'per_second',
  '',
];
const UNITS = [
  '',
  '1',
  's',
  'ms',
  'us',
  'By',
  'KiBy',
  'MBy',
  'm',
  '%',
  'Cel',
  'Hz',
  '{request}',
  '{request}/s',
  'By/s',
  'm/s',
  's/{op}',
  'requests/s',
  'foo',
  'a b',
  ' s ',
  'µs',
  'a%',
  'a%/m',
  '/s',
  'By/',
  'x/y/z',
  '__',
  '1/s',
  'total',
  '%/%',
  '\u0085s\u00a0',
  'w',
  '10^3.m',
  '{x',
  'd/mo',
  '😀/😀',
];
const KEYS = [
  'http.method',
  'http_method',
  'http-method',
  'HTTP.method',
  '1st',
  '_private',
  '__reserved__',
  '__name__',
  'le',
  'quantile',
  'job',
  'instance',
  'ключ.a',
  '😀x',
  'a..b',
  'a__b',
  'a.b',
  'z',
  'service.name',
  'otel.scope',
  'ﬀ.x',
  '😀-x',
  'x.',
  'x:y',
];
const STRINGS = [
  '',
  'a',
  'b;c',
  'ünïcødé',
  '😀',
  'line\nbreak',
  '"quoted"',
  '<&>',
  '\u2028',
  ' ',
  '\u0000\u0007',
  '\\',
];
const INTS = ['0', '-1', '7', '9007199254740993', '-9223372036854775808', '9223372036854775807', 12, -3];
const DOUBLES = [
  0,
  1.5,
  -0.1,
  1e21,
  123456789012345680000,
  1e-6,
  1e-7,
  -1.5e300,
  5e-324,
  'NaN',
  'Infinity',
  '-Infinity',
  3,
];
const BOUNDS = [-1e22, -2.5, 0, 1e-9, 0.005, 0.25, 1, 10, 123456.789, 1e15, 1e21, 1.5e22];

function resourceAttributes(random: Random, index: number): Json[] {
  const attributes = random.subset(
    [text('service.name', `service-${index}`), text('service.namespace', random.pick(['shop', 'ns/x', 'ä']))],
    0.8,
  );
  if (random.chance(0.7)) attributes.push(text('service.instance.id', `instance ${index}`));
  return [...attributes, ...randomAttributes(random, 4).filter(({ key }) => key !== 'service.name')];
}

function randomAttributes(random: Random, most: number): Json[] {
  const keys = random.subset(KEYS, most / KEYS.length);
  return keys.map((key) => ({ key, value: randomValue(random, 0) })).sort(() => random.next() - 0.5);
}

function randomValue(random: Random, depth: number): Json {
  const nested = depth < 2;
  switch (random.int(0, nested ? 8 : 5)) {
    case 0:
    case 1:
      return { stringValue: random.pick(STRINGS) };
    case 2:
      return { boolValue: random.chance(0.5) };
    case 3:
      return { intValue: random.pick(INTS) };
    case 4:
      return { doubleValue: random.pick(DOUBLES) };
    case 5:
      return random.chance(0.5) ? { bytesValue: Buffer.from([0, 1, 255, 62]).toString('base64') } : {};
    case 6:
      return { arrayValue: { values: times(random.int(0, 3), () => randomValue(random, depth + 1)) } };
    default:
      return {
        kvlistValue: {
          values: random
            .subset(['b', 'a', '😀', 'ﬀ', '"'], 0.5)
            .map((key) => ({ key, value: randomValue(random, depth + 1) })),
        },
      };
  }
}

function randomMetric(random: Random, index: number, options: RequestOptions): Json {
  const name = `${part(random)}m${index}${part(random)}`;
  const metric = { name, unit: random.pick(UNITS), description: 'for people' };
  const points = times(random.int(1, 4), (i) => ({
    attributes: [...randomAttributes(random, 5), text('point', String(i))],
    timeUnixNano: nanos(options.startMs + random.int(1, 600_000), random.pick([0, 1, 999_999, 500_000])),
    startTimeUnixNano: nanos(options.startMs),
    flags: random.chance(0.1) ? 1 : 0,
    exemplars: random.chance(0.3) ? exemplars(random, options.startMs) : [],
  }));
  const aggregationTemporality = options.temporality;
  switch (random.int(0, 6)) {
    case 0:
      return { ...metric, gauge: { dataPoints: points.map((point) => ({ ...point, ...number(random) })) } };
    case 1:
    case 2: {
      const dataPoints = points.map((point) => ({ ...point, ...number(random) }));
      return { ...metric, sum: { dataPoints, isMonotonic: random.chance(0.6), aggregationTemporality } };
    }
    case 3:
      return {
        ...metric,
        histogram: {
          dataPoints: points.map((point) => ({ ...point, ...buckets(random, options.countsFit === true) })),
          aggregationTemporality,
        },
      };
    case 4:
    case 5: {
      const dataPoints = points.map((point) => ({ ...point, ...exponential(random) }));
      return { ...metric, exponentialHistogram: { dataPoints, aggregationTemporality } };
    }
    default:
      return { ...metric, summary: { dataPoints: points.map((point) => ({ ...point, ...quantiles(random) })) } };
  }
}

/** Exemplars in the order of their times and values. */
function exemplars(random: Random, startMs: number): Json[] {
  const values = times(random.int(1, 3), () => random.int(-3, 20) / 2).sort((a, b) => a - b);
  return values.map((value, i) => ({
    timeUnixNano: nanos(startMs + i, random.pick([0, 999_999])),
    ...(random.chance(0.3) ? { asInt: String(Math.floor(value)) } : { asDouble: value }),
    ...(random.chance(0.7) ? { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' } : {}),
    filteredAttributes: random.subset(
      [text('user', 'x'), text('code', '200'), text('path', '/'.repeat(40)), text('a_key', 'y'.repeat(30))],
      0.4,
    ),
  }));
}

function part(random: Random): string {
  return times(random.int(0, 3), () => random.pick(NAME_PARTS)).join('');
}

function number(random: Random): Json {
  return random.chance(0.5) ? { asInt: random.pick(INTS) } : { asDouble: random.pick(DOUBLES) };
}

function buckets(random: Random, countsFit: boolean): Json {
  const explicitBounds = random.subset(BOUNDS, 0.4);
  const bucketCounts =
    countsFit || random.chance(0.9) ? times(explicitBounds.length + 1, () => random.int(0, 1000)) : [];
  const count = countsFit || random.chance(0.9) ? bucketCounts.reduce((sum, n) => sum + n, 0) : random.int(0, 5000);
  return {
    explicitBounds,
    bucketCounts: bucketCounts.map(String),
    count,
    ...(random.chance(0.8) ? { sum: random.pick(DOUBLES) } : {}),
  };
}

/** Finer scales than Prometheus's have no empty buckets, which its receiver of 3.15 puts into wrong places. */
function exponential(random: Random): Json {
  const scale = random.int(-4, 12);
  const side = () => ({
    offset: random.int(-20, 40),
    bucketCounts: times(random.int(0, 12), () => (scale <= 8 && random.chance(0.4) ? 0 : random.int(1, 500))),
  });
  const positive = side();
  const negative = random.chance(0.5) ? side() : undefined;
  const zeroCount = random.int(0, 3);
  const total = [...positive.bucketCounts, ...(negative?.bucketCounts ?? [])].reduce((sum, n) => sum + n, zeroCount);
  return {
    scale,
    zeroCount,
    zeroThreshold: random.pick([0, 1e-9]),
    positive: { ...positive, bucketCounts: positive.bucketCounts.map(String) },
    ...(negative === undefined ? {} : { negative: { ...negative, bucketCounts: negative.bucketCounts.map(String) } }),
    count: String(total),
    ...(random.chance(0.8) ? { sum: total === 0 ? 0 : random.pick([1.5, -3, 1e21]) } : {}),
    min: -1,
    max: 5,
  };
}

function quantiles(random: Random): Json {
  const quantileValues = random
    .subset([0, 0.5, 0.99, 0.999999999, 1e-7, 1], 0.5)
    .map((quantile) => ({ quantile, value: random.pick(DOUBLES) }));
  return { quantileValues, count: random.int(0, 1000), sum: random.pick(DOUBLES) };
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** OTLP/JSON has ids in hexadecimal where protobuf's own JSON has base64. */
function idsToBytes(value: unknown, key = ''): unknown {
  if (typeof value === 'string' && /^(trace|span|parentSpan)Id$/.test(key)) return Buffer.from(value, 'hex');
  if (Array.isArray(value)) return value.map((item: unknown) => idsToBytes(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, idsToBytes(member, name)]));
}
