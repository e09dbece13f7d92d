import { describe, expect, it } from 'vitest';
import type { EvalContext } from '../../src/engine/context.ts';
import { evaluate } from '../../src/engine/evaluate.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { memorySource, series, STALE } from '../memory-source.ts';
import { contextOver } from './context.ts';

const s = 1000;
const SOURCE = memorySource([
  series({ __name__: 'c', job: 'a' }, [
    [10 * s, 0],
    [20 * s, 10],
    [30 * s, 20],
    [40 * s, 5],
    [50 * s, 15],
    [60 * s, 25],
  ]),
  series({ __name__: 'g', job: 'a' }, [
    [10 * s, 1],
    [30 * s, 3],
    [40 * s, STALE],
    [60 * s, 6],
  ]),
  series({ __name__: 'g', job: 'b' }, [
    [10 * s, NaN],
    [30 * s, -1],
  ]),
  series({ __name__: 'h_bucket', le: '1' }, [[60 * s, 5]]),
  series({ __name__: 'h_bucket', le: '2' }, [[60 * s, 8]]),
  series({ __name__: 'h_bucket', le: '+Inf' }, [[60 * s, 10]]),
  series({ __name__: 'm1', job: 'a' }, [[10 * s, 1]]),
  series({ __name__: 'm2', job: 'a' }, [[60 * s, 2]]),
]);

/** The rows at the steps `start, start + step, …`: labels and values, null where nothing is present. */
function run(
  text: string,
  startS: number,
  endS = startS,
  stepS = 10,
  scope: EvalContext['scope'] = 'whole',
): [Record<string, string>, (number | null)[]][] {
  const grid = rangeGrid(startS * s, endS * s, stepS * s);
  const value = evaluate(normalise(parseExpr(text), grid), contextOver(SOURCE, grid, { lookbackMs: 25 * s, scope }));
  if (value.kind === 'string' || value.kind === 'matrix') throw new Error(`a ${value.kind} has no rows`);
  if (value.kind === 'scalar') return [[{}, [...value.values]]];
  return value.rows.map(({ labels, values, present }) => [
    labelsRecord(labels),
    [...values].map((v, i) => (present[i] === 1 ? v : null)),
  ]);
}

describe('selectors', () => {
  it.each<[string, number, number, (number | null)[]]>([
    // A sample counts until the lookback (25 s) is over, at its far end no more.
    ['g{job="b"}', 30, 60, [-1, -1, -1, null]],
    // A staleness marker ends a series at once, and its next sample begins it again.
    ['g{job="a"}', 10, 60, [1, 1, 3, null, null, 6]],
    ['g{job="a"} offset 10s', 20, 60, [1, 1, 3, null, null]],
    ['g{job="a"} @ 30', 50, 60, [3, 3]],
    ['c @ start()', 20, 40, [10, 10, 10]],
  ])('%s from %d to %d', (text, from, to, want) => expect(run(text, from, to)[0]![1]).toEqual(want));
});

describe('functions of ranges', () => {
  it.each<[string, number, number | null]>([
    // (30, 60]: left-open, so the sample at 30 is out: 5, 15, 25 over 20 s, extended by 10 s to the left, but not past zero.
    ['increase(c[30s])', 60, 25],
    ['rate(c[30s])', 60, 25 / 30],
    // (10, 50]: 10, 20, reset, 5, 15: 5 more than the reset's 20, extended by 10 s to the left at 0.5/s but for the zero point.
    ['increase(c[40s])', 50, 25 * ((30 + 10) / 30)],
    ['delta(c[30s])', 60, 30],
    ['irate(c[30s])', 40, 0.5],
    ['idelta(c[30s])', 40, -15],
    ['sum_over_time(c[20s])', 60, 40],
    ['count_over_time(g{job="a"}[50s])', 60, 2],
    ['avg_over_time(c[1m])', 60, 12.5],
    ['min_over_time(g{job="b"}[1m])', 60, -1],
    ['max_over_time(g{job="b"}[25s])', 30, -1],
    ['last_over_time(c[15s])', 60, 25],
    ['present_over_time(c[15s])', 60, 1],
    ['stdvar_over_time(c[20s])', 60, 25],
    ['quantile_over_time(0.25, c[1m])', 60, 6.25],
    ['changes(g{job="a"}[1m])', 60, 2],
    ['resets(c[1m])', 60, 1],
    ['rate(c[10s])', 60, null],
  ])('%s at %d', (text, at, want) => {
    const rows = run(text, at);
    if (want === null) expect(rows).toEqual([]);
    else expect(rows[0]![1][0]).toBeCloseTo(want, 12);
  });
});

