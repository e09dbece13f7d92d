import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import {
  both,
  decoder,
  encode,
  encodeV1,
  encodeV2,
  outcome,
  rowsOf,
  STALE,
  T,
  UP,
  UP_LABELS,
  V1,
  V2,
  type WriteSeries,
} from './remote-write-requests.ts';

describe('samples', () => {
  test.each([
    ['a value', 1.5, 1.5],
    ['a zero, which is not sent', 0, 0],
    ['minus zero', -0, -0],
    ['infinity', -Infinity, -Infinity],
    ['a NaN', NaN, NaN],
    ['a staleness marker', STALE, 'stale'],
    ['the smallest number', 5e-324, 5e-324],
  ])('%s', (_what, value, want) => {
    const { rows, leftOut } = both([{ labels: UP, samples: [{ value, timestamp: T }] }]);
    expect(rows).toEqual([{ labels: UP_LABELS, timeMs: T, startMs: 0, value: want }]);
    expect(leftOut).toEqual({});
  });

  test.each([
    [0, 0],
    [-5, -5],
    [127, 127],
    [128, 128],
    [2 ** 31, 2 ** 31],
    [-(2 ** 31) - 1, -(2 ** 31) - 1],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  ])('the time %d', (timestamp, want) => {
    const { rows } = both([{ labels: UP, samples: [{ value: 1, timestamp }] }]);
    expect(rows.map(({ timeMs }) => timeMs)).toEqual([want]);
  });

  test('a time that no float holds is left out', () => {
    const samples = [2 ** 53, -(2 ** 60), T].map((timestamp) => ({ value: 1, timestamp }));
    const { rows, leftOut } = both([{ labels: UP, samples }]);
    expect(rows.map(({ timeMs }) => timeMs)).toEqual([T]);
    expect(leftOut).toEqual({ bad_timestamp: 2 });
  });

  test.each([
    ['a start', T - 1000, T - 1000],
    ['the time itself', T, T],
    ['a start after the sample', T + 1, T + 1],
    ['a start that no float holds', 2 ** 53, 0],
    ['none', 0, 0],
  ])('start: %s', (_what, startTimestamp, want) => {
    const samples = [{ value: 1, timestamp: T, startTimestamp }];
    expect(rowsOf(decoder()(V2, encodeV2([{ labels: UP, samples }])).batch)[0]?.startMs).toBe(want);
  });

  test('a request with nothing in it', () => {
    for (const message of [V1, V2]) {
      expect(outcome(decoder()(message, new Uint8Array(0)))).toEqual({ rows: [], leftOut: {} });
    }
  });

  test('one version taken for the other is empty', () => {
    const series = [{ labels: UP, samples: [{ value: 1, timestamp: T }] }];
    expect(rowsOf(decoder()(V2, encodeV1(series)).batch)).toEqual([]);
    expect(rowsOf(decoder()(V1, encodeV2(series)).batch)).toEqual([]);
  });
});

