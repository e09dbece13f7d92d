import { describe, expect, it } from 'vitest';
import { custom, exponential, nativeSeries } from './native-series.ts';
import { answer, now, rowsOf, samples } from './instant.ts';

/** A classic histogram `h` with the given buckets at 60 s. */
const classic = (buckets: Readonly<Record<string, number>>, labels: Readonly<Record<string, string>> = {}) =>
  Object.entries(buckets).map(([le, count]) => now({ __name__: 'h', le, ...labels }, count));

const native = (histogram: ReturnType<typeof exponential>, labels: Readonly<Record<string, string>> = {}) =>
  nativeSeries({ __name__: 'h', ...labels }, [[60_000, histogram]]);

const PLAIN = classic({ '1': 5, '2': 8, '+Inf': 10 }, { x: '1' });

const DELAYED = ['promql-delayed-name-removal'];
const WRONG_QUANTILE = 'PromQL warning: quantile value should be between 0 and 1, got';
const MENDED =
  'PromQL info: input to histogram_quantile needed to be fixed for monotonicity ' +
  '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)';

describe('classic histograms', () => {
  it.each<[string, number]>([
    ['histogram_quantile(0.5, h)', 1],
    ['histogram_quantile(0.25, h)', 0.5],
    ['histogram_quantile(0.65, h)', 1.5],
    // The highest bucket says no more than where it begins.
    ['histogram_quantile(0.9, h)', 2],
    ['histogram_quantile(0, h)', 0],
    ['histogram_quantile(-1, h)', -Infinity],
    ['histogram_quantile(2, h)', Infinity],
    ['histogram_quantile(NaN, h)', NaN],
    ['histogram_fraction(0, 1, h)', 0.5],
    ['histogram_fraction(0, 1.5, h)', 0.65],
    ['histogram_fraction(0.5, 1.5, h)', 0.4],
    ['histogram_fraction(1, Inf, h)', 0.5],
    ['histogram_fraction(-Inf, Inf, h)', 1],
    ['histogram_fraction(-Inf, 5, h)', 0.8],
    ['histogram_fraction(2, 1, h)', 0],
    ['histogram_fraction(NaN, 1, h)', NaN],
  ])('%s', (text, want) => {
    const [row, ...more] = rowsOf(text, PLAIN);
    expect(more).toEqual([]);
    expect(row![0]).toBe('{x="1"}');
    if (Number.isFinite(want)) expect(row![1][0]).toBeCloseTo(want, 12);
    else expect(row![1][0]).toBe(want);
  });

  it.each<[string, Readonly<Record<string, number>>, number, number]>([
    ['without observations', { '1': 0, '+Inf': 0 }, NaN, NaN],
    ['without a bucket of +Inf', { '1': 1, '2': 4 }, NaN, NaN],
    ['of one bucket', { '+Inf': 4 }, NaN, 0],
    // The lowest bucket begins at -Inf, so no part of it can be told.
    ['that begin at or below 0', { '-1': 2, '1': 3, '+Inf': 3 }, -1, 1],
    ['with a bound written in two ways', { '1': 2, '1.0': 2, '2': 8, '+Inf': 8 }, 1, 0.5],
    ['with a hexadecimal bound', { '0x1p1': 2, '+Inf': 4 }, 2, 0.25],
  ])('%s', (_name, buckets, quantile, fraction) => {
    const held = classic(buckets);
    expect(rowsOf('histogram_quantile(0.5, h)', held)[0]![1][0]).toBe(quantile);
    expect(rowsOf('histogram_fraction(-Inf, 1, h)', held)[0]![1][0]).toBe(fraction);
  });

  it('that fall with rising bounds are mended, and it is said how', () => {
    const held = classic({ '1': 5, '2': 3, '4': 4, '+Inf': 10 });
    const { rows, infos } = answer('histogram_quantile(0.75, h)', held);
    expect(rows).toEqual([['{}', [4]]]);
    const details =
      'from buckets 2 to 4, with a max diff of 2, over 1 samples from 1970-01-01T00:01:00Z to 1970-01-01T00:01:00Z';
    expect(infos).toEqual([`${MENDED}, ${details} (1:26)`]);
    expect(answer('histogram_fraction(0, 1, h)', held).infos).toEqual([]);
    expect(answer('histogram_quantile(NaN, h)', held).infos).toEqual([]);
    const [named] = answer('histogram_quantile(0.75, h)', held, { features: DELAYED }).infos;
    expect(named).toContain(`${MENDED} for metric name "h", from buckets`);
    const [range] = answer('histogram_quantile(0.75, h)', held, { from: 60, to: 80 }).infos;
    expect(range).toContain('over 3 samples from 1970-01-01T00:01:00Z to 1970-01-01T00:01:20Z');
  });

  it('differences of rounding are no falls', () => {
    const { rows, infos } = answer('histogram_quantile(0.5, h)', classic({ '1': 5, '2': 5 - 1e-13, '+Inf': 10 }));
    expect(rows).toEqual([['{}', [1]]]);
    expect(infos).toEqual([]);
  });

  it('buckets that no number bounds are left out, with a warning', () => {
    const held = [...PLAIN, now({ __name__: 'h', le: 'a lot', x: '1' }, 1), now({ __name__: 'h', x: '1' }, 1)];
    const { rows, warnings } = answer('histogram_quantile(0.5, h)', held);
    expect(rows).toEqual([['{x="1"}', [1]]]);
    const text = 'PromQL warning: bucket label "le" is missing or has a malformed value of';
    expect(warnings.toSorted()).toEqual([`${text} "" (1:25)`, `${text} "a lot" (1:25)`]);
    expect(answer('histogram_quantile(0.5, h)', held, { features: DELAYED }).warnings).toContain(
      `${text} "a lot" for metric name "h" (1:25)`,
    );
  });

  it('quantiles that are none are warned of, as often as they differ', () => {
    const { warnings } = answer('histogram_quantile(time() / 100, h)', PLAIN, { from: 90, to: 120 });
    expect(warnings).toEqual([`${WRONG_QUANTILE} 1.1 (1:20)`, `${WRONG_QUANTILE} 1.2 (1:20)`]);
    expect(answer('histogram_quantile(2, histogram_quantile(2, h))', PLAIN).warnings.toSorted()).toEqual([
      `PromQL warning: bucket label "le" is missing or has a malformed value of "" (1:23)`,
      `${WRONG_QUANTILE} 2 (1:20)`,
    ]);
  });

  it('buckets count at the steps at which they are', () => {
    const held = [
      samples({ __name__: 'h', le: '1' }, [0, 1], [400, 2]),
      samples({ __name__: 'h', le: '2' }, [0, 4], [400, 8]),
      samples({ __name__: 'h', le: '+Inf' }, [400, 8]),
    ];
    expect(rowsOf('histogram_quantile(0.5, h)', held, { from: 0, to: 400, step: 200 })).toEqual([
      ['{}', [NaN, NaN, 1 + 1 / 3]],
    ]);
  });
});

