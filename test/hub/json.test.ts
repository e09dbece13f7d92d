import { expect, it } from 'vitest';
import { matrixJson, scalarJson, vectorJson } from '../../src/wire/prometheus-json.ts';

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
});
