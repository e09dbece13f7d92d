import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labelsOf } from '../../src/model/labels.ts';
import { type SeriesColumns, setStaleAt } from '../../src/model/series.ts';
import { findOracle, type Oracle, startOracle } from './oracle.ts';
import { isNewEnough } from './program.ts';
import { remoteWrite } from './remote-write.ts';

const MINUTE_MS = 60_000;
/** Years ago, and on the whole minute. */
const START_MS = Date.UTC(2020, 0, 1);

function series(name: string, startMs: number, values: readonly number[], staleAt?: number): SeriesColumns {
  const columns = {
    labels: labelsOf({ __name__: name, job: 'oracle', text: 'ü "quoted"\n' }),
    times: Float64Array.from(values, (_, index) => startMs + index * MINUTE_MS),
    values: Float64Array.from(values),
  };
  if (staleAt !== undefined) setStaleAt(columns.values, staleAt);
  return columns;
}

test.each([
  ['prometheus, version 3.15.0 (branch: HEAD, revision: 1)\n  go version: go1.26.8', true],
  ['prometheus, version 3.16.1 (branch: HEAD)', true],
  ['prometheus, version 4.0.0 (branch: HEAD)', true],
  ['prometheus, version 3.14.2 (branch: HEAD)', false],
  ['prometheus, version 2.42.0+ds (branch: debian)', false],
  ['prometheus, version  (branch: , revision: unknown)', false],
  ['something else 3.15.0', false],
  [undefined, false],
])('%s serves as the reference: %s', (text, want) => {
  expect(isNewEnough(text)).toBe(want);
});

const program = await findOracle();

describe.skipIf(program === undefined)('a written series reads back from the oracle', () => {
  let oracle: Oracle;

  beforeAll(async () => {
    oracle = await startOracle();
    await remoteWrite(oracle, [
      series('odd_values', START_MS, [1.5, NaN, Infinity, -Infinity, -0, 5e-324]),
      series('goes_stale', START_MS, [1, 2, 0, 4], 2),
      // Days apart in one call, and an older series in a later one.
      series(
        'long',
        START_MS,
        Array.from({ length: 3 * 24 * 60 }, (_, index) => index),
      ),
    ]);
    await remoteWrite(oracle, [series('older', START_MS - 400 * 24 * 60 * MINUTE_MS, [7])]);
  }, 60_000);

  afterAll(() => oracle?.close());

  async function query(expression: string, timeMs: number): Promise<unknown> {
    const parameters = new URLSearchParams({ query: expression, time: String(timeMs / 1000) });
    const response = await fetch(`${oracle.url}/api/v1/query?${parameters.toString()}`);
    expect(response.status).toBe(200);
    const { data } = (await response.json()) as { data: { result: { value?: [number, string]; values?: unknown }[] } };
    return data.result.map((one) => one.values ?? one.value?.[1]);
  }

  test.each<[string, number, unknown]>([
    ['odd_values{job="oracle",text="ü \\"quoted\\"\\n"}', 0, ['1.5']],
    ['odd_values', 1, ['NaN']],
    ['odd_values', 2, ['+Inf']],
    ['odd_values', 3, ['-Inf']],
    ['1 / odd_values', 4, ['-Inf']],
    ['odd_values', 5, ['5e-324']],
    ['goes_stale', 1, ['2']],
    ['goes_stale', 2, []],
    ['goes_stale', 3, ['4']],
    // A NaN that is no staleness marker counts as a sample, a marker does not.
    ['count_over_time(odd_values[10m])', 5, ['6']],
    ['count_over_time(goes_stale[10m])', 3, ['3']],
    ['count_over_time(long[3d])', 3 * 24 * 60 - 1, [String(3 * 24 * 60)]],
    ['older', -400 * 24 * 60, ['7']],
    ['nothing', 0, []],
  ])('%s at minute %d', async (expression, minute, want) => {
    expect(await query(expression, START_MS + minute * MINUTE_MS)).toEqual(want);
  });

  test('a refused write is an error that says why', async () => {
    const future = series('too_early', Date.now() + 60 * MINUTE_MS, [9]);
    await expect(remoteWrite(oracle, [future])).rejects.toThrow(/the oracle refused a write: 400 .*out of bounds/);
  });
});
