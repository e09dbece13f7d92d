import { expect, test } from 'vitest';
import { compacted } from '../../src/model/histogram-arithmetic.ts';
import { interpolateHistogram } from '../../src/model/histogram-interpolate.ts';
import {
  addToRunning,
  finishRunning,
  startRunning,
  subtractFromRunning,
  withoutObservations,
} from '../../src/model/histogram-running.ts';
import { GAUGE } from '../../src/model/histogram.ts';
import { parse, print, printAll } from './histogram-notation.ts';

test('the increase of a counter over a reset, at the coarsest schema', () => {
  // 1, 2 | 3 starts again | 4 has a coarser schema and a wider zero bucket; as Prometheus 3.15 answers.
  const [first, second, , last] = ['1/0/1 [1:5 2:1]', '1/0/1 [1:6 2:2]', '1/0/0 [1:1]', '0/0.5/2 [1:3]'].map(parse);
  const running = startRunning(last!, 0);
  expect(subtractFromRunning(running, first!)).toEqual({ resetCollision: false, boundsReconciled: false });
  expect(addToRunning(running, second!)).toEqual({ resetCollision: false, boundsReconciled: false });
  expect(printAll(compacted(finishRunning(running, GAUGE)))).toBe('0/0.5/2 [1:5] #7 =21 gauge');
  expect(print(last!)).toBe('0/0.5/2 [1:3]');
});

test('the first sample counts for nothing when a reset follows it', () => {
  const [, second, , last] = ['1,2 [0:5]', '1,2 [0:1]', '1,2,3 [0:1 3:4]', '1,3 [0:2 2:4]'].map(parse);
  const running = startRunning(last!);
  expect(subtractFromRunning(running, withoutObservations(second!))).toEqual({
    resetCollision: false,
    boundsReconciled: true,
  });
  expect(printAll(compacted(finishRunning(running, GAUGE)))).toBe('1 [0:2 1:4] #6 =18 gauge');
  expect(print(withoutObservations(parse('2/0.5/3 [1:2] [3:4]')))).toBe('2/0/0 []');
});

test('kinds that do not add, and hints that collide', () => {
  const running = startRunning(parse('0/0/1 [1:1] reset'));
  expect(addToRunning(running, parse('1 [0:1]'))).toBeUndefined();
  expect(addToRunning(running, parse('0/0/1 [1:1] kept'))).toEqual({ resetCollision: true, boundsReconciled: false });
});

// As Prometheus 3.15 answers them.
test.each<[before: string, after: string, timeMs: number, isCounter: boolean, want: string]>([
  ['0/0/1 [1:2] =1 kept', '0/0/3 [1:4 2:8] =9', 5, true, '0/0/2 [1:3 2:4] #9 =5'],
  ['0/0/5 [1:2]', '0/0/3 [1:4 2:8] =9', 5, true, '0/0/1.5 [1:2 2:4] #7.5 =4.5'],
  ['0/0/5 [1:2]', '0/0/3 [1:4 2:8] =9', 5, false, '0/0/4 [1:3 2:4] #11 =15'],
  ['0/0/5 [1:2 2:0]', '0/0/6 [1:4]', 0, true, '0/0/5 [1:2 2:0] #7 =21'],
  ['0/0/5 [1:2 2:0]', '0/0/6 [1:4 2:0]', 10, true, '0/0/6 [1:4 2:0] #10 =30'],
])('between %s and %s at %d', (before, after, timeMs, isCounter, want) => {
  const first = { timeMs: 0, histogram: parse(before) };
  const second = { timeMs: 10, histogram: parse(after) };
  expect(printAll(interpolateHistogram(first, second, timeMs, isCounter)!.histogram)).toBe(want);
  expect([printAll(first.histogram), printAll(second.histogram)]).toEqual([before, after].map(parse).map(printAll));
});

test('interpolation between custom buckets and between kinds', () => {
  const before = { timeMs: 100, histogram: parse('1,2 [0:4 1:0]') };
  const after = { timeMs: 500, histogram: parse('1,3 [0:8 1:2]') };
  const { histogram, ...reconciled } = interpolateHistogram(before, after, 200, true)!;
  expect(printAll(histogram)).toBe('1 [0:5 1:0.5] #5.5 =16.5');
  expect(reconciled).toEqual({ subtractionReconciled: true, additionReconciled: true });
  const exponential = { timeMs: 500, histogram: parse('0/0/9 []') };
  expect(interpolateHistogram(before, exponential, 200, false)).toBeUndefined();
  // Another kind of buckets is a reset, after which the earlier sample is not needed.
  expect(print(interpolateHistogram(before, exponential, 300, true)!.histogram)).toBe('0/0/4.5 []');
});
