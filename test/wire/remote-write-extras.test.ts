import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import {
  decoder,
  encode,
  encodeRawV2,
  encodeV1,
  encodeV2,
  outcome,
  rowsOf,
  T,
  UP,
  V1,
  V2,
  type WriteSeries,
} from './remote-write-requests.ts';

describe('exemplars', () => {
  const samples = [{ value: 1, timestamp: T }];
  const exemplar = {
    labels: [
      ['trace_id', 'abc'],
      ['span_id', ''],
    ] as const,
    value: 0.25,
    timestamp: T - 5,
  };

  test.each([V1, V2])('are kept with their series: %s', (message) => {
    const other = [...UP, ['x', 'y'] as const];
    const { batch } = decoder()(
      message,
      encode(message, [
        { labels: other, samples },
        { labels: UP, samples, exemplars: [exemplar] },
      ]),
    );
    expect(batch.exemplars).toEqual([{ series: 1, timeMs: T - 5, value: 0.25, labels: ['trace_id', 'abc'] }]);
  });

  test.each<[string, readonly (readonly [string, string])[], number]>([
    ['no time', [['a', 'b']], 0],
    ['too long', [['a', 'x'.repeat(LIMITS.exemplarLabelBytes)]], T],
    [
      'twice the same label',
      [
        ['a', 'b'],
        ['a', 'c'],
      ],
      T,
    ],
    ['a label without a name', [['', 'b']], T],
    ['far too long', [['a', 'x'.repeat(LIMITS.labelBytes * 9)]], T],
    ['too many', Array.from({ length: 200 }, (_, i) => [`${i}`, ''] as const), T],
  ])('left out: %s', (_what, labels, timestamp) => {
    for (const message of [V1, V2]) {
      const exemplars = [exemplar, { labels, value: 1, timestamp }];
      const { batch, leftOut } = decoder()(message, encode(message, [{ labels: UP, samples, exemplars }]));
      expect(batch.exemplars).toHaveLength(1);
      expect(leftOut.exemplars).toBe(1);
      expect(leftOut.reasons.get('bad_exemplar')?.count).toBe(1);
      expect(batch.times).toHaveLength(1);
    }
  });

  test('may come without samples, as Prometheus sends them', () => {
    for (const message of [V1, V2]) {
      const { batch, leftOut, streams } = decoder()(message, encode(message, [{ labels: UP, exemplars: [exemplar] }]));
      expect(batch.exemplars).toHaveLength(1);
      expect(batch.times).toHaveLength(0);
      expect(leftOut.reasons.size).toBe(0);
      expect(streams).toEqual([{ job: 'api', instance: 'a:1', earliestMs: Infinity, latestMs: -Infinity }]);
    }
  });

  test('of a series that is left out are left out with it', () => {
    for (const message of [V1, V2]) {
      const { batch, leftOut } = decoder()(message, encode(message, [{ labels: [], samples, exemplars: [exemplar] }]));
      expect(batch.exemplars).toEqual([]);
      expect(leftOut.points).toBe(1);
    }
  });
});

