import { LIMITS } from '../base/limits.ts';
import { checkHeld, type Kinds } from '../border/held-check.ts';
import { checkCountable } from '../border/min-series.ts';
import type { Shadow } from '../border/shadow.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import { checkRows } from '../policy/check.ts';
import type { Policy } from '../policy/document.ts';

/** How often the policy in force and the candidate decided like this. */
export interface CanaryCount {
  /** `released`, or the code of the refusal and what it names. */
  readonly inForce: string;
  readonly candidate: string;
  readonly fragments: number;
}

/** What GET /canary answers. */
export interface CanaryReport {
  /** Digest of the candidate; null where there is none. */
  readonly candidate: string | null;
  readonly inForce: string;
  /** Where the two decide differently, the most frequent first; then where they agree. */
  readonly decisions: readonly CanaryCount[];
  /** Fragments that there was no time to decide twice. */
  readonly skipped: number;
}

/** A candidate that decides beside the policy in force, on the same fragments. */
export interface Canary extends Shadow {
  report(): CanaryReport;
  /** By whether the one in force and the candidate released: since the start, over all candidates. */
  totals(): readonly { readonly inForce: Outcome; readonly candidate: Outcome; readonly fragments: number }[];
  /** Resolves when all that was told has been decided. */
  settled(): Promise<void>;
}

type Outcome = 'released' | 'refused';

interface CanaryOptions {
  candidate(): Policy | undefined;
  inForce(): Policy;
  /** The series that there are, as the border asks for them. */
  kinds(matchers: Parameters<Kinds>[0], deadlineMs: number, signal: AbortSignal): ReturnType<Kinds>;
}

/** Kinds of decisions that are told apart: ten codes with a hundred names each. */
const DECISIONS_MAX = 1_000;

/** Fragments that wait: some dashboards' worth. A candidate must not use up what the answers need. */
const WAITING_MAX = 256;

/**
 * Counts what a candidate would decide. It sees fragments after the border has decided and says nothing back, so whatever it
 * does changes no answer. Where the policy in force released rows, the candidate's check of their labels counts as well; where
 * it refused, only the check of the tree can be made.
 */
export function openCanary({ candidate, inForce, kinds }: CanaryOptions): Canary {
  const totals = new Map<string, number>();
  let decided = new Map<string, CanaryCount>();
  let of: string | undefined;
  let skipped = 0;
  let waiting = 0;
  let working: Promise<void> = Promise.resolve();

  function count(policy: Policy, refusal: Refusal | undefined, verdict: Refusal | undefined): void {
    const key = `${outcomeOf(refusal)} ${outcomeOf(verdict)}`;
    totals.set(key, (totals.get(key) ?? 0) + 1);
    if (policy.digest !== of) return;
    let [known, candidateSays] = [wordsOf(refusal), wordsOf(verdict)];
    if (decided.size >= DECISIONS_MAX && !decided.has(`${known}\0${candidateSays}`)) {
      [known, candidateSays] = [outcomeOf(refusal), `${outcomeOf(verdict)} (other)`];
    }
    const at = `${known}\0${candidateSays}`;
    const fragments = (decided.get(at)?.fragments ?? 0) + 1;
    decided.set(at, { inForce: known, candidate: candidateSays, fragments });
  }

  async function decide(fragment: Fragment, policy: Policy): Promise<Refusal | undefined> {
    const deadlineMs = Date.now() + LIMITS.answerMs;
    const signal = AbortSignal.timeout(LIMITS.answerMs);
    const { refusal } = await checkHeld(fragment, policy, (matchers) => kinds(matchers, deadlineMs, signal));
    return refusal ?? checkCountable(fragment.expr, policy);
  }

  return {
    decided(fragment, rows, refusal) {
      const policy = candidate();
      if (policy === undefined) return;
      if (policy.digest !== of) {
        of = policy.digest;
        decided = new Map();
        skipped = 0;
      }
      if (waiting >= WAITING_MAX) {
        skipped++;
        return;
      }
      // At once, so that the rows are not kept until it is this fragment's turn.
      const leak = rows === undefined ? undefined : checkRows(rows, policy);
      waiting++;
      working = working
        .then(async () => count(policy, refusal, (await decide(fragment, policy)) ?? leak))
        // A store that does not answer keeps the candidate from deciding, and nobody else.
        .catch(() => void skipped++)
        .finally(() => waiting--);
    },
    report() {
      const policy = candidate();
      const counts = policy !== undefined && policy.digest === of ? [...decided.values()] : [];
      const differs = ({ inForce: known, candidate: says }: CanaryCount): number => Number(known !== says);
      return {
        candidate: policy?.digest ?? null,
        inForce: inForce().digest,
        decisions: counts.sort((a, b) => differs(b) - differs(a) || b.fragments - a.fragments),
        skipped: policy?.digest === of ? skipped : 0,
      };
    },
    totals: () =>
      [...totals].map(([key, fragments]) => {
        const [known, says] = key.split(' ') as [Outcome, Outcome];
        return { inForce: known, candidate: says, fragments };
      }),
    settled: () => working,
  };
}

function outcomeOf(refusal: Refusal | undefined): Outcome {
  return refusal === undefined ? 'released' : 'refused';
}

function wordsOf(refusal: Refusal | undefined): string {
  if (refusal === undefined) return 'released';
  return refusal.name === '' ? refusal.code : `${refusal.code} ${refusal.name}`;
}
