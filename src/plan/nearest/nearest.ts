import { ComityError } from '../../base/errors.ts';
import { children, type Expr } from '../../promql/ast.ts';
import { ALL_FEATURES, type PromqlFeatures } from '../../promql/features.ts';
import { parseExpr } from '../../promql/parse.ts';
import { printExpr } from '../../promql/print.ts';
import { faultOf, type Fault, type Judge } from './fault.ts';
import { rewritesFor } from './rewrites.ts';

/** A query, and the relative error that it allows `quantile`. */
export interface AskedQuery {
  readonly text: string;
  readonly approx?: number | undefined;
}

/** A query in the place of another one. */
export interface NearestQuery extends AskedQuery {
  /** Labels that it no longer matches on: it asks of every value of theirs. */
  readonly widened: readonly string[];
}

/** What works, with the parameter that it needs and what it asks more widely. */
export function nearestText({ text, approx, widened }: NearestQuery): string {
  const over = widened.length === 0 ? '' : `, over every ${widened.join(', ')}`;
  return `What works${over}: ${text}${approx === undefined ? '' : ` with approx=${approx}`}`;
}

/** Rewritten queries that are looked at, and their characters in total: some tens of milliseconds. */
const TRIES_MAX = 200;
const CHARS_MAX = 200_000;

/**
 * The query nearest to one that is refused which is not: found by rewriting what is at fault, over and over, and shown only
 * when it parses and neither the planner nor the judge finds a fault in it. `fault` is what is known of the query at first.
 * Undefined when nothing was found, or when there is no such fault by the judge.
 */
export function nearestQuery(
  asked: AskedQuery,
  fault: Fault | undefined,
  judge: Judge,
  features: PromqlFeatures = ALL_FEATURES,
): NearestQuery | undefined {
  const seen = new Set<string>([keyOf(asked)]);
  let chars = 0;

  function read(text: string): Expr | undefined {
    try {
      return parseExpr(text, features);
    } catch (error) {
      if (error instanceof ComityError) return undefined;
      throw error;
    }
  }

  /** Depth first: each rewrite is to mend one fault, and the nearest way to mend it comes first. */
  function search(expr: Expr, approx: number | undefined, found: Fault): NearestQuery | undefined {
    const { domainLabel, domains } = judge;
    for (const rewrite of rewritesFor(expr, found, { approx, domainLabel, domains })) {
      const next: AskedQuery = { text: printExpr(rewrite.expr), approx: rewrite.approx };
      if (seen.has(keyOf(next))) continue;
      seen.add(keyOf(next));
      chars += next.text.length;
      if (seen.size > TRIES_MAX || chars > CHARS_MAX) return undefined;
      const parsed = read(next.text);
      if (parsed === undefined) continue;
      const left = faultOf(parsed, next.text, next.approx, judge);
      if (left === undefined)
        return { ...next, widened: [...matched].filter((label) => !matchedLabels(parsed).has(label)) };
      // An approximation that the policy does not list mends nothing.
      if (rewrite.approx !== approx && left.code === 'operator_not_permitted' && left.name === 'quantile') continue;
      const deeper = search(parsed, next.approx, left);
      if (deeper !== undefined) return deeper;
    }
    return undefined;
  }

  const expr = read(asked.text);
  if (expr === undefined) return undefined;
  const matched = matchedLabels(expr);
  const first = faultOf(expr, asked.text, asked.approx, judge) ?? fault;
  return first === undefined ? undefined : search(expr, asked.approx, first);
}

function keyOf({ text, approx }: AskedQuery): string {
  return `${approx ?? ''} ${text}`;
}

function matchedLabels(expr: Expr): Set<string> {
  if (expr.kind === 'vector') return new Set(expr.matchers.map(({ name }) => name));
  return new Set(children(expr).flatMap((child) => [...matchedLabels(child)]));
}