describe('native histograms', () => {
  const LATENCY = exponential(
    0,
    [
      [1, 4],
      [2, 4],
    ],
    { sum: 24 },
  );

  it.each<[string, number]>([
    ['histogram_count(h)', 8],
    ['histogram_sum(h)', 24],
    ['histogram_avg(h)', 3],
    // On the logarithmic scale, in the bucket (1, 2].
    ['histogram_quantile(0.25, h)', Math.SQRT2],
    ['histogram_quantile(1, h)', 4],
    ['histogram_fraction(0, 2, h)', 0.5],
    // Each bucket counts at its geometric mean.
    ['histogram_stdvar(h)', ((Math.SQRT2 - 3) ** 2 + (2 * Math.SQRT2 - 3) ** 2) / 2],
    ['histogram_stddev(h)', Math.sqrt(((Math.SQRT2 - 3) ** 2 + (2 * Math.SQRT2 - 3) ** 2) / 2)],
  ])('%s', (text, want) => {
    const [row] = rowsOf(text, [native(LATENCY, { x: '1' })]);
    expect(row![0]).toBe('{x="1"}');
    expect(row![1][0]).toBeCloseTo(want, 12);
  });

  it('functions of each of them leave floats out, and the labels of type and unit', () => {
    const held = [
      nativeSeries({ __name__: 'h', __type__: 'histogram', x: '1' }, [
        [0, 5],
        [60_000, LATENCY],
      ]),
    ];
    expect(rowsOf('histogram_count(h)', held, { from: 0, to: 60, step: 60 })).toEqual([
      ['{__type__="histogram", x="1"}', [null, 8]],
    ]);
    expect(rowsOf('histogram_quantile(1, h)', held)).toEqual([['{x="1"}', [4]]]);
  });

  it('with custom buckets are interpolated linearly', () => {
    expect(
      rowsOf('histogram_quantile(0.75, h)', [
        native(
          custom(
            [1, 3],
            [
              [0, 2],
              [1, 2],
            ],
          ),
        ),
      ]),
    ).toEqual([['{}', [2]]]);
  });

  it('with observations of NaN say so', () => {
    const held = [native({ ...LATENCY, sum: NaN, count: 10 })];
    const texts = (text: string, features: string[] = []) => answer(text, held, { features }).infos;
    expect(texts('histogram_quantile(0.5, h)')).toEqual([
      'PromQL info: input to histogram_quantile has NaN observations, result is skewed higher (1:25)',
    ]);
    expect(texts('histogram_quantile(0.99, h)', DELAYED)).toEqual([
      'PromQL info: input to histogram_quantile has NaN observations, result is NaN for metric name "h" (1:26)',
    ]);
    expect(texts('histogram_fraction(0, 1, h)')).toEqual([
      'PromQL info: input to histogram_fraction has NaN observations, which are excluded from all fractions (1:26)',
    ]);
  });
});

