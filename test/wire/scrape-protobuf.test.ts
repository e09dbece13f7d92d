import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { isStaleAt, setStaleAt } from '../../src/model/series.ts';
import type { ParseOptions } from '../../src/wire/scrape/exposition.ts';
import { delimited, time, TYPE, type Message } from './scrape-families.ts';
import { expose, PROTOBUF, shown, shownHistogram } from './scrape-rows.ts';

const CLASSIC_TOO: ParseOptions = { keepClassic: true, toCustomBuckets: false };
const CONVERTED: ParseOptions = { keepClassic: false, toCustomBuckets: true };
const BOTH: ParseOptions = { keepClassic: true, toCustomBuckets: true };

function check(families: readonly Message[], want: readonly string[], options?: ParseOptions): void {
  const { rows, error } = expose(delimited(...families), PROTOBUF, options);
  expect(error).toBeUndefined();
  expect(rows.map(shown)).toEqual(want);
}

function refuses(body: Uint8Array, message: string, options?: ParseOptions): void {
  expect(expose(body, PROTOBUF, options).error).toContain(message);
}

const NATIVE = {
  sampleCount: 10,
  sampleSum: 12.5,
  schema: 3,
  zeroThreshold: 0.001,
  zeroCount: 1,
  positiveSpan: [
    { offset: -2, length: 2 },
    { offset: 1, length: 1 },
  ],
  positiveDelta: [2, 1, -1],
  negativeSpan: [{ offset: 0, length: 2 }],
  negativeDelta: [0, 2],
};
const NATIVE_SHOWN = 'schema=3 hint=0 count=10 sum=12.5 zero=0.001:1 [-2:2 -1:3 1:2] [1:2] ()';
const BUCKETS = [
  { upperBound: 0.5, cumulativeCount: 3 },
  { upperBound: 1e6, cumulativeCount: 7 },
  { upperBound: Infinity, cumulativeCount: 10 },
];
const BUCKETS_SHOWN = [
  'h_count{} 10',
  'h_sum{} 12.5',
  'h_bucket{le=0.5} 3',
  'h_bucket{le=1e+06} 7',
  'h_bucket{le=+Inf} 10',
];
const CUSTOM_SHOWN = 'schema=-53 hint=0 count=10 sum=12.5 zero=0:0 [0:3 1:4 2:3] [] (0.5 1000000)';

function histogram(message: Message, type: number = TYPE.histogram): Message {
  return { name: 'h', type, metric: [{ histogram: message }] };
}

describe('samples', () => {
  test('of each plain type', () => {
    const label = [
      { name: 'z', value: '1' },
      { name: 'x.y', value: 'é' },
      { name: 'empty', value: '' },
    ];
    check(
      [
        { name: 'c', type: TYPE.counter, metric: [{ label, counter: { value: 1.5 }, timestampMs: 12 }] },
        { name: 'g', type: TYPE.gauge, metric: [{ gauge: { value: NaN } }, { label, gauge: {}, timestampMs: -5 }] },
        { name: 'u', type: TYPE.untyped, metric: [{ untyped: { value: -1 } }] },
        { name: 'no metrics', type: 77, metric: [] },
        { name: 'other', type: TYPE.gauge, metric: [{ counter: { value: 1 } }] },
      ],
      ['c{x.y=é,z=1} 1.5 @12', 'g{} NaN', 'g{x.y=é,z=1} 0 @-5', 'u{} -1', 'other{} 0'],
    );
  });

  test('are no staleness markers, whatever their bits', () => {
    const body = delimited({ name: 'g', type: TYPE.gauge, metric: [{ gauge: { value: NaN } }] });
    const stale = new Float64Array(1);
    setStaleAt(stale, 0);
    Buffer.from(stale.buffer).copy(body, body.length - 8);
    const values = new Float64Array(1);
    values[0] = expose(body, PROTOBUF).rows[0]!.value as number;
    expect([Number.isNaN(values[0]), isStaleAt(values, 0)]).toEqual([true, false]);
  });

  test('of summaries', () => {
    const quantile = [
      { quantile: 0.5, value: 1 },
      { quantile: 1, value: NaN },
    ];
    check(
      [
        {
          name: 's',
          type: TYPE.summary,
          metric: [{ summary: { sampleCount: 5, sampleSum: 2.5, quantile } }, { summary: {} }],
        },
      ],
      ['s_count{} 5', 's_sum{} 2.5', 's{quantile=0.5} 1', 's{quantile=1.0} NaN', 's_count{} 0', 's_sum{} 0'],
    );
  });

  test('of classic histograms: a bucket of all is added, nothing comes after one', () => {
    check([histogram({ sampleCount: 10, sampleSum: 12.5, bucket: BUCKETS })], BUCKETS_SHOWN);
    check([histogram({ sampleCount: 10, sampleSum: 12.5, bucket: BUCKETS.slice(0, 2) })], BUCKETS_SHOWN);
    check(
      [histogram({ sampleCount: 10, sampleSum: 12.5, bucket: BUCKETS.toReversed() })],
      ['h_count{} 10', 'h_sum{} 12.5', 'h_bucket{le=+Inf} 10'],
    );
    check(
      [
        histogram({
          sampleCountFloat: 1.5,
          sampleCount: 3,
          bucket: [{ upperBound: 1, cumulativeCount: 3, cumulativeCountFloat: 0.5 }],
        }),
      ],
      ['h_count{} 1.5', 'h_sum{} 0', 'h_bucket{le=1.0} 0.5', 'h_bucket{le=+Inf} 1.5'],
    );
  });

  test('of a metric are read though they stand before its family', () => {
    const body = delimited({ name: 'c', type: TYPE.gauge, metric: [{ gauge: { value: 2 } }] });
    // name (3 bytes), type (2), metric (13): the metric first.
    const reordered = Buffer.concat([body.subarray(0, 1), body.subarray(6), body.subarray(1, 6)]);
    expect(expose(reordered, PROTOBUF).rows.map(shown)).toEqual(['c{} 2']);
  });
});

