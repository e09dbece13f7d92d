import { describe, expect, test } from 'vitest';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { ADD_ONCE, SET, type Batch } from '../../src/model/batch.ts';
import { histogramAt, isHistogramAt } from '../../src/model/histogram.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';
import type { MetricsOptions } from '../../src/wire/otlp/translate.ts';
import { otlpTranslator } from '../../src/wire/otlp/translator.ts';
import { describeHistogram } from './otlp-outcome.ts';
import { metricsProtobuf, metricsRequest, nanos, text, type Json } from './otlp-requests.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const POINT = { timeUnixNano: nanos(NOW_MS) };

/** The batch of metrics from protobuf and JSON, which must be the same. */
function batchOf(metrics: readonly Json[], more: Partial<MetricsOptions> = {}): Batch {
  const translator = otlpTranslator({ domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL, ...more });
  const request = metricsRequest([], metrics);
  const protobuf = translator.translate(metricsProtobuf(request), 'protobuf', NOW_MS);
  const json = translator.translate(Buffer.from(JSON.stringify(request)), 'json', NOW_MS);
  expect(protobuf.rejected.message).toBe('');
  expect(json.rejected.message).toBe('');
  const batch = protobuf.build();
  expect(json.build()).toEqual(batch);
  return batch;
}

function exponential(point: Json, aggregationTemporality = 2): Json {
  return { name: 'e', exponentialHistogram: { aggregationTemporality, dataPoints: [{ ...POINT, ...point }] } };
}

function explicit(point: Json): Json {
  return { name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [{ ...POINT, ...point }] } };
}

function only(batch: Batch): string {
  expect(batch.times).toHaveLength(1);
  if (!isHistogramAt(batch.histograms, 0)) throw new Error('the row is no histogram');
  return describeHistogram(histogramAt(batch.histograms, 0));
}

describe('an exponential histogram', () => {
  const buckets = (offset: number, ...bucketCounts: number[]) => ({ offset, bucketCounts });
  test.each<[what: string, point: Json, want: string]>([
    [
      'has its buckets one further up',
      { scale: 3, count: 6, sum: 2.5, zeroCount: 1, positive: buckets(-2, 2, 0, 3) },
      '3/1e-128 hint 0 count 6 sum 2.5 zero 1 [-1 1] [2 3] [] [] []',
    ],
    [
      'has negative ones',
      { scale: 0, count: 3, sum: -2, positive: buckets(0, 1), negative: buckets(4, 0, 2) },
      '0/1e-128 hint 0 count 3 sum -2 zero 0 [1] [1] [6] [2] []',
    ],
    [
      'is made coarser from scale 10, empty buckets and all',
      { scale: 10, count: 16, positive: buckets(-5, 1, 2, 0, 0, 0, 0, 4, 9) },
      '8/1e-128 hint 0 count 16 sum 0 zero 0 [-1 0 1] [1 2 13] [] [] []',
    ],
    [
      'is made coarser from the finest scale of all',
      { scale: 2 ** 31 - 1, count: 3, positive: buckets(-1, 1, 2) },
      '8/1e-128 hint 0 count 3 sum 0 zero 0 [0 1] [1 2] [] [] []',
    ],
    ['may be empty', { scale: 8 }, '8/1e-128 hint 0 count 0 sum 0 zero 0 [] [] [] [] []'],
    [
      'may count what is no number',
      { scale: 0, count: 5, sum: 'NaN', positive: buckets(0, 1) },
      '0/1e-128 hint 0 count 5 sum NaN zero 0 [1] [1] [] [] []',
    ],
    [
      'is at the coarsest',
      { scale: -4, count: 1, positive: buckets(0, 1) },
      '-4/1e-128 hint 0 count 1 sum 0 zero 0 [1] [1] [] [] []',
    ],
  ])('%s', (_what, point, want) => {
    expect(only(batchOf([exponential(point)]))).toBe(want);
  });

  test('is set, or added once as a delta; its start is that of a counter only', () => {
    const point = { scale: 0, count: 1, positive: buckets(0, 1), startTimeUnixNano: nanos(NOW_MS - 60_000) };
    const cumulative = batchOf([exponential(point)]);
    expect([...cumulative.modes]).toEqual([SET]);
    expect([...(cumulative.startTimes ?? [])]).toEqual([NOW_MS - 60_000]);
    const delta = batchOf([exponential(point, 1)]);
    expect([...delta.modes]).toEqual([ADD_ONCE]);
    expect(delta.startTimes).toBeUndefined();
  });

  test('that ended is a staleness marker among the floats', () => {
    const batch = batchOf([exponential({ flags: 1, scale: 0 })]);
    expect(batch.histograms).toBeUndefined();
    expect(isStaleAt(batch.values, 0)).toBe(true);
  });
});

