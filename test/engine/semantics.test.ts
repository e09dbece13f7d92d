import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/engine/evaluate.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { memorySource, series } from '../memory-source.ts';
import { contextOver } from './context.ts';

type Rows = [Record<string, string>, (number | null)[]][];

/** The rows of an expression over some series at the times `startS, startS + 10, … endS`; null where nothing is. */
function run(text: string, held: readonly SeriesColumns[], startS = 60, endS = startS): Rows {
  const grid = rangeGrid(startS * 1000, endS * 1000, 10_000);
  const value = evaluate(
    normalise(parseExpr(text), grid),
    contextOver(memorySource(held), grid, { lookbackMs: 25_000 }),
  );
  if (value.kind !== 'vector') throw new Error(`a ${value.kind} has no rows`);
  return value.rows.map(({ labels, values, present }) => [
    labelsRecord(labels),
    [...values].map((v, i) => (present[i] === 1 ? v : null)),
  ]);
}

/** A series with samples at the seconds given. */
const at = (labels: Record<string, string>, ...samples: [number, number][]): SeriesColumns =>
  series(
    labels,
    samples.map(([seconds, value]) => [seconds * 1000, value] as const),
  );

/** A series `m` with samples 1 s apart, the last at 60 s. */
const every = (values: readonly number[]): SeriesColumns =>
  at({ __name__: 'm' }, ...values.map((value, i): [number, number] => [60 - values.length + 1 + i, value]));

const TWO = [at({ __name__: 'a', x: '1' }, [60, 1]), at({ __name__: 'b', x: '1' }, [60, 2])];
const BOTH = '{__name__=~"a|b"}';

describe('label sets that become the same', () => {
  it.each([
    `abs(+${BOTH})`,
    `-(+${BOTH})`,
    `rate(${BOTH}[60s])`,
    `abs(${BOTH} and ${BOTH})`,
    `abs(last_over_time(${BOTH}[60s]))`,
    `${BOTH} + on (__name__) ${BOTH}`,
    `${BOTH} > bool on (__name__) ${BOTH}`,
    `abs(on1 * on (x) group_right () ${BOTH})`,
  ])('in %s are an error', (text) => {
    const held = [
      ...TWO.map(({ labels }) => at(labelsRecord(labels), [50, 1], [60, 2])),
      at({ __name__: 'on1', x: '1' }, [60, 1]),
    ];
    expect(() => run(text, held)).toThrow(/same labelset|unique matches/);
  });

  it('are told of ranges even where the series never meet, and of instants only where they do', () => {
    const apart = [at({ __name__: 'a' }, [10, 1], [11, 2]), at({ __name__: 'b' }, [60, 1], [61, 2])];
    expect(() => run(`rate(${BOTH}[5s])`, apart, 12, 62)).toThrow(/same labelset/);
    expect(run(`abs(${BOTH})`, apart, 12, 62)).toEqual([[{}, [2, 2, 2, null, null, 2]]]);
  });

  it('are joined where a copied name differs from step to step', () => {
    const held = [
      at({ __name__: 'm', x: '1' }, [10, 1], [60, 2]),
      at({ __name__: 'a', x: '1' }, [10, 1]),
      at({ __name__: 'b', x: '1' }, [60, 1]),
    ];
    expect(run(`abs(m * on (x) group_left (__name__) ${BOTH})`, held, 10, 60)).toEqual([
      [{ x: '1' }, [1, 1, 1, null, null, 2]],
    ]);
  });

  it('do not hinder and, unless and comparisons, which keep names', () => {
    expect(run(`${BOTH} and ${BOTH}`, TWO)).toHaveLength(2);
    expect(run(`${BOTH} unless on (x) nothing`, TWO)).toHaveLength(2);
    expect(run(`${BOTH} == on (__name__) ${BOTH}`, TWO)).toHaveLength(2);
  });
});

describe('many-to-one matching', () => {
  const many = [
    at({ __name__: 'p', g: '1', i: 'x' }, [60, 1]),
    at({ __name__: 'q', g: '1', i: 'x' }, [60, 5]),
    at({ __name__: 'one', g: '1' }, [60, 3]),
  ];

  it('counts a pair within its group also where its comparison does not hold', () => {
    // p and q come to one label set; p does not hold for `> 3`.
    expect(() => run('{__name__=~"p|q"} + on (g) group_left () one', many)).toThrow(/ensure unique matches/);
    expect(() => run('{__name__=~"p|q"} > bool on (g) group_left () one', many)).toThrow(/ensure unique matches/);
    expect(() => run('{__name__=~"p|q"} > on (g) group_left (__name__) one', many)).toThrow(/ensure unique matches/);
  });

  it('tells of two groups that come to one label set', () => {
    const groups = [
      at({ __name__: 'm', g: '1' }, [60, 1]),
      at({ __name__: 'm', g: '2' }, [60, 5]),
      at({ __name__: 'one', g: '1', n: 'same' }, [60, 3]),
      at({ __name__: 'one', g: '2', n: 'same' }, [60, 3]),
    ];
    // Copying g from the "one" side where it is empty would need another label; n parts nothing here.
    expect(run('m + on (g) group_left (n) one', groups)).toHaveLength(2);
    const names = groups.slice(0, 2).map((one, i) => at({ __name__: `m${i}` }, [60, one.values[0]!]));
    const ones = [at({ __name__: 'm0' }, [60, 3]), at({ __name__: 'm1' }, [60, 3])];
    expect(ones).toHaveLength(names.length);
    expect(() => run('{__name__=~"m."} * on (__name__) group_left () {__name__=~"m."}', ones)).toThrow(/same labelset/);
    // The pair of m0 does not hold, so only one group gives a row.
    expect(run('{__name__=~"m."} * on (__name__) group_left () ({__name__=~"m."} > 3)', names)).toEqual([[{}, [25]]]);
  });
});

