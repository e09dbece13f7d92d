import { expect, test } from 'vitest';
import { joinedRuns } from '../../src/border/release-coverage.ts';
import { coverageRuns } from '../../src/coverage/coverage-runs.ts';
import type { Past } from '../../src/coverage/presence.ts';
import { stepTime, type StepGrid } from '../../src/model/grid.ts';
import type { CoverageRead, CoverageRun } from '../../src/plan/frames/coverage-codec.ts';
import type { TimeRange } from '../../src/plan/read-range.ts';
import { randomFrom, type Random } from '../random.ts';

const LIVE: Past = { expected: [{ fromMs: 0, toMs: Infinity }], missing: [] };

function read(fromMs: number, toMs: number, fixed = false): CoverageRead {
  return { metric: '', fromMs, toMs, fixed };
}

function withGap(fromMs: number, toMs: number): Past {
  return { ...LIVE, missing: [{ fromMs, toMs }] };
}

const GRID: StepGrid = { startMs: 1_000, stepMs: 100, steps: 10 };

test.each<[string, Past[], CoverageRead[], string]>([
  ['nobody', [], [read(-50, 0)], '10x0/0'],
  ['streams without a gap', [LIVE, LIVE], [read(-50, 0)], '10x2/2'],
  ['no read', [LIVE], [], '10x0/0'],
  ['a gap between two reads', [withGap(1_210, 1_240)], [read(-50, 0)], '10x1/1'],
  ['a gap whose end is the first time that a step reads', [withGap(1_210, 1_250)], [read(-50, 0)], '3x1/1 1x0/1 6x1/1'],
  ['a gap that begins at a step', [withGap(1_300, 1_310)], [read(-50, 0)], '3x1/1 1x0/1 6x1/1'],
  ['a gap that lasts', [withGap(1_300, Infinity), LIVE], [read(-50, 0)], '3x2/2 7x1/2'],
  [
    'a gap in two of the reads',
    [withGap(1_300, 1_310)],
    [read(-50, 0), read(-250, -200)],
    '3x1/1 1x0/1 1x1/1 1x0/1 4x1/1',
  ],
  ['reads that overlap', [withGap(1_300, 1_310)], [read(-120, 0), read(-210, -100)], '3x1/1 3x0/1 4x1/1'],
  ['a read of the future', [withGap(1_550, 1_560)], [read(0, 60)], '5x1/1 1x0/1 4x1/1'],
  ['a fixed read', [withGap(5_000, 5_010), LIVE], [read(5_010, 6_000, true)], '10x1/2'],
  ['a fixed read beside others', [withGap(5_000, 5_010)], [read(-50, 0), read(5_020, 6_000, true)], '10x1/1'],
  [
    'a stream that begins',
    [{ expected: [{ fromMs: 1_250, toMs: Infinity }], missing: [] }],
    [read(-50, 0)],
    '3x0/0 7x1/1',
  ],
  ['one that ends', [{ expected: [{ fromMs: 0, toMs: 1_250 }], missing: [] }], [read(-50, 0)], '4x1/1 6x0/0'],
])('%s', (_name, pasts, reads, want) => {
  expect(text(coverageRuns(GRID, [{ pasts, reads }]))).toBe(want);
});

function text(runs: readonly CoverageRun[]): string {
  return runs.map(({ steps, observed, expected }) => `${steps}x${observed}/${expected}`).join(' ');
}

/** The definition, a step and a stream at a time. */
function bruteForce(grid: StepGrid, streams: readonly { past: Past; reads: readonly CoverageRead[] }[]): CoverageRun[] {
  return Array.from({ length: grid.steps }, (_none, step) => {
    const time = stepTime(grid, step);
    let expected = 0;
    let observed = 0;
    for (const { past, reads } of streams) {
      const windows = reads.map(({ fromMs, toMs, fixed }) =>
        fixed ? { fromMs, toMs } : { fromMs: time + fromMs, toMs: time + toMs },
      );
      const meets = (ranges: readonly TimeRange[]): boolean =>
        ranges.some((range) => windows.some((one) => range.fromMs <= one.toMs && range.toMs >= one.fromMs));
      if (!meets(past.expected)) continue;
      expected++;
      if (!meets(past.missing)) observed++;
    }
    return { steps: 1, observed, expected };
  });
}