describe('native histograms', () => {
  test('integers, floats, gauges', () => {
    check([histogram(NATIVE)], [`h{} ${NATIVE_SHOWN}`]);
    check([histogram(NATIVE, TYPE.gaugeHistogram)], [`h{} ${NATIVE_SHOWN.replace('hint=0', 'hint=3')}`]);
    const float = {
      ...NATIVE,
      sampleCountFloat: 10.5,
      zeroCountFloat: 0.5,
      positiveCount: [2, 3, 2],
      negativeCount: [0, 2],
    };
    check(
      [histogram(float)],
      [`h{} ${NATIVE_SHOWN.replace('count=10', 'count=10.5').replace('0.001:1', '0.001:0.5')}`],
    );
    check(
      [histogram({ positiveSpan: [{ offset: 0, length: 0 }] })],
      ['h{} schema=0 hint=0 count=0 sum=0 zero=0:0 [] [] ()'],
    );
  });

  test('are without empty buckets', () => {
    const [row] = expose(delimited(histogram(NATIVE)), PROTOBUF).rows;
    expect(row?.value).toMatchObject({
      layout: { positive: Int32Array.of(-2, -1, 1), negative: Int32Array.of(1) },
      positive: Float64Array.of(2, 3, 2),
      negative: Float64Array.of(2),
    });
  });

  test('the classic form beside them only where it is wanted', () => {
    const message = { ...NATIVE, bucket: BUCKETS };
    check([histogram(message)], [`h{} ${NATIVE_SHOWN}`]);
    check([histogram(message)], [`h{} ${NATIVE_SHOWN}`, ...BUCKETS_SHOWN], CLASSIC_TOO);
    check([histogram(message)], [`h{} ${NATIVE_SHOWN}`, ...BUCKETS_SHOWN], BOTH);
    check([histogram(NATIVE)], [`h{} ${NATIVE_SHOWN}`], CLASSIC_TOO);
    check([histogram(message)], BUCKETS_SHOWN, { ...CLASSIC_TOO, ignoreNative: true });
  });

  test('classic ones are converted where that is wanted', () => {
    const message = { sampleCount: 10, sampleSum: 12.5, bucket: BUCKETS };
    check([histogram(message)], [`h{} ${CUSTOM_SHOWN}`], CONVERTED);
    check([histogram(message)], [...BUCKETS_SHOWN, `h{} ${CUSTOM_SHOWN}`], BOTH);
    check([histogram({ ...NATIVE, bucket: BUCKETS })], [`h{} ${NATIVE_SHOWN}`], CONVERTED);
    check([histogram({ ...NATIVE, bucket: BUCKETS })], [`h{} ${CUSTOM_SHOWN}`], { ...CONVERTED, ignoreNative: true });
    check([histogram(message, TYPE.gaugeHistogram)], [`h{} ${CUSTOM_SHOWN.replace('hint=0', 'hint=3')}`], CONVERTED);
  });

  test.each<[string, Message]>([
    ['its buckets hold 11 observations, its count is 10', { ...NATIVE, zeroCount: 2 }],
    ['its schema is 9, which is not from -4 to 8', { ...NATIVE, schema: 9 }],
    ['its schema is -5', { ...NATIVE, schema: -5 }],
    ['the spans are for 3 positive buckets, 2 are given', { ...NATIVE, positiveDelta: [2, 1] }],
    ['negative bucket 1 has the count -1', { ...NATIVE, negativeDelta: [-1, 3] }],
    [
      'negative bucket 2 is not above those before it',
      {
        ...NATIVE,
        negativeSpan: [
          { offset: 0, length: 1 },
          { offset: -1, length: 1 },
        ],
        negativeDelta: [1, 0],
      },
    ],
    [
      'its count is -1',
      { ...NATIVE, zeroCountFloat: 1, sampleCountFloat: -1, positiveCount: [1, 1, 1], negativeCount: [1, 1] },
    ],
    [
      `more than ${LIMITS.bucketsPerHistogram} buckets`,
      { positiveSpan: [{ length: 5000 }], positiveDelta: Array.from({ length: 5000 }, () => 0) },
    ],
  ])('are refused for %s', (message, native) => refuses(delimited(histogram(native)), message));

  test('observations of NaN are in no bucket', () => {
    check(
      [histogram({ ...NATIVE, sampleCount: 12, sampleSum: NaN })],
      [`h{} ${NATIVE_SHOWN.replace('count=10 sum=12.5', 'count=12 sum=NaN')}`],
    );
  });

  test('a conversion that fails refuses the scrape', () => {
    const buckets = (...counts: number[]) => counts.map((cumulativeCount, i) => ({ upperBound: i, cumulativeCount }));
    refuses(delimited(histogram({ sampleCount: 5, bucket: buckets(3, 2) })), 'not cumulative', CONVERTED);
    refuses(delimited(histogram({ sampleCount: 1, bucket: buckets(3) })), 'fewer than in its buckets', CONVERTED);
    const many = buckets(...Array.from({ length: 600 }, (_, i) => i));
    refuses(delimited(histogram({ sampleCount: 600, bucket: many })), 'more than 512 buckets', CONVERTED);
  });
});