describe('functions of ranges', () => {
  it.each<[string, readonly number[], number]>([
    ['stdvar_over_time(m[20s])', [1, 3], 1],
    ['changes(m[20s])', [NaN, NaN, 1, 1, NaN], 2],
    ['avg_over_time(m[20s])', [1.5e308, 1.5e308, 1.2e308], 1.4e308],
    ['avg_over_time(m[20s])', [Infinity, 1], Infinity],
    ['quantile_over_time(0.5, m[20s])', [NaN, 3, 1], 1],
    ['quantile_over_time(0.5, m[20s])', [3, 1, 2], 2],
  ])('%s of %j is %d', (text, values, want) => {
    const got = run(text, [every(values)])[0]![1][0]!;
    if (Number.isFinite(want)) expect(got / want).toBeCloseTo(1, 14);
    else expect(got).toBe(want);
  });

  it('stdvar_over_time is compensated', () => {
    // Prometheus's own figures; without compensation the variance comes to 2.083140881552481e-06.
    const held = [every(Array.from({ length: 50 }, (_none, i) => 1e9 + i * 1e-4))];
    expect(run('stdvar_over_time(m[60s])', held)[0]![1]).toEqual([2.0824842272304523e-6]);
    expect(run('stddev_over_time(m[60s])', held)[0]![1]).toEqual([0.0014430815040150894]);
  });

  it.each<[string, [number, number][], number]>([
    // 20 s sampled, spacing 10 s, 5 s to either end: 10 + 10/20*10.
    [
      'both ends within 1.1 spacings',
      [
        [35, 100],
        [45, 105],
        [55, 110],
      ],
      15,
    ],
    // (30, 60] with the samples 20 s from the end: more than 1.1 spacings, so half a spacing is added.
    [
      'a gap at the right end',
      [
        [31, 100],
        [41, 105],
      ],
      5 * ((10 + 1 + 5) / 10),
    ],
    // Exactly 1.1 spacings count as a gap already.
    [
      'a gap of exactly 1.1 spacings',
      [
        [41, 100],
        [51, 105],
      ],
      5 * ((10 + 5 + 9) / 10),
    ],
    // A counter below zero has no zero point to stop at.
    [
      'a counter that begins below zero',
      [
        [40, -5],
        [50, 5],
      ],
      10 * ((10 + 10 + 10) / 10),
    ],
    [
      'a counter that begins at zero',
      [
        [40, 0],
        [50, 10],
      ],
      10 * ((10 + 0 + 10) / 10),
    ],
  ])('increase over %s', (_what, samples, want) => {
    expect(run('increase(c[30s])', [at({ __name__: 'c' }, ...samples)])[0]![1][0]).toBeCloseTo(want, 12);
  });
});

it('a sample counts until just before the lookback is over', () => {
  const held = [series({ __name__: 'm' }, [[35_000, 1]]), series({ __name__: 'n' }, [[35_001, 2]])];
  // Not at the first step alone: there the source already leaves older samples out.
  expect(run('m', held, 50, 60)[0]![1]).toEqual([1, null]);
  expect(run('n', held, 50, 60)[0]![1]).toEqual([2, 2]);
});

