import { describe, expect, test } from 'vitest';
import { compareCodePoints, valueText } from '../../src/wire/otlp/any-value.ts';
import type { AnyValue } from '../../src/wire/otlp/messages.ts';
import { labelName, metricName, type NameKind } from '../../src/wire/otlp/names.ts';
import { nanosToMs, plainDecimal } from '../../src/wire/otlp/numbers.ts';

describe('metric names', () => {
  test.each<[name: string, unit: string, kind: NameKind, want: string | undefined]>([
    ['http.server.request.duration', 's', 'other', 'http_server_request_duration_seconds'],
    ['system.memory.usage', 'By', 'gauge', 'system_memory_usage_bytes'],
    ['requests', '{request}', 'counter', 'requests_total'],
    ['requests.total', '1', 'counter', 'requests_total'],
    ['total.requests', '', 'counter', 'requests_total'],
    ['cpu.utilization', '1', 'gauge', 'cpu_utilization_ratio'],
    ['cpu.utilization', '1', 'other', 'cpu_utilization'],
    ['disk.io', 'By/s', 'gauge', 'disk_io_bytes_per_second'],
    ['speed', 'm/s', 'gauge', 'speed_meters_per_second'],
    ['rate', '{op}/m', 'gauge', 'rate_per_minute'],
    ['duration_seconds', 's', 'other', 'duration_seconds'],
    ['seconds.spent', 's', 'other', 'seconds_spent'],
    ['2xx.responses', '', 'counter', '_2xx_responses_total'],
    ['a::b', '', 'gauge', 'a::b'],
    ['ünï..code__x', '', 'gauge', 'n_code_x'],
    ['load', 'a%b', 'gauge', 'load_a_b'],
    ['load', 'widgets', 'gauge', 'load_widgets'],
    ['', 's', 'gauge', 'seconds'],
    ['', '', 'gauge', undefined],
    ['__', '', 'gauge', undefined],
    ['ж', '', 'gauge', undefined],
  ])('%s in %s, a %s: %s', (name, unit, kind, want) => {
    expect(metricName(name, unit, kind)).toBe(want);
  });

  test('a unit of spaces takes linear time', () => {
    expect(metricName('a', `${' '.repeat(4000)}x${' '.repeat(4000)}`, 'gauge')).toBe('a_x');
  });
});

describe('label names', () => {
  test.each([
    ['http.method', 'http_method'],
    ['1st', 'key_1st'],
    ['_private', 'key_private'],
    ['__reserved__', '__reserved__'],
    ['.dot', 'key_dot'],
    ['😀.x', '__x'],
    ['a..b', 'a__b'],
    ['x:y', 'x_y'],
    ['', undefined],
    ['__', undefined],
    ['ключ', undefined],
  ])('%s: %s', (key, want) => {
    expect(labelName(key)).toBe(want);
    expect(labelName(key)).toBe(want);
  });
});

describe('floats without an exponent', () => {
  test.each([
    [0.005, '0.005'],
    [1, '1'],
    [-0, '-0'],
    [1e21, '1000000000000000000000'],
    [1.5e22, '15000000000000000000000'],
    [-1.25e-7, '-0.000000125'],
    [5e-324, `0.${'0'.repeat(323)}5`],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [NaN, 'NaN'],
  ])('%d: %s', (value, want) => {
    expect(plainDecimal(value)).toBe(want);
  });
});

test.each([
  [0n, 0],
  [1544712660300999999n, 1544712660300],
  [1544712660301000000n, 1544712660301],
  [18446744073709551615n, 18446744073709],
])('%d ns are %d ms', (nanos, want) => {
  expect(nanosToMs(nanos)).toBe(want);
});

describe('attribute values as text', () => {
  const unset: AnyValue = {
    stringValue: undefined,
    boolValue: undefined,
    intValue: undefined,
    doubleValue: undefined,
    arrayValue: undefined,
    kvlistValue: undefined,
    bytesValue: undefined,
  };
  const of = (value: Partial<AnyValue>): AnyValue => ({ ...unset, ...value });
  test.each<[value: Partial<AnyValue>, want: string]>([
    [{}, ''],
    [{ stringValue: 'a "b"' }, 'a "b"'],
    [{ boolValue: false }, 'false'],
    [{ intValue: 9223372036854775807n }, '9223372036854775807'],
    [{ doubleValue: 1e21 }, '1e+21'],
    [{ doubleValue: -0 }, '-0'],
    [{ doubleValue: -Infinity }, '-Infinity'],
    [{ bytesValue: Uint8Array.of(0, 255) }, 'AP8='],
    [{ arrayValue: { values: [of({ stringValue: 'a\u2028' }), of({ intValue: 1 }), of({})] } }, '["a\\u2028",1,null]'],
    [{ arrayValue: { values: [of({ doubleValue: NaN })] } }, ''],
    [
      {
        kvlistValue: {
          values: [
            { key: '😀', value: of({ boolValue: true }) },
            { key: 'ﬀ', value: undefined },
            { key: 'a', value: of({ kvlistValue: { values: [] } }) },
          ],
        },
      },
      '{"a":{},"ﬀ":null,"😀":true}',
    ],
  ])('%o', (value, want) => {
    expect(valueText(of(value))).toBe(want);
  });
});

test('code points are ordered as their UTF-8 bytes are', () => {
  const texts = ['', 'a', 'aa', 'b', 'é', 'ﬀ', '\uffff', '😀', '😀a', '😁'];
  const want = texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(texts.toReversed().toSorted(compareCodePoints)).toEqual(want);
});
