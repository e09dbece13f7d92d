import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Matcher } from '../model/matcher.ts';
import { regexCost } from '../model/regex-cost.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';
import { NO_FEATURES } from '../promql/features.ts';
import { invalid } from './params.ts';
import { parseParam } from './query.ts';

/** The matchers of each `match[]` of a request. Throws as `selectorParams`. */
export function matchParams(params: URLSearchParams): (readonly Matcher[])[] {
  return selectorParams(params.getAll('match[]')).map(({ matchers }) => matchers);
}

/**
 * The texts of `match[]` as selectors. Throws `bad_data` for a text that is no series selector, for too many of
 * them, and for regular expressions that are too large together: selectors share one budget, as those of a query do.
 */
export function selectorParams(texts: readonly string[]): VectorSelector[] {
  if (texts.length > LIMITS.selectorsPerRequest) {
    throw invalid(
      'match[]',
      `${texts.length} selectors, more than the ${LIMITS.selectorsPerRequest} allowed (selectorsPerRequest)`,
    );
  }
  let cost = 0;
  return texts.map((text) => {
    const selector = parseParam('match[]', text, NO_FEATURES);
    if (selector.kind !== 'vector') throw invalid('match[]', `${text} is no series selector`);
    for (const { op, value } of selector.matchers) if (op === '=~' || op === '!~') cost += regexCost(value);
    if (cost > LIMITS.regexCost) throw invalid('match[]', 'the regular expressions are too large together');
    return selector;
  });
}

/** Every selector in an expression. Throws `limit` past `LIMITS.selectorsPerRequest`. */
export function selectorsIn(expr: Expr): VectorSelector[] {
  const found: VectorSelector[] = [];
  const pending: Expr[] = [expr];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.kind === 'vector') found.push(node);
    pending.push(...children(node));
  }
  if (found.length > LIMITS.selectorsPerRequest) {
    throw new ComityError(
      'limit',
      `the query has ${found.length} selectors, more than the ${LIMITS.selectorsPerRequest} allowed here (selectorsPerRequest)`,
    );
  }
  return found;
}
