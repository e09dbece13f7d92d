import { describe, expect, it } from 'vitest';
import { STALE } from '../memory-source.ts';
import { exponential, nativeSeries } from './native-series.ts';
import { rowsOf, samples } from './instant.ts';

const HELD = [samples({ __name__: 'm', x: '1' }, [10.5, 5], [22, NaN], [40, STALE], [52, 7])];
const valuesOf = (text: string, held = HELD, features: string[] = []) =>
  rowsOf(text, held, { from: 10, to: 60, features }).map(([, values]) => values)[0];

describe('timestamp', () => {
  it.each<[string, (number | null)[]]>([
    ['timestamp(m)', [null, 10.5, 22, null, null, 52]],
    ['timestamp((m))', [null, 10.5, 22, null, null, 52]],
    ['timestamp(m offset 10s)', [null, null, 10.5, 22, null, null]],
    ['timestamp(m @ 30)', [22, 22, 22, 22, 22, 22]],
    // What an expression gives is of the step.
    ['timestamp(abs(m))', [null, 20, 30, null, null, 60]],
    ['timestamp(m + 0)', [null, 20, 30, null, null, 60]],
    ['timestamp(abs(m @ 30))', [10, 20, 30, 40, 50, 60]],
    ['timestamp(vector(1))', [10, 20, 30, 40, 50, 60]],
  ])('%s', (text, want) => expect(valuesOf(text)).toEqual(want));

  it('under @ reads with the offset, but looks back from the time itself', () => {
    const held = [samples({ __name__: 'm' }, [100, 1], [380, 1], [420, 1])];
    // Up to 300 and after 0, though 100 is more than five minutes before 410.
    expect(valuesOf('timestamp(m @ 410 offset 110s)', held)).toBeUndefined();
    expect(valuesOf('timestamp(m @ 390 offset 90s)', held)![0]).toBe(100);
    expect(valuesOf('timestamp(m @ 410 offset -10s)', held)![0]).toBe(380);
  });

  it('takes native histograms, and drops the name', () => {
    const held = [nativeSeries({ __name__: 'h', x: '1' }, [[31_000, exponential(0, [[1, 1]])]])];
    expect(rowsOf('timestamp(h)', held)).toEqual([['{x="1"}', [31]]]);
    expect(rowsOf('timestamp(-h)', held)).toEqual([['{x="1"}', [60]]]);
  });
});

describe('start_timestamp', () => {
  const started = { ...HELD[0]!, startTimes: Float64Array.of(1_000, 0, 0, 45_500) };
  const features = ['use-start-timestamps'];

  it('is when the counter behind each sample started, 0 where that is unknown', () => {
    expect(valuesOf('start_timestamp(m)', [started], features)).toEqual([null, 1, 0, null, null, 45.5]);
    expect(valuesOf('start_timestamp(m)', [{ ...started, startTimes: 2_000 }], features)).toEqual([
      null,
      2,
      2,
      null,
      null,
      2,
    ]);
    expect(valuesOf('start_timestamp(m)', HELD, features)).toEqual([null, 0, 0, null, null, 0]);
  });

  it('is nothing of an expression, nor where starts are not in use', () => {
    expect(valuesOf('start_timestamp(abs(m))', [started], features)).toBeUndefined();
    expect(valuesOf('start_timestamp(m)', [started])).toBeUndefined();
  });
});