describe('an explicit histogram with custom buckets', () => {
  test.each<[what: string, point: Json, want: string]>([
    [
      'keeps its bounds and what is in its buckets',
      { count: 6, sum: 1, explicitBounds: [1, 2, 3], bucketCounts: [1, 0, 2, 3] },
      '-53/0 hint 0 count 6 sum 1 zero 0 [0 2 3] [1 2 3] [] [] [1 2 3]',
    ],
    [
      'has an explicit +Inf as its last bucket',
      { count: 3, explicitBounds: [1, 'Infinity'], bucketCounts: [1, 2, 0] },
      '-53/0 hint 0 count 3 sum 0 zero 0 [0 1] [1 2] [] [] [1]',
    ],
    ['without buckets has one', { count: 7, sum: 2 }, '-53/0 hint 0 count 7 sum 2 zero 0 [0] [7] [] [] []'],
    ['may be empty', {}, '-53/0 hint 0 count 0 sum 0 zero 0 [] [] [] [] []'],
  ])('%s', (_what, point, want) => {
    expect(only(batchOf([explicit(point)], { convertHistogramsToNhcb: true }))).toBe(want);
  });
});

test('a classic histogram and a summary are one point each, a start is on every row', () => {
  const startTimeUnixNano = nanos(NOW_MS - 1000);
  const batch = batchOf([
    explicit({ startTimeUnixNano, count: 3, explicitBounds: [1], bucketCounts: [1, 2] }),
    { name: 's', summary: { dataPoints: [{ ...POINT, count: 1, quantileValues: [{ quantile: 0.5, value: 1 }] }] } },
    { name: 'g', gauge: { dataPoints: [{ ...POINT, startTimeUnixNano: nanos(NOW_MS + 1), asInt: 1 }] } },
  ]);
  expect([...(batch.continues ?? [])]).toEqual([0, 1, 1, 0, 1, 1, 0]);
  const start = NOW_MS - 1000;
  expect([...(batch.startTimes ?? [])]).toEqual([start, start, start, 0, 0, 0, NOW_MS + 1]);
});

test('metadata comes once for each metric that had a point taken', () => {
  const points = { dataPoints: [{ ...POINT, asInt: 1 }] };
  const sum = (isMonotonic: boolean, aggregationTemporality = 2) => ({
    ...points,
    isMonotonic,
    aggregationTemporality,
  });
  const translator = otlpTranslator({ domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL });
  const one = metricsRequest(
    [text('service.name', 's'), text('os', 'o')],
    [
      { name: 'requests', unit: '{request}', description: 'How many.', sum: sum(true) },
      { name: 'size', unit: 'By', description: 'ä'.repeat(5000), sum: sum(false) },
      { name: 'speed', unit: 'By/s', gauge: points },
      { name: 'delta', sum: sum(true, 1) },
      { name: 'none', gauge: { dataPoints: [POINT] } },
      explicit({ count: 0 }),
      exponential({}),
      { name: 'q', summary: { dataPoints: [POINT] } },
    ],
  );
  const twice = { resourceMetrics: [one['resourceMetrics'], one['resourceMetrics']].flat() };
  const { metadata } = translator.translate(metricsProtobuf(twice), 'protobuf', NOW_MS).build();
  expect(metadata).toEqual([
    { metric: 'requests_total', type: 'counter', help: 'How many.', unit: '' },
    { metric: 'size_bytes', type: 'gauge', help: 'ä'.repeat(2048), unit: 'bytes' },
    { metric: 'speed_bytes_per_second', type: 'gauge', help: '', unit: 'bytes_per_second' },
    { metric: 'delta_total', type: 'counter', help: '', unit: '' },
    { metric: 'h', type: 'histogram', help: '', unit: '' },
    { metric: 'e', type: 'histogram', help: '', unit: '' },
    { metric: 'q', type: 'summary', help: '', unit: '' },
    { metric: 'target_info', type: 'gauge', help: 'Target metadata', unit: '' },
  ]);
});