describe('labels', () => {
  const samples = [
    { value: 1, timestamp: T },
    { value: 2, timestamp: T + 1 },
  ];

  test.each<[string, [string, string][], Record<string, string>]>([
    [
      'in any order',
      [
        ['b', '1'],
        ['__name__', 'up'],
        ['a', '2'],
      ],
      { __name__: 'up', a: '2', b: '1', domain: 'eu' },
    ],
    [
      'empty values are absent',
      [
        ['__name__', 'up'],
        ['a', ''],
      ],
      { __name__: 'up', domain: 'eu' },
    ],
    [
      'a domain of the sender',
      [
        ['__name__', 'up'],
        ['domain', 'x'],
      ],
      { __name__: 'up', domain: 'eu', exported_domain: 'x' },
    ],
    [
      'any UTF-8',
      [
        ['__name__', 'größe.total'],
        ['mit leer', '日本 😀'],
      ],
      { __name__: 'größe.total', 'mit leer': '日本 😀', domain: 'eu' },
    ],
  ])('%s', (_what, labels, want) => {
    const { rows, leftOut } = both([{ labels, samples }]);
    expect(rows.map((row) => row.labels)).toEqual([want, want]);
    expect(leftOut).toEqual({});
  });

  const many = Array.from({ length: LIMITS.labelsPerSeries }, (_, i) => [`l${i}`, 'v'] as const);
  test.each<[string, readonly (readonly [string, string])[]]>([
    ['bad_metric_name', [['a', '1']]],
    ['bad_metric_name', []],
    ['bad_metric_name', [['__name__', '']]],
    [
      'bad_label',
      [
        ['__name__', 'up'],
        ['', 'x'],
      ],
    ],
    [
      'duplicate_label',
      [
        ['__name__', 'up'],
        ['a', 'x'],
        ['a', 'y'],
      ],
    ],
    [
      'duplicate_label',
      [
        ['__name__', 'up'],
        ['a', 'x'],
        ['a', ''],
      ],
    ],
    [
      'duplicate_label',
      [
        ['__name__', 'up'],
        ['__name__', 'up'],
      ],
    ],
    [
      'label_too_long',
      [
        ['__name__', 'up'],
        ['a', 'x'.repeat(LIMITS.labelBytes + 1)],
      ],
    ],
    [
      'label_too_long',
      [
        ['__name__', 'up'],
        ['a', 'ö'.repeat(LIMITS.labelBytes / 2 + 1)],
      ],
    ],
    [
      'label_too_long',
      [
        ['__name__', 'up'],
        ['x'.repeat(LIMITS.labelBytes * 9), 'a'],
      ],
    ],
    ['too_many_labels', [['__name__', 'up'], ...many]],
    // With the domain's label they are one too many.
    ['too_many_labels', [['__name__', 'up'], ...many.slice(1)]],
    ['too_many_labels', [['__name__', 'up'], ...many, ...many, ...many]],
  ])('%s', (reason, labels) => {
    const good = { labels: UP, samples };
    const { rows, leftOut } = both([good, { labels, samples }, good]);
    expect(rows.map((row) => row.labels)).toEqual([UP_LABELS, UP_LABELS, UP_LABELS, UP_LABELS]);
    expect(leftOut).toEqual({ [reason]: 2 });
  });

  test('the most labels and the longest ones are kept', () => {
    const value = 'x'.repeat(LIMITS.labelBytes);
    const labels = [['__name__', 'up'] as const, ...many.slice(2).map(([name]) => [name, value] as const)];
    expect(both([{ labels, samples }]).rows).toHaveLength(2);
  });

  test('a text that is not UTF-8', () => {
    const series = [
      { labels: [...UP, ['x', '\u00ff\u00ff'] as const], samples },
      { labels: UP, samples },
    ];
    for (const message of [V1, V2]) {
      const body = encode(message, series);
      const at = body.indexOf('\u00ff\u00ff');
      body.fill(0xff, at, at + 4);
      const { rows, leftOut } = outcome(decoder()(message, body));
      expect(rows).toHaveLength(2);
      expect(leftOut).toEqual({ bad_label: 2 });
    }
  });

  test('labels after the samples belong to the series as well', () => {
    const [name, ...rest] = UP;
    const parts = [encodeV1([{ labels: [name], samples: [{ value: 1, timestamp: T }] }]), encodeV1([{ labels: rest }])];
    // A message in two parts is the two of them joined.
    const bodies = parts.map((part) => part.subarray(2));
    const joined = Buffer.concat([Buffer.from([0x0a, bodies[0]!.length + bodies[1]!.length]), ...bodies]);
    expect(rowsOf(decoder()(V1, joined).batch)).toEqual([{ labels: UP_LABELS, timeMs: T, startMs: 0, value: 1 }]);
  });
});

describe('series that come again', () => {
  const series = (value: number): WriteSeries[] => [
    { labels: UP, samples: [{ value, timestamp: T + value }] },
    { labels: [...UP, ['le', '1']], samples: [{ value, timestamp: T + value }] },
    { labels: [['le', '1']], samples: [{ value, timestamp: T + value }] },
  ];

  test.each([V1, V2])('have the same handle in the next request: %s', (message) => {
    const decode = decoder();
    const handles = [1, 2, 3].map((value) => decode(message, encode(message, series(value))).batch.series);
    expect(handles[0]).toHaveLength(2);
    expect(handles[1]![0]).toBe(handles[0]![0]);
    expect(handles[2]![1]).toBe(handles[0]![1]);
    expect(handles[0]![0]).not.toBe(handles[0]![1]);
  });

  test.each([V1, V2])('are right when little is remembered: %s', (message) => {
    const decode = decoder(2048);
    for (let value = 1; value < 50; value++) {
      const { rows, leftOut } = outcome(decode(message, encode(message, series(value))));
      expect(rows.map((row) => [row.labels['le'], row.value])).toEqual([
        [undefined, value],
        ['1', value],
      ]);
      expect(leftOut).toEqual({ bad_metric_name: 1 });
    }
  });

  test('name their producers once a request, with the time of their latest sample in it', () => {
    const decode = decoder();
    const other = UP.map(([name, value]) => [name, name === 'instance' ? 'b:1' : value] as const);
    const samples = [{ value: 1, timestamp: T }];
    const later = [1, 3, 2].map((seconds) => ({ value: 1, timestamp: T + seconds * 1000 }));
    const request = (shiftMs: number) =>
      [
        { labels: UP, samples },
        { labels: other, samples },
        { labels: [...UP, ['x', 'y'] as const], samples: later },
        { labels: [...UP, ['x', 'z'] as const], samples },
      ].map((one) => ({ ...one, samples: one.samples.map((s) => ({ ...s, timestamp: s.timestamp + shiftMs })) }));
    // What one request said of a producer says nothing of the next, which may be older, and both may be at hand at once.
    const before = decode(V1, encode(V1, request(0)));
    for (const message of [V1, V2, V1]) {
      expect(decode(message, encode(message, request(-60_000))).streams).toEqual([
        { job: 'api', instance: 'a:1', earliestMs: T - 60_000, latestMs: T - 57_000 },
        { job: 'api', instance: 'b:1', earliestMs: T - 60_000, latestMs: T - 60_000 },
      ]);
    }
    expect(before.streams.map(({ latestMs }) => latestMs)).toEqual([T + 3_000, T]);
    // One whose samples are all left out was not heard.
    expect(decode(V1, encodeV1([{ labels: UP, samples: [{ value: 1, timestamp: 2 ** 60 }] }])).streams).toEqual([]);
  });
});