describe('histogram_quantile', () => {
  const buckets = (...pairs: [string, number][]): SeriesColumns[] =>
    pairs.map(([le, count]) => at({ __name__: 'h_bucket', le }, [60, count]));

  it.each<[string, [string, number][], number]>([
    [
      'a first bound below zero is the answer',
      [
        ['-2', 10],
        ['1', 10],
        ['+Inf', 10],
      ],
      -2,
    ],
    [
      'a first bound of zero is the answer',
      [
        ['0', 5],
        ['1', 6],
        ['+Inf', 10],
      ],
      0,
    ],
    [
      'equal bounds are added up',
      [
        ['1', 2],
        ['1.0', 2],
        ['2', 6],
        ['+Inf', 8],
      ],
      1,
    ],
    [
      'a missing +Inf gives NaN',
      [
        ['1', 5],
        ['2', 10],
      ],
      NaN,
    ],
    ['a single bucket gives NaN', [['+Inf', 10]], NaN],
    [
      'no observations give NaN',
      [
        ['1', 0],
        ['+Inf', 0],
      ],
      NaN,
    ],
    // Counts that differ by rounding alone are one count: the rank just past 5 lies in the third bucket.
    [
      'small deltas are none',
      [
        ['1', 5],
        ['2', 5 + 1e-13],
        ['4', 8],
        ['+Inf', 10 + 1e-13],
      ],
      2 + 2 * (((10 + 1e-13) * 0.5 - 5) / 3),
    ],
    [
      'falling counts are held',
      [
        ['1', 4],
        ['2', 2],
        ['4', 8],
        ['+Inf', 10],
      ],
      2.5,
    ],
    // Bisection over three buckets begins at the second and, its count being NaN, goes on to the third.
    [
      'a NaN count is stepped over as by bisection',
      [
        ['1', 9],
        ['2', NaN],
        ['4', 9],
        ['+Inf', 10],
      ],
      NaN,
    ],
    [
      'le="NaN" keeps its place as in Go, so +Inf is not last',
      [
        ['1', 4],
        ['2', 8],
        ['NaN', 8],
        ['+Inf', 10],
      ],
      NaN,
    ],
    [
      'hexadecimal bounds are read',
      [
        ['0x1p0', 4],
        ['0x1p1', 8],
        ['+Inf', 10],
      ],
      1.25,
    ],
    [
      'bounds out of range are left out',
      [
        ['1', 4],
        ['2', 8],
        ['1e400', 9],
        ['+Inf', 10],
      ],
      1.25,
    ],
  ])('%s', (_what, pairs, want) => {
    expect(run('histogram_quantile(0.5, h_bucket)', buckets(...pairs))[0]![1]).toEqual([want]);
  });
});

describe('topk and bottomk', () => {
  const held = [5, NaN, 3, 9, 3, 7, -1].map((value, i) => at({ __name__: 'm', i: String(i) }, [60, value]));
  const indices = (text: string): string[] => run(text, held).map(([labels]) => labels['i']!);

  it.each<[string, string[]]>([
    ['topk(1, m)', ['3']],
    ['topk(2, m)', ['3', '5']],
    ['topk(4, m)', ['3', '5', '0', '2']],
    ['topk(6, m)', ['3', '5', '0', '2', '4', '6']],
    ['topk(7, m)', ['3', '5', '0', '2', '4', '6', '1']],
    ['bottomk(2, m)', ['6', '2']],
    ['bottomk(3, m)', ['6', '2', '4']],
    ['topk(2.9, m)', ['3', '5']],
    ['topk(0.9, m)', []],
    ['topk(-1e30, m)', []],
    ['topk(1e18, m)', ['3', '5', '0', '2', '4', '6', '1']],
  ])('%s', (text, want) => expect(indices(text)).toEqual(want));

  it.each<[string, RegExp]>([
    ['topk(2 ^ 63, m)', /^Scalar value .* overflows int64$/],
    ['topk(1e30, m)', /^Scalar value 1e\+30 overflows int64$/],
    ['topk(NaN, m)', /^Parameter value is NaN$/],
  ])('%s is an error', (text, message) => expect(() => run(text, held)).toThrow(message));

  it('look at the parameter of all steps first', () => {
    // -1e30 at 60 s, 10 at 70 s.
    const text = 'topk((time() - 70) * 1e30 + 10, m)';
    expect(() => run(text, held, 60, 70)).toThrow(/underflows int64/);
  });

  it('choose as a full sort does', () => {
    const many = Array.from({ length: 200 }, (_none, i) =>
      at({ __name__: 'm', i: String(i).padStart(3, '0') }, [60, (i * 7919) % 61]),
    );
    const sorted = run('topk(200, m)', many).map(([labels]) => labels['i']);
    for (const k of [1, 2, 3, 50, 199]) {
      expect(run(`topk(${k}, m)`, many).map(([labels]) => labels['i'])).toEqual(sorted.slice(0, k));
    }
  });
});

describe('clamp_min and clamp_max', () => {
  it.each<[string, number, number]>([
    ['clamp_min(m, +Inf)', NaN, Infinity],
    ['clamp_min(m, NaN)', Infinity, Infinity],
    ['clamp_min(m, 1)', NaN, NaN],
    ['clamp_min(m, 1)', -5, 1],
    ['clamp_max(m, -Inf)', NaN, -Infinity],
    ['clamp_max(m, NaN)', -Infinity, -Infinity],
    ['clamp_max(m, 1)', 5, 1],
    ['round(m, 0.1)', 1.26, 1.3],
    ['round(m)', 1.5, 2],
  ])('%s of %d is %d', (text, value, want) => {
    expect(run(text, [every([value])])[0]![1]).toEqual([want]);
  });

  it('take their argument at each step and leave absent steps out', () => {
    expect(run('clamp_min(m, time())', [at({ __name__: 'm' }, [60, 1])], 50, 90)).toEqual([
      [{}, [null, 60, 70, 80, null]],
    ]);
  });
});
