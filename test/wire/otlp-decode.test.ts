import { describe, expect, test } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { OTLP_LIMITS } from '../../src/wire/otlp/bounds.ts';
import { decodeMetricsRequest, decodeTraceRequest } from '../../src/wire/otlp/decode.ts';
import type { AnyValue } from '../../src/wire/otlp/messages.ts';
import {
  metricsProtobuf,
  metricsRequest,
  type Json,
  span,
  text,
  traceProtobuf,
  traceRequest,
} from './otlp-requests.ts';

function json(value: unknown): Uint8Array {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}

function gauge(point: Json): Json {
  return metricsRequest([], [{ name: 'g', gauge: { dataPoints: [point] } }]);
}

function attribute(value: unknown): Json {
  return metricsRequest([{ key: 'k', value }], []);
}

function errorOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ComityError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('a number point reads the same from protobuf and JSON', () => {
  test.each<[field: string, sent: unknown, want: unknown]>([
    ['asInt', '9223372036854775807', 9223372036854775807n],
    ['asInt', '-9223372036854775808', -9223372036854775808n],
    ['asInt', '-9007199254740991', -9007199254740991],
    ['asInt', 12, 12],
    ['asInt', -1, -1],
    ['asDouble', 1.5, 1.5],
    ['asDouble', 'NaN', NaN],
    ['asDouble', '-Infinity', -Infinity],
    ['asDouble', 5e-324, 5e-324],
    ['timeUnixNano', '1544712660300999999', 1544712660300999999n],
    ['timeUnixNano', '18446744073709551615', 18446744073709551615n],
    ['flags', 4294967295, 4294967295],
  ])('%s %s', (field, sent, want) => {
    const request = gauge({ [field]: sent });
    for (const decoded of [
      decodeMetricsRequest(metricsProtobuf(request), 'protobuf'),
      decodeMetricsRequest(json(request), 'json'),
    ]) {
      const point = decoded.resourceMetrics[0]?.scopeMetrics[0]?.metrics[0]?.gauge?.dataPoints[0];
      expect(point).toHaveProperty(field, want);
    }
  });
});

describe('an attribute reads the same from protobuf and JSON', () => {
  test.each<[value: Json, want: Partial<AnyValue>]>([
    [{ stringValue: 'ünï😀' }, { stringValue: 'ünï😀' }],
    [{ stringValue: '' }, { stringValue: '' }],
    [{ boolValue: false }, { boolValue: false }],
    [{ intValue: '-7' }, { intValue: -7 }],
    [{ intValue: '9223372036854775807' }, { intValue: 9223372036854775807n }],
    [{ doubleValue: 0 }, { doubleValue: 0 }],
    [{ bytesValue: 'AP/+' }, { bytesValue: Buffer.from([0, 255, 254]) }],
    [{ arrayValue: {} }, { arrayValue: { values: [] } }],
  ])('%j', (value, want) => {
    const request = attribute(value);
    for (const decoded of [
      decodeMetricsRequest(metricsProtobuf(request), 'protobuf'),
      decodeMetricsRequest(json(request), 'json'),
    ]) {
      const got = decoded.resourceMetrics[0]?.resource?.attributes[0]?.value;
      const set = Object.entries(got ?? {}).filter(([, member]) => member !== undefined);
      expect(Object.fromEntries(set)).toEqual(want);
    }
  });
});

test('spans have ids in lower-case hexadecimal and times to the nanosecond', () => {
  const request = traceRequest([text('service.name', 's')], [{ ...span(2, 5000, 3), startTimeUnixNano: '4997000001' }]);
  const upper = JSON.stringify(request).replace('b7ad6b7169203331', 'B7AD6B7169203331');
  for (const decoded of [
    decodeTraceRequest(traceProtobuf(request), 'protobuf'),
    decodeTraceRequest(json(upper), 'json'),
  ]) {
    expect(decoded.resourceSpans[0]?.scopeSpans[0]?.spans[0]).toMatchObject({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      parentSpanId: '',
      kind: 2,
      startTimeUnixNano: 4997000001n,
      endTimeUnixNano: 5000000000n,
    });
  }
});

test('a JSON number that a double cannot hold keeps all of its digits', () => {
  const body =
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"timeUnixNano":1544712660300999999}]}}]}]}]}';
  const decoded = decodeMetricsRequest(json(body), 'json');
  expect(decoded.resourceMetrics[0]?.scopeMetrics[0]?.metrics[0]?.gauge?.dataPoints[0]?.timeUnixNano).toBe(
    1544712660300999999n,
  );
});

test('unknown JSON keys, nulls and snake_case are ignored', () => {
  const body =
    '{"resource_metrics":[1],"more":{"x":[]},"__proto__":{"resourceMetrics":[]},"resourceMetrics":[{"resource":null,"schemaUrl":"u"}]}';
  const decoded = decodeMetricsRequest(json(body), 'json');
  expect(decoded).toEqual({ resourceMetrics: [{ resource: undefined, scopeMetrics: [], schemaUrl: 'u' }] });
});