describe('native and classic histograms of one name', () => {
  it('count for nothing where they meet, with a warning', () => {
    const held = [...PLAIN, native(exponential(0, [[1, 4]]), { x: '1' }), native(exponential(0, [[1, 4]]), { x: '2' })];
    const { rows, warnings } = answer('histogram_quantile(1, h)', held);
    expect(rows).toEqual([['{x="2"}', [2]]]);
    expect(warnings).toEqual(['PromQL warning: vector contains a mix of classic and native histograms (1:23)']);
    const delayed = answer('histogram_quantile(1, h)', held, { features: DELAYED });
    expect(delayed.rows).toEqual(rows);
    expect(delayed.warnings[0]).toContain('histograms for metric name "h" (1:23)');
  });

  it('are one series where they take turns', () => {
    const held = [
      nativeSeries({ __name__: 'h' }, [[0, exponential(0, [[1, 4]])]]),
      samples({ __name__: 'h', le: '1' }, [400, 2]),
      samples({ __name__: 'h', le: '+Inf' }, [400, 2]),
    ];
    for (const features of [[], DELAYED]) {
      expect(rowsOf('histogram_quantile(1, h)', held, { from: 0, to: 400, step: 200, features })).toEqual([
        ['{}', [2, 2, 1]],
      ]);
    }
  });
});

describe('histogram_quantiles', () => {
  it('gives a series for each quantile', () => {
    expect(rowsOf('histogram_quantiles(h, "q", 0.5, 1e-7, 1, 0)', PLAIN)).toEqual([
      ['{q="0.5", x="1"}', [1]],
      ['{q="1e-07", x="1"}', [2e-7]],
      ['{q="1.0", x="1"}', [2]],
      ['{q="0.0", x="1"}', [0]],
    ]);
  });

  it('of native histograms too', () => {
    const held = [
      native(
        exponential(0, [
          [1, 4],
          [2, 4],
        ]),
        { x: '1' },
      ),
    ];
    expect(rowsOf('histogram_quantiles(h, "q", 0.5, 1)', held)).toEqual([
      ['{q="0.5", x="1"}', [2]],
      ['{q="1.0", x="1"}', [4]],
    ]);
  });

  it('takes any label, and quantiles that change', () => {
    expect(rowsOf('histogram_quantiles(h, "__name__", 0.5)', PLAIN)).toEqual([['{__name__="0.5", x="1"}', [1]]]);
    expect(rowsOf('histogram_quantiles(h, "x", 0.5)', PLAIN)).toEqual([['{x="0.5"}', [1]]]);
    expect(rowsOf('histogram_quantiles(h, "q", time() / 200)', PLAIN, { from: 100, to: 110 })).toEqual([
      ['{q="0.5", x="1"}', [1, null]],
      ['{q="0.55", x="1"}', [null, expect.closeTo(1 + 1 / 6, 12)]],
    ]);
  });

  it('warns of each quantile that is none, and mends once', () => {
    const held = classic({ '1': 5, '2': 3, '+Inf': 10 });
    const { warnings, infos } = answer('histogram_quantiles(h, "q", 7, 0.5, 0.6)', held);
    expect(warnings).toEqual([`${WRONG_QUANTILE} 7 (1:29)`]);
    expect(infos).toHaveLength(1);
    expect(infos[0]).toContain('over 1 samples');
  });

  it('fails where one quantile is there twice', () => {
    expect(() => rowsOf('histogram_quantiles(h, "q", 0.5, 0.50)', PLAIN)).toThrow('same labelset');
  });
});
