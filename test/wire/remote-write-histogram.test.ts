import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { CUSTOM_BUCKETS, GAUGE, NOT_RESET } from '../../src/model/histogram.ts';
import {
  both,
  decoder,
  encodeV1,
  encodeV2,
  STALE,
  T,
  UP,
  UP_LABELS,
  V1,
  V2,
  type WriteHistogram,
} from './remote-write-requests.ts';

describe('native histograms', () => {
  const whole: WriteHistogram = {
    countInt: 15,
    sum: 18.5,
    schema: 2,
    zeroThreshold: 0.001,
    zeroCountInt: 2,
    positiveSpans: [
      { offset: -2, length: 2 },
      { offset: 3, length: 1 },
    ],
    positiveDeltas: [1, 2, -1],
    negativeSpans: [{ offset: 5, length: 2 }],
    negativeDeltas: [3, 1],
    resetHint: NOT_RESET,
    timestamp: T,
  };
  const want = {
    schema: 2,
    zeroThreshold: 0.001,
    hint: NOT_RESET,
    count: 15,
    sum: 18.5,
    zeroCount: 2,
    positive: [
      [-2, 1],
      [-1, 3],
      [3, 2],
    ],
    negative: [
      [5, 3],
      [6, 4],
    ],
    bounds: [],
  };
  const custom: WriteHistogram = {
    countInt: 6,
    sum: 4,
    schema: CUSTOM_BUCKETS,
    positiveSpans: [
      { offset: 0, length: 1 },
      { offset: 1, length: 2 },
    ],
    positiveDeltas: [1, 1, 1],
    customValues: [-1, 0.5, 2],
    timestamp: T,
  };
  const floats: WriteHistogram = {
    countFloat: 4.5,
    sum: -1,
    schema: 0,
    zeroCountFloat: 0.5,
    positiveSpans: [{ offset: 1, length: 2 }],
    positiveCounts: [1.5, 2.5],
    resetHint: GAUGE,
    timestamp: T,
  };

  test.each<[string, WriteHistogram, unknown]>([
    ['integers', whole, want],
    [
      'floats',
      floats,
      {
        ...want,
        schema: 0,
        zeroThreshold: 0,
        hint: GAUGE,
        count: 4.5,
        sum: -1,
        zeroCount: 0.5,
        positive: [
          [1, 1.5],
          [2, 2.5],
        ],
        negative: [],
      },
    ],
    [
      'custom bounds',
      custom,
      {
        ...want,
        schema: CUSTOM_BUCKETS,
        zeroThreshold: 0,
        hint: 0,
        count: 6,
        sum: 4,
        zeroCount: 0,
        positive: [
          [0, 1],
          [2, 2],
          [3, 3],
        ],
        negative: [],
        bounds: [-1, 0.5, 2],
      },
    ],
    [
      'an empty one',
      { timestamp: T },
      { ...want, schema: 0, zeroThreshold: 0, hint: 0, count: 0, sum: 0, zeroCount: 0, positive: [], negative: [] },
    ],
    ['an unknown hint', { ...whole, resetHint: 9 }, { ...want, hint: 0 }],
    ['observations of NaN are in no bucket', { ...whole, sum: NaN, countInt: 20 }, { ...want, sum: NaN, count: 20 }],
    [
      'a finer schema is reduced to 8',
      {
        countInt: 6,
        schema: 9,
        positiveSpans: [{ offset: -1, length: 4 }],
        positiveDeltas: [0, 1, 1, 1],
        timestamp: T,
      },
      {
        ...want,
        schema: 8,
        zeroThreshold: 0,
        hint: 0,
        count: 6,
        sum: 0,
        zeroCount: 0,
        positive: [
          [0, 1],
          [1, 5],
        ],
        negative: [],
      },
    ],
    ['a staleness marker', { sum: STALE, timestamp: T }, 'stale'],
  ])('%s', (_what, histogram, value) => {
    const { rows, leftOut } = both([{ labels: UP, histograms: [histogram] }]);
    expect(leftOut).toEqual({});
    expect(rows).toEqual([{ labels: UP_LABELS, timeMs: T, startMs: 0, value }]);
  });

  test('start and hint are kept, and equal buckets share a layout', () => {
    const histograms = [1, 2, 3].map((k) => ({ ...whole, timestamp: T + k, startTimestamp: T - k }));
    const other = { ...whole, zeroThreshold: 0.5 };
    const { batch } = decoder()(V2, encodeV2([{ labels: UP, histograms: [...histograms, other] }]));
    expect([...batch.startTimes!]).toEqual([T - 1, T - 2, T - 3, 0]);
    expect([...batch.histograms!.layoutOf]).toEqual([0, 0, 0, 1]);
  });

  const bad: [string, WriteHistogram, RegExp][] = [
    ['count', { ...whole, countInt: 14 }, /its buckets hold 15 observations, its count is 14/],
    ['count with a sum of NaN', { ...whole, sum: NaN, countInt: 14 }, /15 observations/],
    ['too high a count', { ...whole, countInt: 16 }, /15 observations/],
    ['negative bucket', { ...whole, positiveDeltas: [1, -2, 4] }, /positive bucket 2 has the count -1/],
    ['negative float bucket', { ...floats, positiveCounts: [-1, 2] }, /positive bucket 1 has the count -1/],
    ['negative zero bucket', { ...floats, zeroCountFloat: -1 }, /the zero bucket has the count -1/],
    ['negative count', { ...floats, countFloat: -1 }, /its count is -1/],
    ['schema', { ...whole, schema: -5 }, /the schema -5/],
    ['schema', { ...whole, schema: 53 }, /the schema 53/],
    ['too few buckets', { ...whole, positiveDeltas: [1, 2] }, /the spans are for 3 positive buckets, 2 are given/],
    [
      'too many buckets',
      { ...whole, positiveDeltas: [1, 2, 0, 0] },
      /the spans are for 3 positive buckets, 4 are given/,
    ],
    ['no spans', { ...whole, negativeSpans: [] }, /the spans are for 0 negative buckets, 2 are given/],
    [
      'integers for floats',
      { ...floats, positiveCounts: [], positiveDeltas: [1, 2] },
      /the spans are for 2 positive buckets, 0 are given/,
    ],
    [
      'negative offset',
      {
        ...whole,
        positiveSpans: [
          { offset: 1, length: 2 },
          { offset: -1, length: 1 },
        ],
      },
      /span 2 of the positive buckets has the offset -1/,
    ],
    ['zero threshold', { ...whole, zeroThreshold: -1 }, /a zero threshold of -1/],
    [
      'index',
      { ...whole, positiveSpans: [{ offset: 2 ** 31 - 2, length: 3 }] },
      /positive buckets have indexes beyond 32 bits/,
    ],
    [
      'length',
      { ...whole, positiveSpans: [{ offset: 0, length: 2 ** 32 - 1 }] },
      /the spans are for 4294967295 positive buckets, 3 are given/,
    ],
    ['bounds without custom buckets', { ...whole, customValues: [1] }, /custom bounds with schema 2/],
    ['bounds', { ...custom, customValues: [1, 1, 2] }, /do not ascend/],
    ['bounds', { ...custom, customValues: [1, NaN, 2] }, /do not ascend/],
    ['bounds', { ...custom, customValues: [NaN, 1, 2] }, /do not ascend/],
    ['infinite bound', { ...custom, customValues: [1, 2, Infinity] }, /a custom bound of \+Inf/],
    ['too few bounds', { ...custom, customValues: [1, 2] }, /2 custom bounds and buckets up to 4/],
    ['zero bucket', { ...custom, zeroCountInt: 1 }, /a zero bucket with custom bounds/],
    ['zero threshold', { ...custom, zeroThreshold: 1 }, /a zero threshold of 1/],
    ['negative buckets', { ...custom, negativeDeltas: [1] }, /negative buckets with custom bounds/],
    [
      'negative offset of custom buckets',
      { ...custom, positiveSpans: [{ offset: -1, length: 3 }] },
      /span 1 has the offset -1/,
    ],
    [
      'many buckets',
      { ...whole, positiveDeltas: Array.from({ length: LIMITS.bucketsPerHistogram + 1 }, () => 0) },
      /more than 4096 buckets/,
    ],
    [
      'many spans',
      {
        ...whole,
        positiveSpans: Array.from({ length: LIMITS.bucketsPerHistogram + 1 }, () => ({ offset: 0, length: 0 })),
      },
      /more than 4096 buckets/,
    ],
    [
      'many bounds',
      { ...custom, customValues: Array.from({ length: LIMITS.boundsPerHistogram + 1 }, (_, i) => i) },
      /512 custom bounds/,
    ],
  ];
  test.each(bad)('left out: %s', (_what, histogram, message) => {
    const { rows, leftOut } = both([{ labels: UP, histograms: [whole, histogram, { ...whole, timestamp: T + 1 }] }]);
    expect(rows.map((row) => row.value)).toEqual([want, want]);
    expect(leftOut).toEqual({ bad_histogram: 1 });
    const { leftOut: told } = decoder()(V1, encodeV1([{ labels: UP, histograms: [histogram] }]));
    expect(told.reasons.get('bad_histogram')?.first).toMatch(message);
    expect(told.points).toBe(1);
  });

  test('the most buckets', () => {
    const length = LIMITS.bucketsPerHistogram;
    const histogram = {
      countInt: length,
      positiveSpans: [{ offset: 0, length }],
      positiveDeltas: Array.from({ length }, (_, i) => (i === 0 ? 1 : 0)),
      timestamp: T,
    };
    const { rows, leftOut } = both([{ labels: UP, histograms: [histogram] }]);
    expect(leftOut).toEqual({});
    expect(rows[0]?.value).toMatchObject({ count: length });
  });
});
