import type { CoverageRun, CoverageRuns } from '../../plan/frames/coverage-codec.ts';
import type { Steps } from '../cache/steps.ts';

/** The steps at which no stream is missing, counted from `first`. */
export function completeSteps({ runs }: CoverageRuns, first: number): readonly Steps[] {
  const complete: { from: number; to: number }[] = [];
  let at = first;
  for (const { steps, observed, expected } of runs) {
    const last = complete.at(-1);
    if (observed === expected && last?.to === at) last.to += steps;
    else if (observed === expected) complete.push({ from: at, to: at + steps });
    at += steps;
  }
  return complete;
}

/** The steps that are in one of these and in the others; either are in order and apart. */
export function commonSteps(some: readonly Steps[], { from, to }: Steps): readonly Steps[] {
  return some.flatMap((one) => {
    const common = { from: Math.max(one.from, from), to: Math.min(one.to, to) };
    return common.from < common.to ? [common] : [];
  });
}

/** Runs one after the other, with those that are alike as one. */
export function joinRuns(parts: readonly CoverageRuns[]): CoverageRuns {
  const runs: CoverageRun[] = [];
  for (const run of parts.flatMap((part) => part.runs)) {
    const last = runs.at(-1);
    if (last?.observed === run.observed && last.expected === run.expected) {
      runs[runs.length - 1] = { ...last, steps: last.steps + run.steps };
    } else runs.push(run);
  }
  return { runs, suppressible: parts.some(({ suppressible }) => suppressible) };
}