test('unknown protobuf fields are skipped, the last of a oneof wins, split messages merge', () => {
  const value = (bytes: number[]) => [0x0a, bytes.length + 2, 0x12, bytes.length, ...bytes];
  const resource = (bytes: number[]) => [0x0a, bytes.length, ...bytes];
  const unknown = [0xf8, 0x01, 0x96, 0x01, 0xfa, 0x01, 0x02, 1, 2];
  const parts = [...resource(value([0x0a, 1, 0x61, 0x18, 5])), ...unknown, ...resource(value([0x10, 1]))];
  const decoded = decodeMetricsRequest(Uint8Array.from([0x0a, parts.length, ...parts]), 'protobuf');
  const values = decoded.resourceMetrics[0]?.resource?.attributes.map((entry) => entry.value);
  expect(values).toMatchObject([
    { stringValue: undefined, intValue: 5 },
    { boolValue: true, intValue: undefined },
  ]);
});

test.each([
  ['packed', [0x32, 16, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]],
  ['one by one', [0x31, 3, 0, 0, 0, 0, 0, 0, 0, 0x31, 4, 0, 0, 0, 0, 0, 0, 0]],
])('counts are read %s', (_how, counts) => {
  let bytes = counts;
  // From the outside in: resource_metrics, scope_metrics, metrics, histogram, data_points.
  for (const tag of [0x0a, 0x4a, 0x12, 0x12, 0x0a]) bytes = [tag, bytes.length, ...bytes];
  const decoded = decodeMetricsRequest(Uint8Array.from(bytes), 'protobuf');
  const point = decoded.resourceMetrics[0]?.scopeMetrics[0]?.metrics[0]?.histogram?.dataPoints[0];
  expect(point?.bucketCounts).toEqual([3, 4]);
});

describe('malformed JSON names its place', () => {
  const at = 'resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0]';
  test.each<[body: unknown, want: string | RegExp]>([
    ['', /^bad_data: malformed JSON at line 1, column 1: /],
    ['{"resourceMetrics":[}', /^bad_data: malformed JSON at line 1, column 21: Unexpected token '}'/],
    ['[]', 'bad_data: the body must be an object, not an array'],
    ['null', 'bad_data: the body must be an object, not null'],
    [{ resourceMetrics: {} }, 'bad_data: resourceMetrics must be an array, not object'],
    [{ resourceMetrics: [null] }, 'bad_data: resourceMetrics[0] must be an object, not null'],
    [
      gauge({ asInt: '1.5' }),
      `bad_data: ${at}.asInt must be an integer in [-9223372036854775808, 9223372036854775808), not string "1.5"`,
    ],
    [gauge({ asInt: '9223372036854775808' }), /asInt must be an integer/],
    [gauge({ asInt: 1.5 }), /asInt must be an integer .* not number 1.5/],
    [gauge({ asInt: '' }), /asInt must be an integer/],
    [gauge({ asDouble: 'nan' }), `bad_data: ${at}.asDouble must be a number, not string "nan"`],
    [gauge({ asDouble: '' }), /asDouble must be a number/],
    [gauge({ timeUnixNano: -1 }), /timeUnixNano must be an integer in \[0, /],
    [gauge({ timeUnixNano: '9'.repeat(100) }), /timeUnixNano must be an integer/],
    [gauge({ flags: 4294967296 }), /flags must be an integer in \[0, 4294967296\)/],
    [
      attribute({ stringValue: 1 }),
      'bad_data: resourceMetrics[0].resource.attributes[0].value.stringValue must be a string, not number 1',
    ],
    [attribute({ bytesValue: 'a b' }), /bytesValue must be bytes in base64/],
    [attribute({ boolValue: 'true' }), /boolValue must be true or false/],
    [
      metricsRequest([], [{ sum: { aggregationTemporality: 'AGGREGATION_TEMPORALITY_DELTA' } }]),
      /aggregationTemporality must be an integer/,
    ],
  ])('%j', (body, want) => {
    expect(errorOf(() => decodeMetricsRequest(json(body), 'json'))).toEqual(
      typeof want === 'string' ? want : expect.stringMatching(want),
    );
  });

  test('an id that is not hexadecimal', () => {
    const request = traceRequest([], [{ traceId: 'xyz' }]);
    expect(errorOf(() => decodeTraceRequest(json(request), 'json'))).toBe(
      'bad_data: resourceSpans[0].scopeSpans[0].spans[0].traceId must be an id in hexadecimal, not string "xyz"',
    );
  });

  test('bytes that are not UTF-8', () => {
    expect(errorOf(() => decodeMetricsRequest(Uint8Array.of(0x22, 0xff, 0x22), 'json'))).toMatch(/not UTF-8/);
  });
});

describe('malformed protobuf names its byte', () => {
  test.each<[bytes: number[], want: RegExp]>([
    [[0x0a, 0x05], /at byte 2 in resourceMetrics\[0\]: a length of 5 bytes passes the end/],
    [
      [0x0a, 0x04, 0x12, 0x02, 0x12, 0x05],
      /at byte 6 in resourceMetrics\[0\].scopeMetrics\[0\].metrics\[0\]: a length of 5/,
    ],
    [[0x08, 0x01], /at byte 1: field resourceMetrics has wire type 0 instead of 2/],
    [[0x0b], /at byte 1: field resourceMetrics has wire type 3/],
    [[0x0a, 0x02, 0x0d, 0x00], /resourceMetrics\[0\]: field ResourceMetrics.resource has wire type 5 instead of 2/],
    [[0xfb, 0x01], /field 31 of ExportMetricsServiceRequest has wire type 3/],
    [[0x00], /field 0 of ExportMetricsServiceRequest/],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], /invalid tag/],
    [[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], /bad_data: malformed protobuf at byte /],
    [[0x0a, 0x02, 0x1a, 0x7f], /at byte 4 in resourceMetrics\[0\]: index out of range/],
  ])('%j', (bytes, want) => {
    expect(errorOf(() => decodeMetricsRequest(Uint8Array.from(bytes), 'protobuf'))).toMatch(want);
  });
});

