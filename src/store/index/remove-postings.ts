import type { LabelSets } from './label-sets.ts';
import { removeFromRun, runCount, type Runs } from './runs.ts';

/** Takes series out of the postings of all their pairs; returns the pairs that no series has any more. */
export function removePostings({ starts, words }: LabelSets, postings: Runs, refs: readonly number[]): number[] {
  const sorted = Uint32Array.from(refs).sort();
  /** By pair, the references that go, ascending because they come so. */
  const gone = new Map<number, number[]>();
  for (const ref of sorted) {
    const start = starts[ref]!;
    const end = start + 1 + words[start]!;
    for (let at = start + 1; at < end; at++) {
      const known = gone.get(words[at]!);
      if (known === undefined) gone.set(words[at]!, [ref]);
      else known.push(ref);
    }
  }
  const unused: number[] = [];
  for (const [pair, some] of gone) {
    removeFromRun(postings, pair, Uint32Array.from(some));
    if (runCount(postings, pair) === 0) unused.push(pair);
  }
  return unused;
}
