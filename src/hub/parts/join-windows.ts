import { ComityError } from '../../base/errors.ts';
import type { MissingSteps } from '../../coverage/coverage.ts';
import { startNotes } from '../../engine/notes.ts';
import { gridEnd } from '../../model/grid.ts';
import type { CoverageRuns } from '../../plan/frames/coverage-codec.ts';
import type { FragmentAnswer } from '../../plan/frames/query-codec.ts';
import type { DomainStatus } from '../../plan/frames/status-codec.ts';
import type { Steps } from '../cache/steps.ts';
import type { Answer } from '../dispatch/attempt.ts';
import type { WindowAnswer } from './ask-window.ts';
import type { Column } from './columns.ts';
import type { Window } from './round.ts';
import { joinRows } from '../cache/rows.ts';
import { joinRuns } from './runs.ts';

/** A domain's part in an answer. */
export interface PartAnswer {
  readonly status: DomainStatus;
  /** By what was asked. */
  readonly fragments: readonly FragmentAnswer[];
  /** By question, over all of its steps. */
  readonly coverage: readonly CoverageRuns[];
  /** Windows of a long range that were not answered. */
  readonly missing: readonly MissingSteps[];
  /** Steps that were known from answers before, counted for each fragment. */
  readonly cachedSteps: number;
}

/** What came of one window. */
export interface WindowOutcome {
  /** Of the columns. */
  readonly steps: Steps;
  readonly window: Window;
  /** Undefined where it was not asked, as another one was refused. */
  answer: Answer<WindowAnswer> | undefined;
}

/** One answer from those to the windows, in order of time. It is none where no window was answered, and refused where one was. */
export function joinWindows(columns: readonly Column[], outcomes: readonly WindowOutcome[]): Answer<PartAnswer> {
  const answered = outcomes.flatMap(({ steps, answer }) => (answer?.ok === true ? [{ steps, answer }] : []));
  const [first] = answered;
  if (first === undefined) {
    const [failed] = outcomes.flatMap(({ answer }) => (answer?.ok === false ? [answer] : []));
    if (failed === undefined) throw new ComityError('internal', 'no window was asked');
    return failed;
  }
  if (outcomes.length === 1) return { ...first.answer, value: { ...first.answer.value, missing: [] } };
  const refused = answered.find(({ answer }) => answer.value.fragments.some((one) => 'refusal' in one));
  // What any replica that answered would not call settled is not.
  const unsettled = answered.reduce((one, other) => (settledOf(other.answer) < settledOf(one.answer) ? other : one));
  return {
    ok: true,
    replica: unsettled.answer.replica,
    wireBytes: sum(answered.map(({ answer }) => answer.wireBytes)),
    tookMs: sum(answered.map(({ answer }) => answer.tookMs)),
    value: {
      status: unsettled.answer.value.status,
      fragments:
        refused?.answer.value.fragments ?? columns.map((column, index) => joinFragment(column, index, answered)),
      coverage: first.answer.value.coverage.map((_, index) => joinCoverage(outcomes, index)),
      missing: outcomes.flatMap(missingOf),
      cachedSteps: sum(answered.map(({ answer }) => answer.value.cachedSteps)),
    },
  };
}

interface Answered {
  readonly steps: Steps;
  readonly answer: Extract<Answer<WindowAnswer>, { readonly ok: true }>;
}

function settledOf({ value }: Answered['answer']): number {
  return value.status.settledUntilMs;
}

function joinFragment({ steps: all }: Column, index: number, answered: readonly Answered[]): FragmentAnswer {
  const notes = startNotes();
  const pieces = answered.flatMap(({ steps, answer }) => {
    const part = answer.value.fragments[index]!;
    if ('refusal' in part) return [];
    for (const note of part.notes) notes.add(note);
    return [{ from: steps.from - all.from, steps: steps.to - steps.from, rows: part.rows }];
  });
  return { rows: joinRows(pieces, all.to - all.from), notes: notes.list() };
}

/** Some window was answered; where another was not, as many streams are missing as were expected next to it. */
function joinCoverage(outcomes: readonly WindowOutcome[], index: number): CoverageRuns {
  const told = outcomes.map(({ answer }) => (answer?.ok === true ? answer.value.coverage[index]! : undefined));
  return joinRuns(
    outcomes.map(({ window }, at) => {
      const own = told[at];
      if (own !== undefined) return own;
      const before = told
        .slice(0, at)
        .findLast((runs) => runs !== undefined)
        ?.runs.at(-1);
      const behind = told.slice(at).find((runs) => runs !== undefined)?.runs[0];
      const expected = (before ?? behind)?.expected ?? 0;
      return { runs: [{ steps: window.coverage[index]!.grid.steps, observed: 0, expected }], suppressible: false };
    }),
  );
}

function missingOf({ window, answer }: WindowOutcome): readonly MissingSteps[] {
  const [whole] = window.coverage;
  if (answer?.ok !== false || whole === undefined) return [];
  const { outcome, reason } = answer;
  return [{ range: { fromMs: whole.grid.startMs, toMs: gridEnd(whole.grid) }, outcome, reason }];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
