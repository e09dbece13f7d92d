import { ComityError, messageOf } from '../base/errors.ts';
import type { Value } from '../engine/evaluation.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../model/grid.ts';
import type { Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import { printDuration } from '../promql/duration.ts';
import { atVariants } from './at-variants.ts';
import type { Evaluate } from './command.ts';
import { errorDifference, notesDifference, printMatch, resultDifference, type Difference } from './compare.ts';
import { instantResult, printResult, rangeResult, resultAt } from './result.ts';

/** One way to ask what an evaluation asks: an instant one is also run with `@` and as a step of a range query. */
export interface Mode {
  /** For people. */
  readonly name: string;
  readonly expr: Expr;
  readonly kind: 'instant' | 'range';
  readonly grid: QueryGrid;
  /** Where only one step of a range query is what the evaluation is about: its time. */
  readonly stepMs?: number;
}

/** An answer with its notes as clients see them, or the error. */
export type Outcome =
  | { readonly value: Value; readonly warnings: readonly string[]; readonly infos: readonly string[] }
  | { readonly error: string };

const MINUTE_MS = 60_000;

/** What says something else in a range query than in an instant one. */
const CONTEXT_CALLS = /(?:start|end|range|step)\(\)/;

/** All modes of an evaluation of `expr`, the query as it is written first. */
export function modesOf({ query, when, expected }: Evaluate, expr: Expr): readonly Mode[] {
  if (when.kind === 'range') {
    const { fromMs, toMs, stepMs } = when;
    const name = `from ${printDuration(fromMs)} to ${printDuration(toMs)} step ${printDuration(stepMs)}`;
    return [{ name, expr, kind: 'range', grid: rangeGrid(fromMs, toMs, stepMs) }];
  }
  const hasSteps =
    (expected.kind === 'scalar' || (expected.kind === 'series' && expected.range === undefined)) &&
    !CONTEXT_CALLS.test(query);
  const variants = [{ expr, timeMs: when.timeMs, how: '' }];
  for (const variant of atVariants(expr, when.timeMs)) {
    variants.push({ ...variant, how: `, every selector fixed with @ ${when.timeMs / 1000}` });
  }
  return variants.flatMap(({ expr: asked, timeMs, how }): Mode[] => {
    const name = `at ${printDuration(timeMs)}${how}`;
    const instant: Mode = { name, expr: asked, kind: 'instant', grid: instantGrid(timeMs) };
    if (!hasSteps) return [instant];
    const grid = rangeGrid(timeMs - MINUTE_MS, timeMs + MINUTE_MS, MINUTE_MS);
    return [instant, { name: `${name}, as a step of a range query`, expr: asked, kind: 'range', grid, stepMs: timeMs }];
  });
}

/** Throws `bad_data` for what no range query can ask for. */
export function assertAskable({ expr, kind }: Mode): void {
  const type = typeOf(expr);
  if (kind === 'instant' || type === 'scalar' || type === 'vector') return;
  const name = type === 'matrix' ? 'range vector' : type;
  throw new ComityError(
    'bad_data',
    `invalid expression type "${name}" for range query, must be Scalar or instant Vector`,
  );
}

/** The error as an outcome. One that is none of the engine's is told as what it is, so that no script can expect it. */
export function failedOutcome(error: unknown): { readonly error: string } {
  return { error: error instanceof ComityError ? error.message : `internal error: ${messageOf(error)}` };
}

/** How the outcome of a mode differs from what the script expects; undefined where it does not. */
export function modeDifference(command: Evaluate, mode: Mode, outcome: Outcome): Difference | undefined {
  return mode.stepMs === undefined
    ? outcomeDifference(command, mode, outcome)
    : inRangeDifference(command, mode, mode.stepMs, outcome);
}

function outcomeDifference(command: Evaluate, { grid }: Mode, outcome: Outcome): Difference | undefined {
  const { expected, warnings, infos, when } = command;
  if ('error' in outcome) {
    if (expected.kind === 'failure') return errorDifference(expected.texts, outcome.error);
    return { problem: 'the query failed', got: outcome.error };
  }
  const range = when.kind === 'range' ? when : undefined;
  const result = range === undefined ? instantResult(outcome.value, grid) : rangeResult(outcome.value, grid);
  if (expected.kind === 'failure') {
    return {
      problem: 'the query did not fail',
      expected: `an error: ${expected.texts.map(printMatch).join(', ')}`,
      got: printResult(result),
    };
  }
  return (
    notesDifference(warnings, 'warning', outcome.warnings) ??
    notesDifference(infos, 'info', outcome.infos) ??
    resultDifference(expected, result, range ?? (expected.kind === 'series' ? expected.range : undefined))
  );
}

/** The step of a range query at the time of the instant one must say the same; only the order of series is another. */
function inRangeDifference(
  { expected }: Evaluate,
  { grid }: Mode,
  timeMs: number,
  outcome: Outcome,
): Difference | undefined {
  if ('error' in outcome) return { problem: 'the query failed', got: outcome.error };
  if (expected.kind === 'failure' || (expected.kind === 'series' && expected.ordered)) return undefined;
  return resultDifference(
    expected,
    resultAt(rangeResult(outcome.value, grid), timeMs, expected.kind === 'scalar' ? 'scalar' : 'vector'),
    undefined,
  );
}
