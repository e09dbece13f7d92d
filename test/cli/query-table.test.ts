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

it('shows native histograms by their count and sum', () => {
  const histogram = { count: '4', sum: '-1.5', buckets: [] };
  expect(resultTable({ resultType: 'vector', result: [{ metric: { a: 'b' }, histogram: [1, histogram] }] })).toBe(
    'a  VALUE\nb  {count:4, sum:-1.5}',
  );
  const result = [{ metric: {}, values: [[2, '7']] as const, histograms: [[1, histogram]] as const }];
  expect(resultTable({ resultType: 'matrix', result }).split('\n')[1]).toBe('2       {count:4, sum:-1.5}  7    7    7');
});
