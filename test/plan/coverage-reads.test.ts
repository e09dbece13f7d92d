import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { evaluate } from '../../src/engine/evaluate.ts';
import { startNotes } from '../../src/engine/notes.ts';
import { startUsage } from '../../src/engine/usage.ts';
import { rangeGrid, stepTime } from '../../src/model/grid.ts';
import { METRIC_NAME } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { coverageReads } from '../../src/plan/coverage-reads.ts';
import { distribute } from '../../src/plan/distribute.ts';
import { mayReadFrom } from '../../src/plan/domain.ts';
import type { CoverageRead } from '../../src/plan/frames/coverage-codec.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { ALL_FEATURES, ALL_HUB_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';

const LOOKBACK_MS = 300_000;
const M = 60_000;
const START = 100 * M;
const GRID = rangeGrid(START, START + 10 * M, M);

function planOf(text: string) {
  return distribute(parseExpr(text, ALL_HUB_FEATURES), GRID, { domainLabel: 'domain', text });
}

function readsOf(text: string): readonly CoverageRead[] {
  const { grid, reads } = coverageReads(planOf(text).remainder, GRID, LOOKBACK_MS);
  expect(grid).toBe(GRID);
  return reads;
}

const moving = (metric: string, from: number, to: number): CoverageRead => ({
  metric,
  fromMs: from * M,
  toMs: to * M,
  fixed: false,
});
const fixed = (metric: string, from: number, to: number): CoverageRead => ({
  ...moving(metric, from, to),
  fixed: true,
});

describe('what the steps of a query read', () => {
  it.each<[string, CoverageRead[]]>([
    ['1 + 1', []],
    ['x', [moving('x', -5, 0)]],
    ['sum by (job) (x{a="1"})', [moving('x', -5, 0)]],
    ['{__name__="x", a="1"}', [moving('x', -5, 0)]],
    ['{__name__=~"x|y"}', [moving('', -5, 0)]],
    ['{job="a"}', [moving('', -5, 0)]],
    ['rate(x[10m])', [moving('x', -10, 0)]],
    ['x offset 1h', [moving('x', -65, -60)]],
    ['x offset -1h', [moving('x', 55, 60)]],
    ['rate(x[10m] anchored)', [moving('x', -15, 0)]],
    ['rate(x[10m] smoothed)', [moving('x', -15, 5)]],
    ['x @ 600', [fixed('x', 5, 10)]],
    ['x @ end() offset 1m', [fixed('x', 104, 109)]],
    ['rate(x[10m] @ start())', [fixed('x', 90, 100)]],
    // Once each; what overlaps is one.
    ['x + x', [moving('x', -5, 0)]],
    ['x + on() sum(y) + x', [moving('x', -5, 0), moving('y', -5, 0)]],
    ['x - x offset 5m', [moving('x', -10, 0)]],
    ['x - x offset 6m', [moving('x', -11, -6), moving('x', -5, 0)]],
    ['x - x @ 600', [moving('x', -5, 0), fixed('x', 5, 10)]],
    // A subquery reads at all of its own steps, the outermost modifiers first.
    ['max_over_time(x[1h:1m])', [moving('x', -65, 0)]],
    ['max_over_time(sum(rate(x[5m] offset 1m))[1h:1m] offset 2m)', [moving('x', -68, -3)]],
    ['max_over_time(sum(x)[1h:1m] @ 6000)', [fixed('x', 35, 100)]],
    ['max_over_time((sum(x) + on() y @ 600)[1h:1m])', [moving('x', -65, 0), fixed('y', 5, 10)]],
    ['max_over_time(max_over_time(sum(x)[10m:1m])[1h:1m])', [moving('x', -75, 0)]],
    // What only the planner makes of it.
    ['absent(x)', [moving('x', -5, 0)]],
    ['absent_over_time(x[1h])', [moving('x', -60, 0)]],
    ['topk(3, x)', [moving('x', -5, 0)]],
    ['quantile(0.9, x) > scalar(y)', [moving('x', -5, 0), moving('y', -5, 0)]],
    ['info(x, {__name__="build_info"})', [moving('build_info', -5, 0), moving('x', -5, 0)]],
    ['info(x offset 10m)', [moving('target_info', -15, -10), moving('x', -15, -10)]],
    // A parameter is evaluated at the first step where all else is the same at every step.
    ['topk(scalar(x), y @ 600)', [fixed('x', 95, 100), fixed('y', 5, 10)]],
    // Nothing is read for what only its coverage is asked of.
    ['coverage(x)', []],
    ['y and on() coverage(x) > 0.5', [moving('y', -5, 0)]],
  ])('%s', (text, want) => {
    expect(readsOf(text)).toEqual(want);
  });

  it('of coverage() on its own steps', () => {
    const { coverages } = planOf('coverage(x) + on(domain) max_over_time(coverage(rate(y[5m]))[1h:2m]) - coverage(x)');
    const questions = coverages.map(({ expr, grid }) => coverageReads(expr, grid, LOOKBACK_MS));
    expect(questions.map(({ reads }) => reads)).toEqual([[moving('x', -5, 0)], [moving('y', -5, 0)]]);
    expect(questions.map(({ grid }) => [grid.startMs / M, grid.stepMs / M, grid.steps])).toEqual([
      [100, 1, 11],
      [42, 2, 35],
    ]);
  });

  it('selectors that do not count are left out', () => {
    const { remainder } = planOf('sum(x{domain="eu"}) + sum(y{domain=~"us|ap"}) + sum(z)');
    const reads = (domain: string) =>
      coverageReads(remainder, GRID, LOOKBACK_MS, (one) => mayReadFrom(one, 'domain', domain)).reads.map(
        (read) => read.metric,
      );
    expect([reads('eu'), reads('us'), reads('sa')]).toEqual([['x', 'z'], ['y', 'z'], ['z']]);
  });

  it('too many are one of any metric, never refused', () => {
    const many = (count: number): string =>
      Array.from({ length: count }, (_none, i) => `m${i} offset ${i}m`).join(' or ');
    const right = parseExpr(`${many(100)} or x @ 600`);
    const reads = (text: string) => coverageReads(normalise(parseExpr(text), GRID), GRID, LOOKBACK_MS).reads;
    expect(coverageReads(normalise(right, GRID), GRID, LOOKBACK_MS).reads).toHaveLength(101);
    const parts = [0, 1, 2].map((part) => many(100).replaceAll(/m(\d+) o/g, `n${part}_$1 o`));
    expect(LIMITS.coverageReads).toBeLessThan(300);
    expect(reads(`(${parts[0]!}) or (${parts[1]!}) or (${parts[2]!}) or x @ 600 or y @ 1200`)).toEqual([
      moving('', -104, 0),
      fixed('', 5, 20),
    ]);
  });

  it('names that no stream can have, and times that never come, can be sent', () => {
    const far = parseExpr(`{__name__="${'n'.repeat(5_000)}"} offset 290y`);
    const { reads } = coverageReads(normalise(far, GRID), { ...GRID, startMs: -9e15 }, LOOKBACK_MS);
    expect(reads.map(({ metric }) => metric)).toEqual(['']);
    for (const { fromMs, toMs } of reads) expect(Number.isSafeInteger(fromMs) && Number.isSafeInteger(toMs)).toBe(true);
  });
});

