import { ComityError, messageOf } from '../base/errors.ts';
import { noteTexts } from '../engine/notes.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../model/grid.ts';
import type { Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import { printDuration } from '../promql/duration.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { atVariants } from './at-variants.ts';
import type { Command, Evaluate, Load, Range } from './command.ts';
import { errorDifference, notesDifference, printMatch, resultDifference, type Difference } from './compare.ts';
import type { Answer, Database } from './database.ts';
import { loadBatch } from './load-batch.ts';
import { instantResult, printResult, rangeResult, resultAt } from './result.ts';
import { failAt, ScriptError } from './script-line.ts';

/** An evaluation that did not come out as its script says. */
export interface Failure extends Difference {
  readonly file: string;
  /** 1-based, of the `eval` line. */
  readonly line: number;
  readonly query: string;
  /** How the query was run: an instant evaluation is also run as a range query and with `@`. */
  readonly mode: string;
  /** The script's line with a caret under what is wrong in it, where the query does not parse. */
  readonly rendering?: string;
}

export interface ScriptResult {
  /** The `eval` commands that were run. */
  readonly evaluations: number;
  /** At most one for each evaluation. */
  readonly failures: readonly Failure[];
}

/**
 * Whose rules an evaluation follows where Prometheus changed one: of 3.14 or 3.15, in which the language of the scripts is
 * the same, or of either.
 */
export const RULES = ['3.14', '3.15', 'either'] as const;
export type Rules = (typeof RULES)[number];

/** What the rules of 3.14 have that those of 3.15 have not. */
const RULES_3_14: Partial<PromqlFeatures> = { keptStartsReset: true };

/** Runs the commands of one script on an empty database. Throws `ScriptError` for a `load` that cannot be stored. */
export async function runScript(
  commands: readonly Command[],
  database: Database,
  rules: Rules = 'either',
): Promise<ScriptResult> {
  const failures: Failure[] = [];
  let evaluations = 0;
  for (const command of commands) {
    switch (command.kind) {
      case 'clear':
        await database.clear();
        break;
      case 'load':
        await load(command, database);
        break;
      case 'evaluate': {
        evaluations++;
        const failure = await evaluateBy(rules, command, database);
        if (failure !== undefined) failures.push(failure);
      }
    }
  }
  return { evaluations, failures };
}

async function load(command: Load, database: Database): Promise<void> {
  const batch = loadBatch(command);
  try {
    await database.append(batch);
  } catch (error) {
    failAt(command.line, 0, messageOf(error), error);
  }
}

async function evaluateBy(rules: Rules, command: Evaluate, database: Database): Promise<Failure | undefined> {
  const older: Database = {
    ...database,
    query: (expr, text, grid) => database.query(expr, text, grid, RULES_3_14),
  };
  if (rules === '3.14') return evaluate(command, older);
  const failure = await evaluate(command, database);
  if (failure === undefined || rules === '3.15') return failure;
  return (await evaluate(command, older)) && failure;
}

async function evaluate(command: Evaluate, database: Database): Promise<Failure | undefined> {
  const { line, query, expr, when, expected } = command;
  const place = { file: line.file, line: line.number, query };
  const failure = (mode: string, difference: Difference): Failure => ({ ...place, mode, ...difference });

  if (expr instanceof ScriptError) {
    const { problem, rendering } = expr;
    return { ...place, mode: '', problem: `the query does not parse: ${problem}`, rendering };
  }
  if (when.kind === 'range') {
    const { fromMs, toMs, stepMs } = when;
    const mode = `from ${printDuration(fromMs)} to ${printDuration(toMs)} step ${printDuration(stepMs)}`;
    const outcome = await attempt(async () => ask(command, expr, rangeGrid(fromMs, toMs, stepMs), 'range', database));
    const difference = outcomeDifference(command, outcome, when);
    return difference && failure(mode, difference);
  }

  const variants = [{ expr, timeMs: when.timeMs, how: '' }];
  for (const variant of atVariants(expr, when.timeMs)) {
    variants.push({ ...variant, how: `, every selector fixed with @ ${when.timeMs / 1000}` });
  }
  for (const { expr: asked, timeMs, how } of variants) {
    const mode = `at ${printDuration(timeMs)}${how}`;
    const outcome = await attempt(async () => ask(command, asked, instantGrid(timeMs), 'instant', database));
    const difference = outcomeDifference(command, outcome);
    if (difference !== undefined) return failure(mode, difference);
    if (expected.kind !== 'scalar' && (expected.kind !== 'series' || expected.range !== undefined)) continue;
    if (CONTEXT_CALLS.test(query)) continue;
    const grid = rangeGrid(timeMs - MINUTE_MS, timeMs + MINUTE_MS, MINUTE_MS);
    const inRange = await attempt(async () => ask(command, asked, grid, 'range', database));
    const rangeDifference = inRangeDifference(command, inRange, timeMs);
    if (rangeDifference !== undefined) return failure(`${mode}, as a step of a range query`, rangeDifference);
  }
  return undefined;
}

const MINUTE_MS = 60_000;

/** What says something else in a range query than in an instant one. */
const CONTEXT_CALLS = /(?:start|end|range|step)\(\)/;

type Outcome = { readonly answer: Answer & { readonly grid: QueryGrid } } | { readonly error: string };

async function attempt(run: () => Promise<Answer & { readonly grid: QueryGrid }>): Promise<Outcome> {
  try {
    return { answer: await run() };
  } catch (error) {
    // An error that is none of the engine's is told as what it is, so that no script can expect it by its text.
    return { error: error instanceof ComityError ? error.message : `internal error: ${messageOf(error)}` };
  }
}

async function ask(
  { query }: Evaluate,
  expr: Expr,
  grid: QueryGrid,
  kind: 'instant' | 'range',
  database: Database,
): Promise<Answer & { readonly grid: QueryGrid }> {
  const type = typeOf(expr);
  if (kind === 'range' && type !== 'scalar' && type !== 'vector') {
    const name = type === 'matrix' ? 'range vector' : type;
    throw new ComityError(
      'bad_data',
      `invalid expression type "${name}" for range query, must be Scalar or instant Vector`,
    );
  }
  return { ...(await database.query(expr, query, grid)), grid };
}

/** `range`: the steps of a range query. */
function outcomeDifference(command: Evaluate, outcome: Outcome, range?: Range): Difference | undefined {
  const { expected, query, warnings, infos } = command;
  if ('error' in outcome) {
    if (expected.kind === 'failure') return errorDifference(expected.texts, outcome.error);
    return { problem: 'the query failed', got: outcome.error };
  }
  const { value, notes, grid } = outcome.answer;
  const result = range === undefined ? instantResult(value, grid) : rangeResult(value, grid);
  if (expected.kind === 'failure') {
    return {
      problem: 'the query did not fail',
      expected: `an error: ${expected.texts.map(printMatch).join(', ')}`,
      got: printResult(result),
    };
  }
  const shown = noteTexts(notes, query, Infinity);
  return (
    notesDifference(warnings, 'warning', shown.warnings) ??
    notesDifference(infos, 'info', shown.infos) ??
    resultDifference(expected, result, range ?? (expected.kind === 'series' ? expected.range : undefined))
  );
}

/** The step of a range query at the time of the instant one must say the same; only the order of series is another. */
function inRangeDifference({ expected }: Evaluate, outcome: Outcome, timeMs: number): Difference | undefined {
  if ('error' in outcome) return { problem: 'the query failed', got: outcome.error };
  if (expected.kind === 'failure' || (expected.kind === 'series' && expected.ordered)) return undefined;
  const { value, grid } = outcome.answer;
  return resultDifference(
    expected,
    resultAt(rangeResult(value, grid), timeMs, expected.kind === 'scalar' ? 'scalar' : 'vector'),
    undefined,
  );
}
