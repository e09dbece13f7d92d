import { expect, test } from 'vitest';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';
import { resolveDurations } from '../../src/promql/resolve-durations.ts';

/** A query from 0 to 1h by 30s. */
const QUERY = { stepMs: 30_000, rangeMs: 3_600_000 };

function resolved(text: string, query = QUERY): string {
  return printExpr(resolveDurations(parseExpr(text), query, text));
}

test.for([
  ['a', 'a'],
  ['a[5m] offset 1m', 'a[5m] offset 1m'],
  ['a[5m * 2]', 'a[10m]'],
  ['a[step() + range()]', 'a[1h30s]'],
  ['a[-(-1h / 7)]', 'a[8m34s285ms]'],
  ['a[2 ^ 3 ^ 2 % 100]', 'a[12s]'],
  ['a[max_of(step(), 45)]', 'a[45s]'],
  ['a[min_of(step(), 45)]', 'a[30s]'],
  ['a[0.4 * 0.001]', 'a[0.0001]'],
  ['a offset (1 - 1.0005)', 'a'],
  ['a offset (1 - 1.0019)', 'a offset -1ms'],
  ['a offset -step()', 'a offset -30s'],
  ['sum(rate(a[step()] offset -(5m)) + on () b) by (c)', 'sum by (c) (rate(a[30s] offset -5m) + on () b)'],
  ['abs(a)[range() + 1:step() / 2] offset step() @ 5', 'abs(a)[1h1s:15s] @ 5.000 offset 30s'],
  ['a[5m:(1 / 10000)]', 'a[5m:]'],
  ['topk(scalar(a offset step()), -b > 1)', 'topk(scalar(a offset 30s), -b > 1)'],
] as const)('%s is %s', ([text, want]) => {
  expect(resolved(text)).toBe(want);
});

test.for([
  ['a[step()]', '1:3', 'duration must be greater than 0'],
  ['a[range() - 1]', '1:3', 'duration must be greater than 0'],
  ['a[5m:step() * 0]', '1:6', 'duration must be greater than 0'],
  ['rate(a[5m / range()])', '1:8', 'division by zero'],
  ['a offset (5 % step())', '1:11', 'modulo by zero'],
  ['a offset (0 ^ -1)', '1:10', 'duration is NaN or infinite'],
  ['a offset ((-1) ^ 0.5)', '1:10', 'duration is NaN or infinite'],
  ['a offset (290y * 2)', '1:10', 'duration is out of range'],
  ['a offset -(290y * 2)', '1:10', 'duration is out of range'],
  ['max_over_time(a[5m:0.0001])', '1:15', 'the resolution of a subquery must be at least 1ms'],
] as const)('%s is an error at %s for a query of one instant', ([text, position, part]) => {
  const resolve = () => resolveDurations(parseExpr(text), { stepMs: 0, rangeMs: 0 }, text);
  expect(resolve).toThrow(expect.objectContaining({ name: 'PromqlError', code: 'bad_data' }));
  expect(resolve).toThrow(`${position}: parse error: ${part}`);
});