/** The label `__name__` with the value `a`. */
const NAMED = [0x0a, 14, 0x0a, 8, ...Buffer.from('__name__'), 0x12, 2, ...Buffer.from('ab')];

/** Series without samples; written by hand, since so many objects take long. */
function manySeriesV1(count: number): Buffer {
  const writer = new protobuf.Writer();
  for (let i = 0; i < count; i++) {
    writer.uint32(0x0a).fork().uint32(0x0a).fork();
    writer.uint32(0x0a).string('__name__').uint32(0x12).string(`m${i}`);
    writer.ldelim().ldelim();
  }
  return Buffer.from(writer.finish());
}

function manySeriesV2(count: number): Buffer {
  const writer = new protobuf.Writer();
  writer.uint32(0x22).string('__name__');
  for (let i = 0; i < count; i++) writer.uint32(0x22).string(`m${i}`);
  for (let i = 0; i < count; i++) {
    writer.uint32(0x2a).fork().uint32(0x0a).fork();
    writer.uint32(0).uint32(i + 1);
    writer.ldelim().ldelim();
  }
  return Buffer.from(writer.finish());
}

describe('malformed protobuf', () => {
  test.each<[string, number[], RegExp]>([
    ['a length past the end', [0x0a, 5, 0x0a], /a field of 5 bytes reaches past its message/],
    ['a length of 2^32', [0x1a, 0x80, 0x80, 0x80, 0x80, 0x10], /a field of 2\^32 or more bytes reaches past/],
    ['a length of eleven bytes', [0x0a, ...Array.from({ length: 11 }, () => 0xff)], /more than ten bytes/],
    ['a wrong wire type', [0x09, 0, 0, 0, 0, 0, 0, 0, 0], /field 1 of WriteRequest has wire type 1/],
    ['the end of a group that never began', [0x54], /field 10 has wire type 4/],
    ['a group that never ends', [0x53], /is cut off/],
    ['the field 0', [0x00, 0x00], /no field has this number/],
    ['a label past its series', [0x0a, 2, 0x0a, 9], /timeseries\[0\]: a field of 9 bytes reaches past its message/],
    ['a float cut off', [0x0a, 20, ...NAMED, 0x12, 2, 0x09, 1], /timeseries\[0\]: a value is cut off/],
    ['a wrong wire type in a sample', [0x0a, 20, ...NAMED, 0x12, 2, 0x08, 1], /field 1 of Sample has wire type 0/],
    ['only a tag', [0x0a], /is cut off/],
  ])('%s', (_what, body, error) => {
    // The second body has bytes after its end in memory that must not be read.
    for (const bytes of [
      Buffer.from(body),
      Buffer.alloc(64, 1).fill(Buffer.from(body), 0, body.length).subarray(0, body.length),
    ]) {
      expect(() => decoder()(V1, bytes)).toThrow(error);
    }
  });

  test('but not groups, which are passed by', () => {
    const unknown = [0x53, 0x53, 0x08, 1, 0x54, 0x12, 1, 7, 0x54];
    const body = Buffer.concat([
      Buffer.from(unknown),
      encodeV1([{ labels: UP, samples: [{ value: 1, timestamp: T }] }]),
    ]);
    expect(decoder()(V1, body).batch.times).toEqual(Float64Array.of(T));
  });

  test('more series than one request may bring anew', { timeout: 60_000 }, () => {
    const count = LIMITS.newSeriesPerRequest * 4 + 1;
    const body = manySeriesV1(count);
    expect(() => decoder()(V1, body)).toThrow(/more than 200000 series that were not sent before/);
    // Without the first of them: its tag, its length, and so many bytes.
    expect(() => decoder()(V1, body.subarray(2 + body[1]!))).not.toThrow();
    expect(() => decoder()(V2, manySeriesV2(count))).toThrow(/more than 200000 series/);
  });

  test('more series than one request may have', { timeout: 60_000 }, () => {
    const body = Buffer.alloc((LIMITS.samplesPerRequest + 1) * 2);
    for (let i = 0; i < body.length; i += 2) body[i] = 0x0a;
    expect(() => decoder()(V1, body)).toThrow(/more than 1000000 series/);
    for (let i = 0; i < body.length; i += 2) body[i] = 0x22;
    expect(() => decoder()(V2, body)).toThrow(/more than 1000000 symbols/);
  });
});