describe('names', () => {
  it('are dropped by what changes the meaning of a value and kept by what does not', () => {
    expect(run('c > 1', 60)[0]![0]).toEqual({ __name__: 'c', job: 'a' });
    expect(run('last_over_time(c[1m])', 60)[0]![0]).toEqual({ __name__: 'c', job: 'a' });
    for (const text of ['c + 1', 'c > bool 1', 'rate(c[1m])', '-c', 'abs(c)', 'c + c', 'sum by (job) (c)']) {
      expect(run(text, 60)[0]![0], text).toEqual({ job: 'a' });
    }
  });

  it('dropped from two series of one label set are an error when both are there', () => {
    expect(() => run('abs({__name__=~"c|g", job="a"})', 60)).toThrow(/same labelset/);
    // Functions of ranges look at whole series, as in Prometheus, others at each step.
    expect(() => run('rate({__name__=~"c|g", job="a"}[1m])', 60)).toThrow(/same labelset/);
    expect(run('abs({__name__=~"m1|m2"})', 10, 60, 50)).toEqual([[{ job: 'a' }, [1, 2]]]);
  });
});

describe('operators', () => {
  it.each<[string, unknown]>([
    ['c + on (job) g', [[{ job: 'a' }, [31]]]],
    ['g{job="a"} == bool 6', [[{ job: 'a' }, [1]]]],
    ['5 < g', [[{ __name__: 'g', job: 'a' }, [6]]]],
    ['c and g', [[{ __name__: 'c', job: 'a' }, [25]]]],
    ['c unless g', []],
    ['g or c', [[{ __name__: 'g', job: 'a' }, [6]]]],
    ['c * on (job) group_left (x) g', [[{ job: 'a' }, [150]]]],
    ['1 ^ NaN', [[{}, [1]]]],
    ['-1 % 3', [[{}, [-1]]]],
    ['2 ^ 3 ^ 2', [[{}, [512]]]],
    ['histogram_quantile(0.5, h_bucket)', [[{}, [1]]]],
    ['histogram_quantile(0.65, h_bucket)', [[{}, [1.5]]]],
    ['histogram_quantile(0.9, h_bucket)', [[{}, [2]]]],
    ['topk(1, {job="a", __name__=~"c|g"})', [[{ __name__: 'c', job: 'a' }, [25]]]],
    ['bottomk(0, c)', []],
    ['vector(time())', [[{}, [60]]]],
  ])('%s', (text, want) => expect(run(text, 60)).toEqual(want));

  it('tell of series that do not match one to one', () => {
    expect(() => run('c + on () {__name__=~"c|g", job="a"}', 60)).toThrow(
      /found duplicate series for the match group {} on the right/,
    );
    expect(() => run('{__name__=~"c|g", job="a"} + on () c', 60)).toThrow(/many-to-one matching must be explicit/);
  });
});

describe('two series of one match group', () => {
  const left = 'g{job="none"}';
  const twice = '{__name__=~"c|g", job="a"}';

  it('are no error while the other side is empty', () => {
    expect(run(`${left} + on () ${twice}`, 60)).toEqual([]);
    expect(run(`${twice} + on () group_right () ${left}`, 60)).toEqual([]);
  });

  it('leave it undecided inside a domain, whose empty side may have series elsewhere', () => {
    expect(() => run(`${left} + on () ${twice}`, 60, 60, 10, 'part')).toThrow(/may not be elsewhere/);
    expect(() => run(`c + on () ${twice}`, 60, 60, 10, 'part')).toThrow(/found duplicate series/);
  });
});