describe('what comes with samples', () => {
  const exemplar = (value: number, ms?: number) => ({
    label: [{ name: 'trace_id', value: 'x' }],
    value,
    ...(ms === undefined ? {} : { timestamp: time(ms) }),
  });

  test('exemplars: of native histograms only those with a time', () => {
    const exemplarsOf = (message: Message, options?: ParseOptions) =>
      expose(delimited(message), PROTOBUF, options).rows.map(({ exemplars }) =>
        exemplars.map(({ value, timeMs }) => [value, timeMs]),
      );
    expect(exemplarsOf({ name: 'c', type: 0, metric: [{ counter: { value: 1, exemplar: exemplar(1) } }] })).toEqual([
      [[1, undefined]],
    ]);
    const timeless = { ...exemplar(1), timestamp: { seconds: 2 ** 53 } };
    expect(exemplarsOf({ name: 'c', type: 0, metric: [{ counter: { value: 1, exemplar: timeless } }] })).toEqual([[]]);
    const bucket = [
      { upperBound: 1, cumulativeCount: 3, exemplar: exemplar(0.5) },
      { upperBound: 2, cumulativeCount: 10, exemplar: exemplar(1.5, 1234) },
    ];
    const classic = histogram({ sampleCount: 10, bucket });
    expect(exemplarsOf(classic)).toEqual([[], [], [[0.5, undefined]], [[1.5, 1234]], []]);
    expect(exemplarsOf(classic, CONVERTED)).toEqual([[[1.5, 1234]]]);
    expect(exemplarsOf(histogram({ ...NATIVE, bucket }))).toEqual([[[1.5, 1234]]]);
    const own = { ...NATIVE, bucket, exemplars: [exemplar(7, 1), exemplar(8), exemplar(9, 2)] };
    expect(exemplarsOf(histogram(own))).toEqual([
      [
        [7, 1],
        [9, 2],
      ],
    ]);
  });

  test('start times', () => {
    const startTimestamp = time(1_700_000_000_123);
    const { rows } = expose(
      delimited(
        {
          name: 'c',
          type: TYPE.counter,
          metric: [{ counter: { value: 1, startTimestamp } }, { counter: { value: 1 } }],
        },
        { name: 's', type: TYPE.summary, metric: [{ summary: { startTimestamp } }] },
        histogram({ ...NATIVE, startTimestamp, bucket: BUCKETS }),
        { name: 'g', type: TYPE.gauge, metric: [{ gauge: { value: 1 }, counter: { startTimestamp } }] },
      ),
      PROTOBUF,
    );
    expect(rows.map((row) => row.startMs)).toEqual([
      1_700_000_000_123, 0, 1_700_000_000_123, 1_700_000_000_123, 1_700_000_000_123, 0,
    ]);
  });

  test('metadata, but none of families without metrics', () => {
    const { metadata } = expose(
      delimited(
        { name: 'e', help: 'x' },
        { name: 'c', help: 'h\n"', unit: 's', type: TYPE.untyped, metric: [{ untyped: {} }] },
      ),
      PROTOBUF,
    );
    expect(metadata).toEqual([{ metric: 'c', type: 'unknown', help: 'h\n"', unit: 's' }]);
  });
});