describe('is what an evaluation reads', () => {
  it.each([
    'x',
    'sum(rate(x[10m]))',
    'x offset 7m - x @ 6000',
    'rate(x[10m] smoothed offset 3m)',
    'increase(x[10m] anchored)',
    'max_over_time(sum(rate(x[4m]))[20m:3m] offset 90s) / on() y',
    'min_over_time(max_over_time(x[5m:30s])[10m:2m])',
    'absent_over_time(x[7m] offset -2m)',
    'avg_over_time(y[30m:5m] @ end())',
    'predict_linear(x[9m], 60) unless y offset 1m',
  ])('%s', (text) => {
    const expr = normalise(parseExpr(text, ALL_FEATURES), GRID);
    const { reads } = coverageReads(expr, GRID, LOOKBACK_MS);
    const widest = new Map<CoverageRead, { fromMs: number; toMs: number }>();
    for (let step = 0; step < GRID.steps; step++) {
      const timeMs = stepTime(GRID, step);
      for (const asked of selectsAt(expr, timeMs)) {
        const read = reads.find(({ metric, fixed: isFixed, fromMs, toMs }) => {
          const base = isFixed ? 0 : timeMs;
          return metric === asked.metric && base + fromMs <= asked.fromMs && asked.toMs <= base + toMs;
        });
        expect(read, `${asked.metric} ${asked.fromMs - timeMs} ${asked.toMs - timeMs} at step ${step}`).toBeDefined();
        const base = read!.fixed ? 0 : timeMs;
        const before = widest.get(read!) ?? { fromMs: Infinity, toMs: -Infinity };
        const fromMs = Math.min(before.fromMs, asked.fromMs - base);
        widest.set(read!, { fromMs, toMs: Math.max(before.toMs, asked.toMs - base) });
      }
    }
    // No read is wider than what is read, but for a subquery's steps, which do not fall on every time.
    const slackMs = text.includes(':') ? 6 * M : 1;
    for (const read of reads) {
      expect(widest.get(read)!.fromMs - read.fromMs).toBeLessThanOrEqual(slackMs);
      expect(read.toMs - widest.get(read)!.toMs).toBeLessThanOrEqual(slackMs);
    }
  });
});

/** What an evaluation at one step asks its source for. */
function selectsAt(expr: ReturnType<typeof normalise>, timeMs: number) {
  const asked: { metric: string; fromMs: number; toMs: number }[] = [];
  const select = (matchers: readonly Matcher[], fromMs: number, toMs: number) => {
    asked.push({ metric: matchers.find(({ name }) => name === METRIC_NAME)?.value ?? '', fromMs, toMs });
    return [];
  };
  evaluate(expr, {
    grid: { startMs: timeMs, stepMs: 1, steps: 1 },
    lookbackMs: LOOKBACK_MS,
    features: ALL_FEATURES,
    scope: 'whole',
    source: { select, series: () => [] },
    merged: [],
    usage: startUsage(Date.now() + 10_000),
    notes: startNotes(),
  });
  return asked;
}
