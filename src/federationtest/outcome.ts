import { ComityError, toComityError, type ErrorCode } from '../base/errors.ts';
import { noteTexts } from '../engine/notes.ts';
import type { Coverage } from '../coverage/coverage.ts';
import type { Value } from '../engine/evaluation.ts';
import type { QueryGrid } from '../model/grid.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { Database } from '../promqltest/database.ts';
import { instantResult, rangeResult, type Result } from '../promqltest/result.ts';
import type { Federation } from './federation.ts';
import type { Asked } from './rewrite.ts';

/** What came of a query. */
export type Outcome =
  | {
      readonly kind: 'answer';
      readonly value: Value;
      readonly result: Result;
      readonly warnings: readonly string[];
      readonly infos: readonly string[];
      /** Of a federation's answer. */
      readonly coverage?: Coverage;
    }
  | { readonly kind: 'error'; readonly code: ErrorCode; readonly message: string; readonly reason: string };

/** A query at some steps. */
export interface Question extends Asked {
  readonly kind: 'instant' | 'range';
  readonly grid: QueryGrid;
  readonly changes: Partial<PromqlFeatures>;
}

export async function askUnion(question: Question, union: Database): Promise<Outcome> {
  const { expr, text, grid, changes } = question;
  return attempt(question, async () => union.query(expr, text, grid, changes));
}

export async function askFederation(question: Question, federation: Federation): Promise<Outcome> {
  const { expr, text, grid, changes } = question;
  return attempt(question, async () => federation.query(expr, text, grid, changes));
}

export function describeOutcome(outcome: Outcome): string {
  return outcome.kind === 'error' ? `error ${outcome.code}: ${outcome.message}` : 'an answer';
}

async function attempt(
  { text, kind, grid }: Question,
  run: () => Promise<{ value: Value; notes: Parameters<typeof noteTexts>[0]; coverage?: Coverage }>,
): Promise<Outcome> {
  try {
    const { value, notes, coverage } = await run();
    const result = kind === 'instant' ? instantResult(value, grid) : rangeResult(value, grid);
    const texts = noteTexts(notes, text, Infinity);
    return { kind: 'answer', value, result, ...texts, ...(coverage === undefined ? {} : { coverage }) };
  } catch (error) {
    const { code, message } = toComityError(error);
    return { kind: 'error', code, message, reason: reasonOf(error, code) };
  }
}

/** The code of a refusal, as whoever refused gave it; the error's own code for any other error. */
function reasonOf(error: unknown, code: ErrorCode): string {
  const { reason } = error as { readonly reason?: unknown };
  return error instanceof ComityError && typeof reason === 'string' ? reason : code;
}