function spread(runs: readonly CoverageRun[]): string[] {
  return runs.flatMap(({ steps, observed, expected }) =>
    Array.from({ length: steps }, () => `${observed}/${expected}`),
  );
}

function randomPast(random: Random): Past {
  const expected: TimeRange[] = [];
  const missing: TimeRange[] = [];
  let time = random.int(0, 3_000);
  for (let life = random.int(1, 3); life > 0; life--) {
    const fromMs = time;
    for (let gap = random.int(0, 4); gap > 0; gap--) {
      time += random.int(1, 400);
      const gapFromMs = time;
      time += random.int(0, 300);
      missing.push({ fromMs: gapFromMs, toMs: time });
    }
    time += random.int(1, 500);
    expected.push({ fromMs, toMs: life === 1 && random.chance(0.5) ? Infinity : time });
    time += random.int(1, 500);
  }
  return { expected, missing };
}

function randomRead(random: Random): CoverageRead {
  const fixed = random.chance(0.2);
  const width = random.pick([0, 1, 50, 300, 2_000]);
  const toMs = fixed ? random.int(0, 6_000) : random.int(-1_500, 500);
  return read(toMs - width, toMs, fixed);
}

test('are those of a count by step and stream', () => {
  const seed = Date.now() % 100_000;
  const random = randomFrom(seed);
  for (let round = 0; round < 400; round++) {
    const dense = random.chance(0.05);
    const grid = {
      startMs: random.int(-500, 3_000),
      stepMs: dense ? 1 : random.pick([1, 7, 60, 250]),
      steps: dense ? random.int(2_000, 6_000) : random.int(1, 60),
    };
    const groups = Array.from({ length: random.int(0, 3) }, () => ({
      reads: Array.from({ length: random.int(0, 4) }, () => randomRead(random)),
      pasts: Array.from({ length: random.int(0, dense ? 3 : 6) }, () => randomPast(random)),
    }));
    const runs = coverageRuns(grid, groups);
    const message = `seed ${seed}, round ${round}: ${JSON.stringify({ grid, groups })}`;
    const streams = groups.flatMap(({ pasts, reads }) => pasts.map((past) => ({ past, reads })));
    expect(spread(runs), message).toEqual(spread(bruteForce(grid, streams)));
    for (const [i, run] of runs.entries()) {
      expect(run.steps, message).toBeGreaterThan(0);
      const before = runs[i - 1];
      expect(before?.observed === run.observed && before.expected === run.expected, message).toBe(false);
    }
  }
});

test('the longest queries, in dense steps, with subqueries over all of it', () => {
  const random = randomFrom(7);
  const grid = { startMs: 0, stepMs: 1, steps: 11_001 };
  const groups = [
    { reads: [read(-4_000, 100), read(-9_000, -8_990)], pasts: [1, 2, 3, 4].map(() => randomPast(random)) },
  ];
  const streams = groups.flatMap(({ pasts, reads }) => pasts.map((past) => ({ past, reads })));
  expect(spread(coverageRuns(grid, groups))).toEqual(spread(bruteForce(grid, streams)));
});

test('too many runs are joined, and say no more than the worst of what they join', () => {
  const random = randomFrom(11);
  const runs = Array.from({ length: 1_000 }, () => {
    const expected = random.int(0, 10);
    return { steps: random.int(1, 3), observed: random.int(0, expected), expected };
  });
  expect(joinedRuns(runs, 1_000)).toBe(runs);
  const joined = joinedRuns(runs, 64);
  expect(joined.length).toBeLessThanOrEqual(64);
  const before = spread(runs);
  const after = spread(joined);
  expect(after).toHaveLength(before.length);
  for (const [step, one] of after.entries()) {
    const [observed, expected] = one.split('/').map(Number) as [number, number];
    const [observedBefore, expectedBefore] = before[step]!.split('/').map(Number) as [number, number];
    expect(expected).toBeGreaterThanOrEqual(expectedBefore);
    expect(expected - observed).toBeGreaterThanOrEqual(expectedBefore - observedBefore);
  }
});
