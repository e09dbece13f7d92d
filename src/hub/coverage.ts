import {
  domainCoverage,
  prunedCoverage,
  type DomainCoverage,
  type DomainPart,
  type MissingSteps,
} from '../coverage/coverage.ts';
import { anyPresent, assertCells, type Row } from '../engine/rows.ts';
import type { StepGrid } from '../model/grid.ts';
import { coverageReads, type CountsSelector } from '../plan/coverage-reads.ts';
import type { Plan } from '../plan/distribute.ts';
import { mayReadFrom } from '../plan/domain.ts';
import type { CoverageQuestion, CoverageRun } from '../plan/frames/coverage-codec.ts';
import type { DomainStatus } from '../plan/frames/status-codec.ts';
import type { TimeRange } from '../plan/read-range.ts';
import type { Answer } from './dispatch/attempt.ts';
import type { Part } from './parts.ts';
import type { DomainRefusal } from './refusal.ts';
import type { Domain } from './registry.ts';

/** What a domain is asked of its coverage. */
export interface CoverageAsk {
  /** The first is of the whole query; each other of one `coverage()` in it that the domain could hold something of. */
  readonly questions: readonly CoverageQuestion[];
  /** Where the question of each of the plan's coverages stands; 0 where the domain need not be asked. */
  readonly at: readonly number[];
}

/** A domain's part in a query, and what it was asked of its coverage. */
export interface CoveredPart {
  readonly part: Part;
  readonly ask: CoverageAsk;
}

/** What to ask a domain of the coverage of a plan. Selectors that pick nothing of it by its label do not count there. */
export function coverageAsks(
  plan: Plan,
  { grid, lookbackMs }: { readonly grid: StepGrid; readonly lookbackMs: number },
  domainLabel: string,
): (domain: string) => CoverageAsk {
  const asking = (counts: CountsSelector): CoverageAsk => {
    const questions = [coverageReads(plan.remainder, grid, lookbackMs, counts)];
    const at = plan.coverages.map((leaf) => {
      // A subquery may have no step in its window.
      if (leaf.grid.steps === 0) return 0;
      const question = coverageReads(leaf.expr, leaf.grid, lookbackMs, counts);
      return question.reads.length === 0 ? 0 : questions.push(question) - 1;
    });
    return { questions, at };
  };
  let tellsDomains = false;
  const shared = asking(({ matchers }) => {
    tellsDomains ||= matchers.some(({ name }) => name === domainLabel);
    return true;
  });
  return (domain) => (tellsDomains ? asking((selector) => mayReadFrom(selector, domainLabel, domain)) : shared);
}

/** Remembers what a domain said to expect, for when it is silent. */
export function rememberOwed({ part: { domain, answer }, ask: { questions } }: CoveredPart): void {
  if (answer?.ok !== true) return;
  for (const [at, told] of answer.value.coverage.entries()) domain.owed.told(questions[at]!, told);
}

/** The coverage of a domain's part over the steps of the query. `reasonOf`: a refusal in words. */
export function partCoverage(
  { part, ask }: CoveredPart,
  grid: StepGrid,
  reasonOf: (refusal: DomainRefusal) => string,
): DomainCoverage {
  const { domain, asked, answer, refused } = part;
  const { name } = domain.config;
  const status = answer?.ok === true ? answer.value.status : domain.lastStatus;
  const settledUntilMs = status?.settledUntilMs ?? 0;
  if (answer === undefined) return prunedCoverage(name, settledUntilMs);
  if (asked.length === 0) return prunedCoverage(name, settledUntilMs, 'only its coverage was asked for');
  const question = ask.questions[0]!;
  const base = { domain: name, grid, reads: question.reads, settledUntilMs };
  if (!answer.ok) return domainCoverage({ ...base, ...silent(domain, answer, grid, domain.owed.of(question)) });
  const { runs, suppressible } = answer.value.coverage[0]!;
  // A domain is asked in windows only where all that is read has the steps of the query.
  if (refused === undefined) return domainCoverage({ ...base, runs, suppressible, missing: answer.value.missing });
  const failed = { status: 'refused', reason: reasonOf(refused) } as const;
  return domainCoverage({ ...base, runs: runs.map(unobserved), suppressible, missing: [], failed });
}