describe('is refused', () => {
  const gauge = (label: Message[]) =>
    delimited({ name: 'g', type: TYPE.gauge, metric: [{ label, gauge: { value: 1 } }] });

  test.each<[string, Uint8Array]>([
    ['a field of 5 bytes reaches past its message', Buffer.from([5, 10, 1])],
    ['a field of 2^32 or more bytes', Buffer.from([0x80, 0x80, 0x80, 0x80, 0x10])],
    ['a number is cut off', Buffer.from([0x80])],
    ['a number has more than ten bytes', Buffer.from([11, ...Array.from({ length: 11 }, () => 0xff)])],
    ['no field has this number', Buffer.from([1, 0])],
    ['field 1 has wire type 0, not 2', Buffer.from([2, 8, 1])],
    ['which does not exist or ends nothing', Buffer.from([1, 0x7c])],
    ['name is empty', delimited({ name: '', metric: [{}] })],
    ['has the type 9, which does not exist', delimited({ name: 'x', type: 9, metric: [{}] })],
    [
      'two labels "a"',
      gauge([
        { name: 'a', value: '1' },
        { name: 'a', value: '2' },
      ]),
    ],
    ['a label without a name', gauge([{ name: '', value: '1' }])],
    [
      'two labels "le"',
      delimited({ name: 'h', type: TYPE.histogram, metric: [{ label: [{ name: 'le', value: '1' }] }] }),
    ],
  ])('%s', (message, body) => refuses(body, message));

  test('text that is no UTF-8', () => {
    const body = delimited({ name: 'NNNN', help: 'HHHH', metric: [{ label: [{ name: 'LLLL', value: 'VVVV' }] }] });
    for (const part of ['NNNN', 'HHHH', 'LLLL', 'VVVV']) {
      const broken = Buffer.from(body);
      broken[broken.indexOf(part) + 1] = 0xff;
      refuses(broken, 'no valid UTF-8');
    }
  });

  test('nothing of what is not known', () => {
    // A group, a fixed 32-bit number and a string with numbers that no message has.
    const unknown = Buffer.from([0x7b, 0x08, 0x01, 0x7c, 0x7d, 1, 2, 3, 4, 0x82, 0x01, 1, 0]);
    const family = delimited({ name: 'u', type: TYPE.gauge, metric: [{ gauge: { value: 1 } }] }).subarray(1);
    const body = Buffer.concat([Buffer.of(family.length + unknown.length), family, unknown]);
    expect(expose(body, PROTOBUF).rows.map(shown)).toEqual(['u{} 1']);
  });
});

test('each series of a family has a key of its own', () => {
  const label = [{ name: 'a', value: 'b' }];
  const body = delimited(
    {
      name: 'h',
      type: TYPE.histogram,
      metric: [
        { histogram: { sampleCount: 10, bucket: BUCKETS } },
        { label, histogram: NATIVE },
        { histogram: NATIVE },
      ],
    },
    {
      name: 'h_a',
      type: TYPE.summary,
      metric: [{ label, summary: { quantile: [{ quantile: 0.5 }, { quantile: 0.9 }] } }],
    },
  );
  const { rows } = expose(body, PROTOBUF, CLASSIC_TOO);
  expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
  expect(new Set(rows.map(({ labels }) => JSON.stringify(labels))).size).toBe(rows.length);
  expect(expose(body, PROTOBUF, CLASSIC_TOO).rows.map((row) => row.key)).toEqual(rows.map((row) => row.key));
  expect(
    rows
      .filter(({ value }) => typeof value !== 'number')
      .map(({ value }) => (typeof value === 'number' ? '' : shownHistogram(value))),
  ).toEqual([NATIVE_SHOWN, NATIVE_SHOWN]);
});