describe('metadata', () => {
  const samples = [{ value: 1, timestamp: T }];
  const histogram = { timestamp: T };

  test('of 1.0 comes by family', () => {
    const { batch } = decoder()(
      V1,
      encodeV1(
        [],
        [
          { type: 1, metricFamilyName: 'requests', help: 'How many.', unit: '' },
          { type: 3, metricFamilyName: 'latency', help: 'h'.repeat(LIMITS.helpBytes - 1) + 'ö', unit: 'seconds' },
          { type: 99, metricFamilyName: 'odd', help: 'x', unit: '' },
          { type: 1, metricFamilyName: '', help: 'x', unit: '' },
          { type: 0, metricFamilyName: 'says_nothing', help: '', unit: '' },
        ],
      ),
    );
    expect(batch.metadata).toEqual([
      { metric: 'requests', type: 'counter', help: 'How many.', unit: '' },
      // Cut between characters.
      { metric: 'latency', type: 'histogram', help: 'h'.repeat(LIMITS.helpBytes - 1), unit: 'seconds' },
      { metric: 'odd', type: 'unknown', help: 'x', unit: '' },
    ]);
  });

  test.each<[string, number, Partial<WriteSeries>, string, string]>([
    ['requests_total', 1, { samples }, 'requests_total', 'counter'],
    ['temperature', 2, { samples }, 'temperature', 'gauge'],
    ['latency_bucket', 3, { samples }, 'latency', 'histogram'],
    ['latency_sum', 3, { samples }, 'latency', 'histogram'],
    ['latency', 3, { histograms: [histogram] }, 'latency', 'histogram'],
    ['a_native_count', 3, { histograms: [histogram] }, 'a_native_count', 'histogram'],
    ['queue_gcount', 4, { samples }, 'queue', 'gaugehistogram'],
    ['rpc_count', 5, { samples }, 'rpc', 'summary'],
    ['build_info', 6, { samples }, 'build_info', 'info'],
    ['state', 7, { samples }, 'state', 'stateset'],
  ])('of 2.0 comes with each series: %s', (metric, type, rest, family, want) => {
    const metadata = { type, help: 'Help.', unit: 'seconds' };
    const series = ['a', 'b'].map((x) => ({
      labels: [
        ['__name__', metric],
        ['x', x],
      ] as const,
      metadata,
      ...rest,
    }));
    const decode = decoder();
    for (let request = 0; request < 2; request++) {
      const told = decode(V2, encodeV2(series)).batch.metadata;
      expect(told).toEqual([{ metric: family, type: want, help: 'Help.', unit: 'seconds' }]);
    }
  });
});

describe('2.0 only', () => {
  const symbols = ['', '__name__', 'up'];
  const samples = [{ value: 1, timestamp: T }];

  test('a series without samples is left out, and said so', () => {
    const { leftOut, batch } = decoder()(V2, encodeV2([{ labels: UP }, { labels: UP, samples }]));
    expect(leftOut.reasons.get('no_samples')).toEqual({ count: 0, first: 'up has neither samples nor exemplars' });
    expect(batch.times).toHaveLength(1);
  });

  test.each<[string, object, RegExp]>([
    [
      'a reference beyond the symbols',
      { symbols, timeseries: [{ labelsRefs: [1, 3], samples }] },
      /timeseries\[0\]: a reference to symbol 3 of 3/,
    ],
    ['no symbols', { timeseries: [{ labelsRefs: [1, 2], samples }] }, /a reference to symbol 1 of 0/],
    [
      'half a pair',
      {
        symbols,
        timeseries: [
          { labelsRefs: [1, 2], samples },
          { labelsRefs: [1, 2, 1], samples },
        ],
      },
      /timeseries\[1\]: 3 label references/,
    ],
    [
      'a help beyond the symbols',
      { symbols, timeseries: [{ labelsRefs: [1, 2], samples, metadata: { helpRef: 7 } }] },
      /symbol 7 of 3/,
    ],
    [
      'a unit beyond the symbols',
      { symbols, timeseries: [{ labelsRefs: [1, 2], samples, metadata: { unitRef: 7 } }] },
      /symbol 7 of 3/,
    ],
    [
      'an exemplar beyond the symbols',
      { symbols, timeseries: [{ labelsRefs: [1, 2], samples, exemplars: [{ labelsRefs: [1, 9] }] }] },
      /symbol 9 of 3/,
    ],
    [
      'half a pair of an exemplar',
      { symbols, timeseries: [{ labelsRefs: [1, 2], samples, exemplars: [{ labelsRefs: [1] }] }] },
      /1 label references of an exemplar/,
    ],
  ])('fails: %s', (_what, message, error) => {
    expect(() => decoder()(V2, encodeRawV2(message))).toThrow(error);
  });

  test('symbols after the series that name them', () => {
    const parts = [encodeRawV2({ timeseries: [{ labelsRefs: [1, 2], samples }] }), encodeRawV2({ symbols })];
    expect(rowsOf(decoder()(V2, Buffer.concat(parts)).batch)).toHaveLength(1);
  });

  test('references that are not packed', () => {
    // Field 5 with fields 1 (refs 1 and 2) as plain numbers and 2 (an empty sample).
    const series = Buffer.from([0x2a, 6, 0x08, 1, 0x08, 2, 0x12, 0]);
    const { rows } = outcome(decoder()(V2, Buffer.concat([encodeRawV2({ symbols }), series])));
    expect(rows).toEqual([{ labels: { __name__: 'up', domain: 'eu' }, timeMs: 0, startMs: 0, value: 0 }]);
  });
});
