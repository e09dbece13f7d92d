import { describe, expect, it } from 'vitest';
import { STALE } from '../memory-source.ts';
import { exponential, nativeSeries } from './native-series.ts';
import { now, rowsOf, samples } from './instant.ts';

const BASE = { job: 'a', instance: '1' };
const HELD = [
  now({ __name__: 'm', ...BASE, own: 'o' }, 5),
  now({ __name__: 'alone' }, 6),
  now({ __name__: 'target_info', ...BASE, own: 'other', region: 'r', version: 'v' }, 1),
  now({ __name__: 'build_info', ...BASE, commit: 'c' }, 1),
  now({ __name__: 'target_info', job: 'a', instance: '2', region: 's' }, 1),
];
const M = '__name__="m"';

describe('info', () => {
  it.each<[string, string | undefined]>([
    // What the series has of its own stays.
    ['info(m)', `{${M}, instance="1", job="a", own="o", region="r", version="v"}`],
    ['info(m, {region=~".+"})', `{${M}, instance="1", job="a", own="o", region="r"}`],
    ['info(m, {region="s"})', undefined],
    ['info(m, {nope=~".+"})', undefined],
    ['info(m, {nope=~".*"})', `{${M}, instance="1", job="a", own="o"}`],
    ['info(m, {__name__="build_info"})', `{${M}, commit="c", instance="1", job="a", own="o"}`],
    ['info(m, {__name__=~".+_info"})', `{${M}, commit="c", instance="1", job="a", own="o", region="r", version="v"}`],
    // Only what it is not: any other metric whose name ends in _info.
    ['info(m, {__name__!="target_info"})', `{${M}, commit="c", instance="1", job="a", own="o"}`],
    ['info(m, {__name__="nope_info"})', `{${M}, instance="1", job="a", own="o"}`],
    ['info(alone)', '{__name__="alone"}'],
    ['info(alone, {region="r"})', undefined],
    ['info(abs(m), {version="v"})', '{instance="1", job="a", own="o", version="v"}'],
    [
      'info(info(m, {version="v"}), {__name__="build_info"})',
      `{${M}, commit="c", instance="1", job="a", own="o", version="v"}`,
    ],
    // Info series themselves are left as they are.
    [
      'info(build_info, {__name__=~"(build|target)_info"})',
      '{__name__="build_info", commit="c", instance="1", job="a"}',
    ],
    ['info(vector(3))', '{}'],
  ])('%s', (text, want) => {
    expect(rowsOf(text, HELD).map(([labels]) => labels)).toEqual(want === undefined ? [] : [want]);
  });

  it('keeps values, histograms among them', () => {
    expect(rowsOf('info(m, {version="v"})', HELD)[0]![1]).toEqual([5]);
    const held = [...HELD, nativeSeries({ __name__: 'h', ...BASE }, [[60_000, exponential(0, [[1, 2]])]])];
    expect(rowsOf('info(h, {version="v"})', held)[0]![1]).toEqual(['histogram']);
  });

  it('takes the newest of the series of one metric, step by step', () => {
    const held = [
      samples({ __name__: 'm', ...BASE }, [0, 1], [60, 2], [120, 3]),
      samples({ __name__: 'target_info', ...BASE, v: '1' }, [0, 1], [60, 1], [80, STALE]),
      samples({ __name__: 'target_info', ...BASE, v: '2' }, [20, 1], [130, STALE]),
    ];
    expect(rowsOf('info(m)', held, { from: 0, to: 140, step: 20 })).toEqual([
      [`{${M}, instance="1", job="a", v="1"}`, [1, null, null, 2, null, null, null, null]],
      [`{${M}, instance="1", job="a", v="2"}`, [null, 1, 1, null, 2, 2, 3, null]],
      [`{${M}, instance="1", job="a"}`, [null, null, null, null, null, null, null, 3]],
    ]);
  });

  it('reads the info of the time that its argument is about', () => {
    const held = [
      samples({ __name__: 'm', ...BASE }, [0, 1], [400, 2]),
      samples({ __name__: 'target_info', ...BASE, v: 'old' }, [0, 1]),
      samples({ __name__: 'target_info', ...BASE, v: 'new' }, [400, 1]),
    ];
    const infoOf = (text: string) => /v="(\w+)"/.exec(rowsOf(text, held, { from: 400 })[0]![0])?.[1];
    expect(infoOf('info(m)')).toBe('new');
    expect(infoOf('info(m offset 400s)')).toBe('old');
    expect(infoOf('info(m @ 0)')).toBe('old');
    expect(infoOf('info(m @ 500 offset 500s)')).toBe('old');
    expect(infoOf('info(max_over_time(m[1m:10s] offset 390s))')).toBe('old');
    expect(infoOf('info(max_over_time(m[1m:10s] @ 10))')).toBe('old');
    // Parts of different times are of the time of the query.
    expect(infoOf('info(m offset 400s + m)')).toBe('new');
    expect(infoOf('info(m offset 400s or vector(1))')).toBe('new');
  });

  it.each<[string, Readonly<Record<string, string>>[], string]>([
    [
      'two series of one metric at one time',
      [
        { __name__: 'target_info', v: '1' },
        { __name__: 'target_info', v: '2' },
      ],
      'found duplicate series for info metric: existing {__name__="target_info", instance="1", job="a", v="1"} @ 60000, ' +
        'new {__name__="target_info", instance="1", job="a", v="2"} @ 60000',
    ],
    [
      'two metrics that disagree on a label',
      [
        { __name__: 'target_info', v: '1' },
        { __name__: 'other_info', v: '2' },
      ],
      'conflicting label: v',
    ],
  ])('%s are an error', (_name, infos, message) => {
    const held = [now({ __name__: 'm', ...BASE }, 1), ...infos.map((labels) => now({ ...labels, ...BASE }, 1))];
    expect(() => rowsOf('info(m, {__name__=~".+_info"})', held)).toThrow(message);
    // What the series has of its own says more than either.
    const own = [now({ __name__: 'm', ...BASE, v: '3' }, 1), ...held.slice(1)];
    if (message.startsWith('conflicting')) expect(rowsOf('info(m, {__name__=~".+_info"})', own)).toHaveLength(1);
  });

  it('an info metric of histograms is an error, and series that come to be equal are', () => {
    const histogram = nativeSeries({ __name__: 'target_info', ...BASE }, [[60_000, exponential(0, [[1, 2]])]]);
    expect(() => rowsOf('info(m)', [HELD[0]!, histogram])).toThrow(
      'this should be an info metric, with float samples: {__name__="target_info", instance="1", job="a"}',
    );
    const twins = [now({ __name__: 'm', ...BASE, region: 'r' }, 1), now({ __name__: 'm', ...BASE }, 2), HELD[2]!];
    expect(() => rowsOf('info(m, {region="r"})', twins)).toThrow('same labelset');
  });
});
