import { messageOf } from '../base/errors.ts';
import { noteTexts } from '../engine/notes.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { Command, Evaluate, Load } from './command.ts';
import type { Difference } from './compare.ts';
import type { Database } from './database.ts';
import { loadBatch } from './load-batch.ts';
import { assertAskable, failedOutcome, modeDifference, modesOf, type Mode, type Outcome } from './modes.ts';
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
export const RULES_3_14: Partial<PromqlFeatures> = { keptStartsReset: true };

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
  const { line, query, expr } = command;
  const place = { file: line.file, line: line.number, query };
  if (expr instanceof ScriptError) {
    const { problem, rendering } = expr;
    return { ...place, mode: '', problem: `the query does not parse: ${problem}`, rendering };
  }
  for (const mode of modesOf(command, expr)) {
    const difference = modeDifference(command, mode, await ask(query, mode, database));
    if (difference !== undefined) return { ...place, mode: mode.name, ...difference };
  }
  return undefined;
}

async function ask(query: string, mode: Mode, database: Database): Promise<Outcome> {
  try {
    assertAskable(mode);
    const { value, notes } = await database.query(mode.expr, query, mode.grid);
    return { value, ...noteTexts(notes, query, Infinity) };
  } catch (error) {
    return failedOutcome(error);
  }
}
