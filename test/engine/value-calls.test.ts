import { describe, expect, it } from 'vitest';
import { exponential, nativeSeries } from './native-series.ts';
import { answer, now, rowsOf, samples } from './instant.ts';

const HELD = [
  now({ __name__: 'm', x: '1' }, -2.5),
  now({ __name__: 'm', x: '2' }, NaN),
  now({ __name__: 'm', x: '3' }, Infinity),
];
const ofM = (a: number, b: number, c: number) => [
  ['{x="1"}', [a]],
  ['{x="2"}', [b]],
  ['{x="3"}', [c]],
];

describe('functions of one value', () => {
  it.each<[string, number, number, number]>([
    ['abs(m)', 2.5, NaN, Infinity],
    ['ceil(m)', -2, NaN, Infinity],
    ['floor(m)', -3, NaN, Infinity],
    ['sgn(m)', -1, NaN, 1],
    ['sgn(m * 0)', -0, NaN, NaN],
    ['sqrt(m)', NaN, NaN, Infinity],
    ['exp(m - m)', 1, NaN, NaN],
    ['ln(m)', NaN, NaN, Infinity],
    ['log2(m + 10.5)', 3, NaN, Infinity],
    ['log10(m + 102.5)', 2, NaN, Infinity],
    ['deg(m)', (-2.5 * 180) / Math.PI, NaN, Infinity],
    ['rad(m)', (-2.5 * Math.PI) / 180, NaN, Infinity],
    ['sin(m)', Math.sin(-2.5), NaN, NaN],
    ['atan(m)', Math.atan(-2.5), NaN, Math.PI / 2],
    ['atanh(m)', NaN, NaN, NaN],
    ['tanh(m)', Math.tanh(-2.5), NaN, 1],
    // Halves go up, also below 0.
    ['round(m)', -2, NaN, Infinity],
    ['round(m, 2)', -2, NaN, Infinity],
    ['round(m, 0.2)', -2.4, NaN, Infinity],
    ['round(m, 0)', NaN, NaN, NaN],
    ['clamp(m, -1, 1)', -1, NaN, 1],
    ['clamp(m, -5, 5)', -2.5, NaN, 5],
    ['clamp(m, NaN, 5)', NaN, NaN, NaN],
    // An infinite bound wins over NaN.
    ['clamp_min(m, Inf)', Infinity, Infinity, Infinity],
    ['clamp_max(m, -Inf)', -Infinity, -Infinity, -Infinity],
    ['clamp_min(m, 0)', 0, NaN, Infinity],
    ['clamp_max(m, NaN)', NaN, NaN, NaN],
  ])('%s', (text, ...want) => {
    const rows = rowsOf(text, HELD);
    expect(rows.map(([labels]) => labels)).toEqual(ofM(...want).map(([labels]) => labels));
    rows.forEach(([, [value]], i) => {
      if (Number.isFinite(want[i])) expect(value).toBeCloseTo(want[i]!, 12);
      else expect(value).toBe(want[i]);
    });
    expect(text === 'sgn(m * 0)' ? Object.is(rows[0]![1][0], -0) : true).toBe(true);
  });

  it('clamp gives nothing at the steps where its bounds are crossed', () => {
    const held = [samples({ __name__: 'm' }, [0, 5]), samples({ __name__: 'low' }, [0, 1], [20, 7])];
    expect(rowsOf('clamp(m, scalar(low), 6)', held, { from: 0, to: 30 })).toEqual([['{}', [5, 5, null, null]]]);
  });

  it('leave native histograms out', () => {
    const held = [
      nativeSeries({ __name__: 'm' }, [
        [0, 4],
        [10_000, exponential(0, [[1, 2]])],
      ]),
    ];
    expect(rowsOf('sqrt(m)', held, { from: 0, to: 10 })).toEqual([['{}', [2, null]]]);
    expect(rowsOf('sqrt(m)', held, { from: 10 })).toEqual([]);
  });
});

describe('names', () => {
  const two = [now({ __name__: 'a', x: '1' }, 1), now({ __name__: 'b', x: '1' }, 2)];

  it('go with the labels of type and unit', () => {
    const held = [now({ __name__: 'a', __type__: 'gauge', __unit__: 's', x: '1' }, 1)];
    expect(rowsOf('abs(a)', held)).toEqual([['{x="1"}', [1]]]);
  });

  it('that go make label sets equal, which is an error at one step only', () => {
    expect(() => rowsOf('abs({x="1"})', two)).toThrow('vector cannot contain metrics with the same labelset');
    const apart = [samples({ __name__: 'a' }, [0, -1]), samples({ __name__: 'b' }, [400, -2])];
    expect(rowsOf('abs({__name__=~"a|b"})', apart, { from: 0, to: 400, step: 400 })).toEqual([['{}', [1, 2]]]);
  });

  it('that go at the end are there for what comes in between', () => {
    const features = ['promql-delayed-name-removal'];
    const named = 'label_replace(abs({x="1"}), "was", "$1", "__name__", "(.*)")';
    expect(rowsOf(named, two, { features })).toEqual([
      ['{was="a", x="1"}', [1]],
      ['{was="b", x="1"}', [2]],
    ]);
    expect(() => rowsOf(named, two)).toThrow('same labelset');
    expect(() => rowsOf('abs({x="1"})', two, { features })).toThrow('same labelset');
    expect(rowsOf('abs(a)', two, { features })).toEqual([['{x="1"}', [1]]]);
  });

  it('are all the same without a note', () => {
    expect(answer('abs(a)', two)).toMatchObject({ warnings: [], infos: [] });
  });
});
