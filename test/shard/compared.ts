import { ComityError } from '../../src/base/errors.ts';
import { evaluate } from '../../src/engine/evaluate.ts';
import type { Value } from '../../src/engine/evaluation.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../../src/model/grid.ts';
import type { Source } from '../../src/model/source.ts';
import { normalise } from '../../src/plan/normalise.ts';
import type { Expr } from '../../src/promql/ast.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { printExpr } from '../../src/promql/print.ts';
import type { Queries } from '../../src/shard/queries.ts';
import { matrixJson, vectorJson } from '../../src/wire/prometheus-json.ts';
import { readAnswer, type Answer } from '../differential/answer.ts';
import { compareAnswers } from '../differential/compare.ts';
import { contextOver } from '../engine/context.ts';
import { termSum } from '../../src/federationtest/term-sum.ts';
import type { When } from '../differential/generator.ts';
import { rankingOf, termLookup } from '../differential/verdict.ts';

export const LOOKBACK_MS = 300_000;

export function gridOf(when: When): QueryGrid {
  return when.kind === 'instant' ? instantGrid(when.timeMs) : rangeGrid(when.startMs, when.endMs, when.stepMs);
}

/** What one source that holds everything gives. */
export function wholeValue(expr: Expr, grid: QueryGrid, source: Source): Value {
  return evaluate(normalise(expr, grid), contextOver(source, grid, { lookbackMs: LOOKBACK_MS }));
}

/** A vector, or the error of `make`, as a client reads it. */
export async function answerOf(when: When, make: () => Value | Promise<Value>): Promise<Answer> {
  const grid = gridOf(when);
  return outcome(async () => {
    const value = await make();
    if (value.kind !== 'vector') throw new Error(`a ${value.kind} is not what these tests ask for`);
    const data = when.kind === 'instant' ? vectorJson(value.rows, when.timeMs) : matrixJson(value.rows, grid);
    return `{"status":"success","data":{${data}}}`;
  });
}

export async function given(queries: Queries, expr: Expr, when: When): Promise<Answer> {
  const grid = gridOf(when);
  const text = printExpr(expr);
  const settings = { lookbackMs: LOOKBACK_MS, features: NO_FEATURES, deadlineMs: Date.now() + 30_000, limit: 0 };
  const question = { kind: when.kind, expr, text, grid, ...settings };
  return outcome(async () => {
    const { envelope } = await queries.answer(question, new AbortController().signal);
    return Buffer.from(envelope).toString();
  });
}

/** How two answers to `expr` differ, errors by their codes; undefined where they are equal as PromQL understands it. */
export async function differs(expr: Expr, when: When, want: Answer, got: Answer, source: Source): Promise<unknown> {
  const ranking = rankingOf(expr);
  const options = ranking === undefined ? {} : { ranking };
  const found = compareAnswers(want, got, options);
  if (found?.kind === 'value') {
    const terms = termLookup(await answerOf(when, () => wholeValue(termSum(expr), gridOf(when), source)));
    return terms === undefined ? found : compareAnswers(want, got, { ...options, terms });
  }
  if (found !== undefined || want.kind !== 'error' || got.kind !== 'error') return found;
  return want.errorType === got.errorType ? undefined : { want, got };
}

async function outcome(make: () => Promise<string>): Promise<Answer> {
  try {
    return readAnswer(200, await make());
  } catch (error) {
    if (!(error instanceof ComityError)) throw error;
    return { kind: 'error', status: error.status, errorType: error.code, message: error.message };
  }
}
