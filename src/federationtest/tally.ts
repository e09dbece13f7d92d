import type { Form, FormReport } from './run-federated.ts';

/** How many evaluations came out how, in one form. */
export interface Count {
  readonly evaluations: number;
  readonly exact: number;
  readonly partial: number;
  readonly refused: number;
  readonly wrong: number;
  /** Of those refused. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Evaluations that the table of what splits says are answered exactly. */
  readonly eligible: number;
  /** Of these, those that were: exactly or, where domains are silent, in part as it should be. */
  readonly eligibleAnswered: number;
  /** Whose answer was also held against what the script expects. */
  readonly expected: number;
}

export interface Tally {
  add(report: FormReport): void;
  /** By form, in the order in which they came. */
  counts(): ReadonlyMap<Form, Count>;
  /** In all forms. */
  readonly wrong: number;
}

type Mutable = { -readonly [K in keyof Count]: Count[K] } & { reasons: Record<string, number> };

export function startTally(): Tally {
  const byForm = new Map<Form, Mutable>();
  let wrong = 0;
  return {
    add({ form, outcome, reason, isEligible, isExpected }) {
      const count = byForm.get(form) ?? emptyCount();
      byForm.set(form, count);
      count.evaluations++;
      count[outcome]++;
      if (reason !== undefined) count.reasons[reason] = (count.reasons[reason] ?? 0) + 1;
      if (isEligible) count.eligible++;
      if (isEligible && (outcome === 'exact' || outcome === 'partial')) count.eligibleAnswered++;
      if (isExpected) count.expected++;
      if (outcome === 'wrong') wrong++;
    },
    counts: () => byForm,
    get wrong() {
      return wrong;
    },
  };
}

function emptyCount(): Mutable {
  return {
    evaluations: 0,
    exact: 0,
    partial: 0,
    refused: 0,
    wrong: 0,
    reasons: {},
    eligible: 0,
    eligibleAnswered: 0,
    expected: 0,
  };
}
