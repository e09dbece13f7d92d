import { describe, expect, it } from 'vitest';
import type { Steps } from '../../../src/hub/cache/steps.ts';
import { columnOf } from '../../../src/hub/parts/columns.ts';
import { windowsOf } from '../../../src/hub/parts/windows.ts';
import { rangeGrid } from '../../../src/model/grid.ts';
import { coverageReads } from '../../../src/plan/coverage-reads.ts';
import { distribute } from '../../../src/plan/distribute.ts';
import type { TimeRange } from '../../../src/plan/read-range.ts';
import { NO_FEATURES } from '../../../src/promql/features.ts';
import { parseExpr } from '../../../src/promql/parse.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** A multiple of every step here. */
const START_MS = 20_000 * DAY_MS;

interface Input {
  readonly text: string;
  readonly days: number;
  readonly stepMs: number;
  readonly startMs?: number;
  readonly holes?: readonly TimeRange[];
  readonly isKnown?: (steps: Steps) => boolean;
}

/** The windows as times in minutes since the start of the query, the end of one being the start of the next. */
function windows({ text, days, stepMs, startMs = START_MS, holes = [], isKnown = () => false }: Input): number[] {
  const grid = rangeGrid(startMs, startMs + days * DAY_MS, stepMs);
  const plan = distribute(parseExpr(text), grid, { domainLabel: 'domain' });
  const columns = plan.fragments.map((one) => columnOf(one, { lookbackMs: 300_000, features: NO_FEATURES }));
  const coverage = [coverageReads(plan.remainder, grid, 300_000)];
  const cut = windowsOf({ columns, coverage, holes, isKnown });
  expect(cut[0]!.from).toBe(columns[0]!.steps.from);
  expect(cut.at(-1)!.to).toBe(columns[0]!.steps.to);
  cut.slice(1).forEach(({ from }, i) => expect(from).toBe(cut[i]!.to));
  return cut.slice(1).map(({ from }) => (from * stepMs + columns[0]!.key.startMs - startMs) / MINUTE_MS);
}

describe('windows', () => {
  it.each<[string, Input, number]>([
    ['an hour is one', { text: 'sum(rate(x[5m]))', days: 1 / 24, stepMs: 15_000 }, 1],
    ['so is a month at few points', { text: 'sum(rate(x[5m]))', days: 30, stepMs: 3_600_000 }, 1],
    ['a month of all samples is many', { text: 'sum(rate(x[5m]))', days: 30, stepMs: 300_000 }, 5],
    [
      'more selectors take more',
      { text: 'sum(rate(x[5m])) + sum(rate(y[5m])) + sum(z)', days: 30, stepMs: 300_000 },
      9,
    ],
    ['never more than the most', { text: sums(40), days: 38, stepMs: 300_000 }, 22],
    ['none of them reads again mostly what another has', { text: 'sum(rate(x[10d]))', days: 30, stepMs: 300_000 }, 1],
    [
      'parts about different steps stay whole',
      { text: 'sum(rate(x[5m])) + max_over_time(sum(x)[5m:1m])', days: 30, stepMs: 300_000 },
      1,
    ],
    ['so does what hangs on all steps', { text: 'sum(rate({job="a"}[5m]))', days: 30, stepMs: 300_000 }, 1],
  ])('%s', (_what, input, want) => expect(windows(input).length + 1).toBe(want));

  it('a later query has the same cuts', () => {
    const input = { text: 'sum(rate(x[5m]))', days: 30, stepMs: 300_000 };
    const first = windows(input);
    const later = windows({ ...input, startMs: START_MS + 25 * MINUTE_MS }).map((at) => at + 25);
    expect(later.filter((at) => first.includes(at))).toEqual(first);
    expect(first.map((at) => (START_MS / MINUTE_MS + at) % (5 * 2 ** 11))).toEqual(first.map(() => 0));
  });

  it('holes are asked by themselves, with all that reads them', () => {
    const hole = { fromMs: START_MS + 30 * MINUTE_MS, toMs: START_MS + 40 * MINUTE_MS };
    const input = { text: 'sum(rate(x[5m]))', days: 1 / 24, stepMs: 60_000, holes: [hole] };
    expect(windows(input)).toEqual([30, 46]);
    expect(windows({ ...input, text: 'sum(x offset 10m)' })).toEqual([40, 56]);
    const many = Array.from({ length: 40 }, (_, i) => ({
      fromMs: START_MS + i * 30 * MINUTE_MS,
      toMs: START_MS + i * 30 * MINUTE_MS,
    }));
    expect(windows({ ...input, days: 1, holes: many })).toHaveLength(31);
  });

  it('those that are known go with the next', () => {
    const input = { text: 'sum(rate(x[5m]))', days: 30, stepMs: 300_000 };
    const all = windows(input);
    const knownBut = (...unknown: readonly number[]): number[] => {
      let index = 0;
      return windows({ ...input, isKnown: () => !unknown.includes(index++) });
    };
    expect(knownBut()).toEqual([]);
    expect(knownBut(4)).toEqual([]);
    expect(knownBut(0)).toEqual([]);
    expect(knownBut(1, 4)).toEqual([all[1]]);
    expect(knownBut(0, 1, 2, 3, 4)).toEqual(all);
  });
});

function sums(count: number): string {
  return Array.from({ length: count }, (_, i) => `sum(x${i})`).join(' + ');
}
