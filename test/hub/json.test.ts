import { describe, expect, it } from 'vitest';
import { histogramJson } from '../../src/wire/histogram-json.ts';
import {
  exemplarsJson,
  labelSetsJson,
  matrixJson,
  rangeVectorJson,
  scalarJson,
  stringJson,
  vectorJson,
} from '../../src/wire/prometheus-json.ts';
import { histogramBuilder } from '../../src/model/growing-histograms.ts';
import { type NativeHistogram } from '../../src/model/histogram.ts';
import { custom, exponential, nativeSeries } from '../engine/native-series.ts';

it('writes values and times as Prometheus does', () => {
  const row = {
    labels: ['a', '"'],
    values: Float64Array.of(-0, 1e-7, NaN),
    present: Uint8Array.of(1, 1, 1),
  };
  expect(matrixJson([row], { startMs: 500, stepMs: 1500, steps: 3 })).toBe(
    '"resultType":"matrix","result":[{"metric":{"a":"\\""},"values":[[0.5,"-0"],[2,"1e-07"],[3.5,"NaN"]]}]',
  );
  expect(vectorJson([row], 1)).toBe('"resultType":"vector","result":[{"metric":{"a":"\\""},"value":[0.001,"-0"]}]');
  expect(scalarJson(1000, -0)).toBe('"resultType":"scalar","result":[1,"-0"]');
  expect(stringJson(-500, '"')).toBe('"resultType":"string","result":[-0.5,"\\""]');
});

describe('native histograms', () => {
  it.each<[string, NativeHistogram, string]>([
    ['without buckets', exponential(0, [], { sum: -0 }), '{"count":"0","sum":"-0"}'],
    [
      'of every kind of bucket, empty ones left out',
      exponential(
        0,
        [
          [1, 3],
          [2, 0],
          [5, 0.5],
        ],
        {
          negative: [
            [-1, 2],
            [1, 4],
          ],
          zero: [0.25, 7],
        },
      ),
      '{"count":"16.5","sum":"1.5","buckets":[[1,"-2","-1","4"],[1,"-0.5","-0.25","2"],[3,"-0.25","0.25","7"],' +
        '[0,"1","2","3"],[0,"16","32","0.5"]]}',
    ],
    [
      'whose zero bucket reaches into others',
      exponential(0, [[1, 3]], { negative: [[1, 1]], zero: [1.5, 0] }),
      '{"count":"4","sum":"1.5","buckets":[[1,"-2","-1.5","1"],[0,"1.5","2","3"]]}',
    ],
    [
      'at the ends of floats',
      exponential(0, [
        [-1080, 1],
        [-1074, 2],
        [1025, 3],
      ]),
      '{"count":"6","sum":"1.5","buckets":[[2,"0","0","1"],[0,"0","5e-324","2"],' +
        '[0,"1.7976931348623157e+308","+Inf","3"]]}',
    ],
    [
      'with custom bounds',
      custom(
        [-1, 2],
        [
          [0, 1],
          [1, 2],
          [2, 3],
        ],
      ),
      '{"count":"6","sum":"1.5","buckets":[[3,"-Inf","-1","1"],[0,"-1","2","2"],[0,"2","+Inf","3"]]}',
    ],
  ])('%s', (_what, histogram, want) => expect(histogramJson(histogram)).toBe(want));

  it('stand beside the floats of a row', () => {
    const builder = histogramBuilder();
    builder.set(1, exponential(0, [[1, 3]]));
    builder.set(2, exponential(0, [[1, 4]]));
    const histograms = builder.build(3);
    const row = { labels: ['a', 'b'], values: Float64Array.of(1, 2, 3), present: Uint8Array.of(1, 1, 0), histograms };
    const native = '{"count":"3","sum":"1.5","buckets":[[0,"1","2","3"]]}';
    expect(matrixJson([row], { startMs: 0, stepMs: 1000, steps: 3 })).toBe(
      `"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[0,"1"]],"histograms":[[1,${native}]]}]`,
    );
    expect(vectorJson([{ ...row, present: Uint8Array.of(0, 1, 0) }], 1)).toBe('"resultType":"vector","result":[]');
  });

  it('and of a series', () => {
    const native = '{"count":"3","sum":"1.5","buckets":[[0,"1","2","3"]]}';
    const held = [
      nativeSeries({ a: 'b' }, [
        [1000, exponential(0, [[1, 3]])],
        [2500, 7],
      ]),
      nativeSeries({ a: 'none' }, []),
    ];
    expect(rangeVectorJson(held)).toBe(
      `"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[2.5,"7"]],"histograms":[[1,${native}]]}]`,
    );
  });
});

it('writes exemplars and label sets', () => {
  const exemplar = { timeMs: 1500, value: 0.25, labels: ['trace_id', 'x'] };
  expect(exemplarsJson([{ labels: ['a', 'b'], exemplars: [exemplar] }])).toBe(
    '[{"seriesLabels":{"a":"b"},"exemplars":[{"labels":{"trace_id":"x"},"value":"0.25","timestamp":1.5}]}]',
  );
  expect(labelSetsJson([['a', 'b'], []])).toBe('[{"a":"b"},{}]');
});

it('an answer that no string could hold is refused before it is made', () => {
  const builder = histogramBuilder();
  builder.set(
    0,
    exponential(
      8,
      Array.from({ length: 4000 }, (_none, i) => [i, 1] as const),
    ),
  );
  const one = builder.build(1)!;
  // The same histogram at 11,001 steps: some 3 GB of text.
  const steps = 11_001;
  const histograms = {
    ...one,
    layoutOf: new Int32Array(steps),
    hints: new Uint8Array(steps),
    starts: new Uint32Array(steps),
  };
  const row = { labels: [], values: new Float64Array(steps), present: new Uint8Array(steps).fill(1), histograms };
  expect(() => matrixJson([row], { startMs: 0, stepMs: 1000, steps })).toThrow(
    /comes to \d+ bytes or more, past the \d+ allowed \(resultBytes\)/,
  );
});