/** The vector of a `coverage()` in the query: for each domain the part of its expected streams that is there. */
export function coverageRows(
  leaf: number,
  parts: readonly CoveredPart[],
  { steps }: StepGrid,
  domainLabel: string,
): readonly Row[] {
  assertCells(parts.length * steps);
  return parts.flatMap(({ part, ask }) => {
    const { domain, answer } = part;
    const at = ask.at[leaf]!;
    if (at === 0 || answer === undefined) return [];
    const labels = [domainLabel, domain.config.name];
    // Nothing is there of a domain that is silent, whatever it is that it owes.
    if (!answer.ok) return [{ labels, values: new Float64Array(steps), present: new Uint8Array(steps).fill(1) }];
    const row = fractions(answer.value.coverage[at]!.runs, steps);
    return anyPresent(row.present) ? [{ labels, ...row }] : [];
  });
}

/**
 * The coverage of a domain's part in a list, which is about a time range as a whole, by what the domain says of itself now.
 * `answer` is undefined for a domain that was not asked, `refused` says why one did not tell its part.
 */
export function listCoverage(
  domain: Domain,
  answer: Answer<{ readonly status: DomainStatus }> | undefined,
  range: TimeRange | undefined,
  refused?: string,
): DomainCoverage {
  const { name } = domain.config;
  const status = answer?.ok === true ? answer.value.status : domain.lastStatus;
  const settledUntilMs = status?.settledUntilMs ?? 0;
  if (answer === undefined) return prunedCoverage(name, settledUntilMs);
  const grid = { startMs: 0, stepMs: 1, steps: 1 };
  const covered = domainCoverage({
    domain: name,
    grid,
    reads: [],
    settledUntilMs,
    ...(answer.ok ? listed(answer.value.status, refused) : silent(domain, answer, grid)),
  });
  const isTold = covered.from !== null && range !== undefined;
  const [from, to] = isTold ? [range.fromMs / 1000, range.toMs / 1000] : [null, null];
  return { ...covered, from, to, steps: [] };
}

/** What of a part depends on the answer. */
type AnswerPart = Pick<DomainPart, 'runs' | 'missing' | 'suppressible' | 'failed'>;

/** A silent domain owes the streams that it last said to expect: of the metrics that are read, where that is known. */
function silent(
  { lastStatus }: Domain,
  { outcome, reason }: { readonly outcome: MissingSteps['outcome']; readonly reason: string },
  { steps }: StepGrid,
  owed?: number,
): AnswerPart {
  const heard = lastStatus === undefined ? `${reason}; it was never heard, so what it holds is unknown` : reason;
  const expected = owed ?? lastStatus?.expectedStreams ?? 0;
  const runs = [{ steps, observed: 0, expected }];
  return { runs, missing: [], suppressible: false, failed: { status: outcome, reason: heard } };
}

function listed({ observedStreams, expectedStreams }: DomainStatus, refused: string | undefined): AnswerPart {
  const told = { missing: [], suppressible: false };
  const run = { steps: 1, observed: observedStreams, expected: expectedStreams };
  if (refused === undefined) return { ...told, runs: [run] };
  return { ...told, runs: [unobserved(run)], failed: { status: 'refused', reason: refused } };
}

function unobserved(run: CoverageRun): CoverageRun {
  return { ...run, observed: 0 };
}

function fractions(runs: readonly CoverageRun[], steps: number): Pick<Row, 'values' | 'present'> {
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  let first = 0;
  for (const { steps: length, observed, expected } of runs) {
    if (expected > 0) {
      values.fill(observed / expected, first, first + length);
      present.fill(1, first, first + length);
    }
    first += length;
  }
  return { values, present };
}
