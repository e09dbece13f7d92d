import { expect, test } from 'vitest';
import { parseDuration, printDuration } from '../../src/promql/duration.ts';

test.for([
  ['0', 0, '0s'],
  ['0s', 0, '0s'],
  ['1ms', 1, '1ms'],
  ['90m', 5_400_000, '1h30m'],
  ['1h30m', 5_400_000, '1h30m'],
  ['1y', 31_536_000_000, '1y'],
  ['52w', 31_449_600_000, '52w'],
  ['90d', 7_776_000_000, '90d'],
  ['1w1s', 604_801_000, '7d1s'],
  ['1d1ms', 86_400_001, '1d1ms'],
] as const)('%s is %i ms and prints %s', ([text, ms, printed]) => {
  expect(parseDuration(text)).toBe(ms);
  expect(printDuration(ms)).toBe(printed);
});

test('a negative duration prints with a sign', () => {
  expect(printDuration(-5_400_000)).toBe('-1h30m');
});

test.for(['', '5', '5x', 'm', '1m1h', '1m1m', '-5m', ' 5m', '1.5h', '1h 30m', '5M'])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'bad_data' }));
});

test.for(['293y', '9999999999999999999999s'])('%s is out of range', (text) => {
  expect(() => parseDuration(text)).toThrow('duration out of range');
});
