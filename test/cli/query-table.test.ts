import { expect, it } from 'vitest';
import { resultTable } from '../../src/cli/query-table.ts';

it('knows infinities and small numbers among the values of a range', () => {
  const table = resultTable({
    resultType: 'matrix',
    result: [
      {
        metric: { job: 'a' },
        values: [
          [0, '1e-07'],
          [1, '+Inf'],
          [2, '5'],
        ],
      },
    ],
  });
  expect(table.split('\n').map((line) => line.split(/\s+/))).toEqual([
    ['job', 'POINTS', 'FIRST', 'MIN', 'MAX', 'LAST'],
    ['a', '3', '1e-07', '1e-07', '+Inf', '5'],
  ]);
});
