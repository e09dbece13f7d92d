import { parentPort, workerData } from 'node:worker_threads';
import { runCase, type Counts, type Finding } from './run.ts';
import { targets } from './targets.ts';

/** What the main thread hands to the fuzzing thread. */
export interface FuzzWork {
  readonly seed: number;
  readonly seconds: number;
  /** Names of the targets to run; all when empty. */
  readonly only: readonly string[];
  /** Runs one case instead of all. */
  readonly index?: number | undefined;
  /** [0]: index of the target at work, [1]: its case. Read by the main thread when this one hangs. */
  readonly progress: SharedArrayBuffer;
}

/** What the fuzzing thread reports at its end. */
export interface FuzzReport {
  readonly counts: readonly (Counts & { readonly target: string })[];
  readonly findings: readonly Finding[];
}

/** Findings of one target after which it is left alone: the first ones say it all. */
const FINDINGS_MAX = 5;

/** Cases of a target in a row: changing over costs little, and all targets get their share of the time. */
const CASES_IN_A_ROW = 50;

const { seed, seconds, only, index, progress } = workerData as FuzzWork;
const at = new Int32Array(progress);
const chosen = targets().filter(({ name }) => only.length === 0 || only.includes(name));
const counts = chosen.map(({ name }) => ({ target: name, taken: 0, refused: 0 }));
const findings: Finding[] = [];
const endMs = performance.now() + seconds * 1_000;

for (let round = 0; index === undefined ? performance.now() < endMs : round === 0; round++) {
  for (const [i, target] of chosen.entries()) {
    const first = index ?? round * CASES_IN_A_ROW;
    const last = index ?? first + CASES_IN_A_ROW - 1;
    Atomics.store(at, 0, i);
    for (let one = first; one <= last; one++) {
      if (findings.filter((finding) => finding.target === target.name).length >= FINDINGS_MAX) break;
      Atomics.store(at, 1, one);
      const finding = runCase(target, seed, one, counts[i]!);
      if (finding !== undefined) findings.push(finding);
    }
  }
}
parentPort!.postMessage({ counts, findings } satisfies FuzzReport);