describe('what could fill the memory or the stack is refused', () => {
  /** Lists in lists, as protobuf. */
  function nested(depth: number): Uint8Array {
    let bytes: Buffer = Buffer.alloc(0);
    const wrap = (tag: number) => {
      const length = [];
      for (let rest = bytes.length; ; rest >>>= 7) {
        length.push(rest > 127 ? (rest & 127) | 128 : rest);
        if (rest <= 127) break;
      }
      bytes = Buffer.concat([Buffer.from([tag, ...length]), bytes]);
    };
    for (let i = 0; i < depth; i++) {
      wrap(0x0a); // ArrayValue.values
      wrap(0x2a); // AnyValue.array_value
    }
    wrap(0x12); // KeyValue.value
    for (let i = 0; i < 3; i++) wrap(0x0a);
    return bytes;
  }

  test.each([
    [20, 'no error'],
    [100, 'nested deeper'],
    [3000, 'nested deeper'],
  ])('protobuf lists nested %i deep: %s', (depth, want) => {
    expect(errorOf(() => decodeMetricsRequest(nested(depth), 'protobuf'))).toContain(want);
  });

  test.each([
    [20, 'no error'],
    [1_000_000, 'nested deeper'],
  ])('JSON lists nested %i deep: %s', (depth, want) => {
    const open = '{"arrayValue":{"values":['.repeat(depth);
    const body = `{"resourceMetrics":[{"resource":{"attributes":[{"value":${open}${']}}'.repeat(depth)}}]}}]}`;
    expect(errorOf(() => decodeMetricsRequest(json(body), 'json'))).toContain(want);
  });

  test('protobuf of empty messages', () => {
    const body = Buffer.alloc(2 * (OTLP_LIMITS.elements + 1));
    for (let i = 0; i < body.length; i += 2) body[i] = 0x0a;
    expect(errorOf(() => decodeMetricsRequest(body, 'protobuf'))).toMatch(/^body_too_large: .* Send smaller batches/);
    expect(decodeMetricsRequest(body.subarray(0, 2000), 'protobuf').resourceMetrics).toHaveLength(1000);
  });

  test('JSON of empty messages', () => {
    const body = (n: number) => json(`{"resourceMetrics":[{}${',{}'.repeat(n - 1)}]}`);
    expect(errorOf(() => decodeMetricsRequest(body(OTLP_LIMITS.elements + 1), 'json'))).toMatch(/^body_too_large/);
    expect(errorOf(() => decodeMetricsRequest(body(OTLP_LIMITS.jsonValues), 'json'))).toMatch(/^body_too_large/);
    expect(decodeMetricsRequest(body(1000), 'json').resourceMetrics).toHaveLength(1000);
  });

  test('a JSON object of very many members, which takes seconds to make', () => {
    const members = (n: number) => Array.from({ length: n }, (_, i) => `"x${i}":[1,{"y":2}]`).join(',');
    const body = (n: number) => json(`{"resourceMetrics":[{"schemaUrl":"s",${members(n - 1)}},{${members(3)}}]}`);
    expect(errorOf(() => decodeMetricsRequest(body(OTLP_LIMITS.jsonMembers + 1), 'json'))).toMatch(
      /^bad_data: malformed JSON at byte \d+: more than 1000 members in one object$/,
    );
    expect(decodeMetricsRequest(body(OTLP_LIMITS.jsonMembers), 'json').resourceMetrics).toHaveLength(2);
  });

  test('a JSON integer of a million digits takes no time', () => {
    const body = json(`{"resourceMetrics":[{"schemaUrl":"${'9'.repeat(20)}","x":${'9'.repeat(1_000_000)}}]}`);
    expect(decodeMetricsRequest(body, 'json').resourceMetrics[0]?.schemaUrl).toBe('9'.repeat(20));
  });
});