describe('exemplars', () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const exemplar = (asDouble: number, more: Json = {}) => ({ asDouble, timeUnixNano: nanos(NOW_MS - 5), ...more });
  const shown = (batch: Batch) =>
    batch.exemplars.map(({ series, timeMs, value, labels }) => {
      const { __name__: name, le = '' } = labelsRecord(batch.series[series]!.labels);
      return `${name} ${le} ${timeMs - NOW_MS} ${value} ${JSON.stringify(labelsRecord(labels))}`;
    });

  test('are on the bucket that holds them, on the sum, and on no gauge', () => {
    const exemplars = [
      exemplar(0.5),
      exemplar(1, { timeUnixNano: '0' }),
      exemplar(9, { traceId, spanId: '00'.repeat(8) }),
    ];
    const batch = batchOf([
      explicit({ count: 3, explicitBounds: [1, 2], bucketCounts: [2, 0, 1], exemplars }),
      {
        name: 'c',
        sum: {
          aggregationTemporality: 2,
          isMonotonic: true,
          dataPoints: [{ ...POINT, asInt: 3, exemplars: [exemplar(7)] }],
        },
      },
      { name: 'g', gauge: { dataPoints: [{ ...POINT, asInt: 3, exemplars }] } },
      exponential({ exemplars: [exemplar(4)] }),
    ]);
    expect(shown(batch)).toEqual([
      'h_bucket 1 -5 0.5 {}',
      'h_bucket 1 0 1 {}',
      `h_bucket +Inf -5 9 {"trace_id":"${traceId}"}`,
      'c_total  -5 7 {}',
      'e  -5 4 {}',
    ]);
  });

  test.each<[what: string, value: number, want: Json]>([
    ['fit', 61, { user: 'x'.repeat(61), trace_id: traceId, span_id: 'b7ad6b7169203331' }],
    ['do not fit', 62, { trace_id: traceId, span_id: 'b7ad6b7169203331' }],
  ])('have attributes that %s', (_what, length, want) => {
    const more = { traceId, spanId: 'b7ad6b7169203331', filteredAttributes: [text('user', 'x'.repeat(length))] };
    const batch = batchOf([exponential({ exemplars: [exemplar(1, more)] })]);
    expect(labelsRecord(batch.exemplars[0]!.labels)).toEqual(want);
  });

  test.each<[what: string, bad: Json, warning: RegExp]>([
    ['has no value', { timeUnixNano: nanos(NOW_MS) }, /^exemplar left out: no value \(metric "e"\)$/],
    ['lies ahead', exemplar(1, { timeUnixNano: nanos(NOW_MS + 3_600_000) }), /^exemplar left out: more than 600000 ms/],
  ])('one that %s is left out with a warning, its point is taken', (_what, bad, warning) => {
    const translator = otlpTranslator({ domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL });
    const body = metricsProtobuf(metricsRequest([], [exponential({ exemplars: [bad, exemplar(2)] })]));
    const translation = translator.translate(body, 'protobuf', NOW_MS);
    expect(translation.rejected).toMatchObject({ count: 0, message: expect.stringMatching(warning) as unknown });
    expect(translation.taken).toBe(1);
    expect(translation.build().exemplars.map(({ value }) => value)).toEqual([2]);
  });
});

test('only a request with deltas adds', () => {
  const translator = otlpTranslator({ domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL });
  const adds = (aggregationTemporality: number, point: Json) =>
    translator.translate(
      metricsProtobuf(
        metricsRequest([], [{ name: 'c', sum: { aggregationTemporality, dataPoints: [{ ...POINT, ...point }] } }]),
      ),
      'protobuf',
      NOW_MS,
    ).adds;
  expect(adds(1, { asInt: 1 })).toBe(true);
  expect(adds(1, { flags: 1 })).toBe(false);
  expect(adds(2, { asInt: 1 })).toBe(false);
});
