import type { CoverageRead } from '../../plan/frames/coverage-codec.ts';
import type { TimeRange } from '../../plan/read-range.ts';

/** Steps [from, to) of a grid, by number. */
export interface Steps {
  readonly from: number;
  readonly to: number;
}

/** The times of a column's steps: step 0 is at `startMs`, which need not be one that anybody asks for. */
export interface StepTimes {
  readonly startMs: number;
  readonly stepMs: number;
}

/** What a step reads, whatever the metric. */
export type StepRead = Pick<CoverageRead, 'fromMs' | 'toMs' | 'fixed'>;

/** The steps of `within` that read at any time of the range. */
export function stepsReading(
  { fromMs, toMs }: TimeRange,
  reads: readonly StepRead[],
  { startMs, stepMs }: StepTimes,
  within: Steps,
): readonly Steps[] {
  return reads.flatMap((read) => {
    if (read.fixed) return read.fromMs <= toMs && read.toMs >= fromMs ? [within] : [];
    const from = Math.max(within.from, Math.ceil((fromMs - read.toMs - startMs) / stepMs));
    const to = Math.min(within.to, Math.floor((toMs - read.fromMs - startMs) / stepMs) + 1);
    return from < to ? [{ from, to }] : [];
  });
}

/** The steps of `within` that read nothing but times of the range; one that reads nothing is among them. */
export function stepsWithin(
  { fromMs, toMs }: TimeRange,
  reads: readonly StepRead[],
  { startMs, stepMs }: StepTimes,
  within: Steps,
): Steps {
  let { from, to } = within;
  for (const read of reads) {
    if (read.fixed) {
      if (read.fromMs < fromMs || read.toMs > toMs) to = from;
      continue;
    }
    from = Math.max(from, Math.ceil((fromMs - read.fromMs - startMs) / stepMs));
    to = Math.min(to, Math.floor((toMs - read.toMs - startMs) / stepMs) + 1);
  }
  return { from, to: Math.max(from, to) };
}

/** The steps of `all` that none of the others has; these are in order and share none. */
export function stepsBeside(all: Steps, others: readonly Steps[]): readonly Steps[] {
  const out: Steps[] = [];
  let at = all.from;
  for (const { from, to } of others) {
    if (at >= all.to) break;
    if (from > at) out.push({ from: at, to: Math.min(from, all.to) });
    at = Math.max(at, to);
  }
  if (at < all.to) out.push({ from: at, to: all.to });
  return out;
}
