import type { StepGrid } from '../model/grid.ts';
import type { CoverageRead, CoverageRun } from '../plan/frames/coverage-codec.ts';
import type { TimeRange } from '../plan/read-range.ts';
import type { Past } from './presence.ts';

/** Streams by the reads that concern them. */
export interface ReadStreams {
  readonly pasts: Iterable<Past>;
  readonly reads: readonly CoverageRead[];
}

/**
 * How many streams are expected and observed at each step, in runs. A stream is expected at a step if it is at any time of
 * any of its reads, and observed if it misses nothing at any of them. Each stream is to come once. Takes time by the streams,
 * their gaps and the reads that are apart, and some for each step, whatever the streams have delivered.
 */
export function coverageRuns(grid: StepGrid, streams: Iterable<ReadStreams>): CoverageRun[] {
  // By step what changes there: how many more are expected, and how many more miss something.
  const expected = new Int32Array(grid.steps + 1);
  const missing = new Int32Array(grid.steps + 1);
  for (const { pasts, reads } of streams) {
    const steps = stepsOfReads(reads, grid);
    for (const past of pasts) {
      count(expected, past.expected, steps);
      count(missing, past.missing, steps);
    }
  }
  return runsOf(expected, missing, grid.steps);
}

/** Steps by index, both included. */
interface StepRange {
  readonly from: number;
  readonly to: number;
}

/** At which steps any of the reads meets a range of times; undefined for none. */
type StepsOf = (range: TimeRange, into: StepRange[]) => void;

function stepsOfReads(reads: readonly CoverageRead[], grid: StepGrid): StepsOf {
  const relative = joined(reads.filter(({ fixed }) => !fixed));
  const fixed = joined(reads.filter((read) => read.fixed));
  const { startMs, stepMs, steps } = grid;
  const last = steps - 1;
  return (range, into) => {
    if (fixed.some(({ fromMs, toMs }) => range.fromMs <= toMs && range.toMs >= fromMs)) {
      into.push({ from: 0, to: last });
      return;
    }
    for (const { fromMs, toMs } of relative) {
      const from = Math.max(0, Math.ceil((range.fromMs - toMs - startMs) / stepMs));
      const to = Math.min(last, Math.floor((range.toMs - fromMs - startMs) / stepMs));
      if (from <= to) into.push({ from, to });
    }
  };
}

/** One stream: each step counts once, however many of the ranges are read there. */
function count(changes: Int32Array, ranges: readonly TimeRange[], steps: StepsOf): void {
  const found: StepRange[] = [];
  for (const range of ranges) steps(range, found);
  if (found.length > 1) found.sort((a, b) => a.from - b.from);
  let counted = -1;
  for (const { from, to } of found) {
    if (to <= counted) continue;
    changes[Math.max(from, counted + 1)]!++;
    changes[to + 1]!--;
    counted = to;
  }
}

function runsOf(expectedChanges: Int32Array, missingChanges: Int32Array, steps: number): CoverageRun[] {
  const runs: CoverageRun[] = [];
  let expected = 0;
  let missing = 0;
  let from = 0;
  for (let step = 0; step <= steps; step++) {
    if (step < steps && expectedChanges[step] === 0 && missingChanges[step] === 0) continue;
    if (step > from) runs.push({ steps: step - from, observed: expected - missing, expected });
    expected += expectedChanges[step]!;
    missing += missingChanges[step]!;
    from = step;
  }
  return runs;
}

/** Reads whose times meet or overlap are one. */
function joined(reads: readonly TimeRange[]): readonly TimeRange[] {
  const sorted = reads.toSorted((a, b) => a.fromMs - b.fromMs);
  const out: TimeRange[] = [];
  for (const { fromMs, toMs } of sorted) {
    const before = out.at(-1);
    if (before !== undefined && fromMs <= before.toMs) {
      out[out.length - 1] = { fromMs: before.fromMs, toMs: Math.max(before.toMs, toMs) };
    } else {
      out.push({ fromMs, toMs });
    }
  }
  return out;
}
