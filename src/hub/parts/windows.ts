import { LIMITS } from '../../base/limits.ts';
import type { CoverageQuestion } from '../../plan/frames/coverage-codec.ts';
import type { TimeRange } from '../../plan/read-range.ts';
import { stepsReading, type StepRead, type Steps } from '../cache/steps.ts';
import { sameSteps, type Column } from './columns.ts';

/** What decides how a domain is asked for a query. */
export interface Cutting {
  readonly columns: readonly Column[];
  readonly coverage: readonly CoverageQuestion[];
  /** Times that single replicas of the domain missed, where it has others to ask about them. */
  readonly holes: readonly TimeRange[];
  /** Whether all of these steps, of every column, are known already. */
  isKnown(steps: Steps): boolean;
}

/**
 * The steps of a query as windows that a domain is asked for one by one, so that a small one answers a long range in pieces.
 * They are cut at multiples of their length since the epoch, so that the same query a little later has nearly all in common,
 * and around holes, so that each is asked of a replica that has none there. One window where the query is short, where its
 * parts are about different steps, and where windows would read again more than they save. Windows that are known take no work
 * and go with the next one.
 */
export function windowsOf({ columns, coverage, holes, isKnown }: Cutting): readonly Steps[] {
  const [first] = columns;
  if (first === undefined) return [{ from: 0, to: 0 }];
  const { steps: all, key } = first;
  const grids = [...columns.map(({ fragment }) => fragment.grid), ...coverage.map(({ grid }) => grid)];
  const areAlike = grids.every((grid) => sameSteps(grid, first.fragment.grid));
  if (!areAlike || !columns.every(({ maySplit }) => maySplit)) return [all];

  const reads = columns.flatMap((column) => column.key.reads).filter(({ fixed }) => !fixed);
  const length = windowSteps(reads, columns.length, key.stepMs, all);
  const cuts = new Set<number>();
  for (let at = Math.ceil((all.from + 1) / length) * length; at < all.to; at += length) cuts.add(at);
  for (const hole of holes) {
    for (const { from, to } of stepsReading(hole, reads, key, all)) {
      for (const at of [from, to]) if (at > all.from && at < all.to && cuts.size < CUTS_MAX) cuts.add(at);
    }
  }
  return withKnown(
    between(
      all,
      [...cuts].sort((a, b) => a - b),
    ),
    isKnown,
  );
}

const CUTS_MAX = LIMITS.windowsPerQuery - 1;

/** Scrape intervals are about this. */
const SAMPLES_MS = 15_000;

/** A window that is not this much longer than what each of its steps reads mostly reads again what the one before has read. */
const REREAD_TIMES = 4;

/** How many steps a window has: a power of two; infinitely many where all are one. */
function windowSteps(reads: readonly StepRead[], columns: number, stepMs: number, { from, to }: Steps): number {
  const steps = to - from;
  const spanMs = (steps - 1) * stepMs;
  let points = steps * columns;
  let longestMs = 0;
  for (const { fromMs, toMs } of reads) {
    const eachMs = toMs - fromMs;
    points += Math.min(spanMs + eachMs, steps * eachMs) / SAMPLES_MS;
    longestMs = Math.max(longestMs, eachMs);
  }
  const windows = Math.min(CUTS_MAX, Math.ceil(points / LIMITS.pointsPerWindow));
  if (windows === 1) return Infinity;
  const least = Math.max(steps / windows, (REREAD_TIMES * longestMs) / stepMs);
  const length = 2 ** Math.ceil(Math.log2(least));
  return length < steps ? length : Infinity;
}

function between({ from, to }: Steps, cuts: readonly number[]): readonly Steps[] {
  const ends = [...cuts, to];
  return ends.map((end, i) => ({ from: i === 0 ? from : ends[i - 1]!, to: end }));
}

function withKnown(windows: readonly Steps[], isKnown: (steps: Steps) => boolean): readonly Steps[] {
  if (windows.length === 1) return windows;
  const joined: Steps[] = [];
  let from: number | undefined;
  for (const window of windows) {
    const start: number = from ?? window.from;
    if (isKnown(window)) from = start;
    else {
      joined.push({ from: start, to: window.to });
      from = undefined;
    }
  }
  const { to } = windows.at(-1)!;
  if (from === undefined) return joined;
  const last = joined.pop();
  return [...joined, { from: last?.from ?? from, to }];
}
