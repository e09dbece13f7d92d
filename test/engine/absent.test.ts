import { describe, expect, it } from 'vitest';
import { exponential, nativeSeries } from './native-series.ts';
import { now, rowsOf, samples } from './instant.ts';

describe('absent', () => {
  it.each<[string, string]>([
    ['absent(n)', '{}'],
    ['absent(n{a="1", b=~"2", c!="3"})', '{a="1"}'],
    ['absent((n{a="1"}))', '{a="1"}'],
    ['absent(n{a="1"} @ 5)', '{a="1"}'],
    ['absent(n{a="1"} offset 1h)', '{a="1"}'],
    ['absent({a="1", __name__="n"})', '{a="1"}'],
    // A label that is asked for in two ways is not known, in whatever order.
    ['absent(n{a="1", a="2", b="3"})', '{b="3"}'],
    ['absent(n{a="1", a="2", a="3", b="3"})', '{b="3"}'],
    ['absent(n{a!="2", a="1"})', '{}'],
    // But what can only hold says nothing more.
    ['absent(n{a=~".+", a="1"})', '{a="1"}'],
    ['absent(n{a="", b="1"})', '{b="1"}'],
    ['absent(sum(n{a="1"}))', '{}'],
    ['absent(n{a="1"} > 1)', '{}'],
  ])('%s', (text, want) => expect(rowsOf(text, [])).toEqual([[want, [1]]]));

  it('is there where nothing else is', () => {
    const held = [samples({ __name__: 'm', x: '1' }, [0, NaN]), samples({ __name__: 'm', x: '2' }, [330, 1])];
    expect(rowsOf('absent(m)', held, { from: -10, to: 340 })[0]![1].map((value) => value === 1)).toEqual(
      Array.from({ length: 36 }, (_, i) => i === 0 || (i > 30 && i < 34)),
    );
    expect(rowsOf('absent(m)', [now({ __name__: 'm' }, 1)])).toEqual([]);
  });

  it('counts native histograms as there', () => {
    expect(rowsOf('absent(m)', [nativeSeries({ __name__: 'm' }, [[60_000, exponential(0, [[1, 1]])]])])).toEqual([]);
  });
});
