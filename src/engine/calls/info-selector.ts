import { METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { children, type AtModifier, type Call, type Expr, type VectorSelector } from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';

/** The metric whose labels info() adds unless it is told another one. */
const TARGET_INFO: Matcher = { name: METRIC_NAME, op: '=', value: 'target_info' };
const ANY_INFO: Matcher = { name: METRIC_NAME, op: '=~', value: '.+_info' };

/**
 * The selector of the series that a call of info() adds labels from, at the time that its first argument is about. What only
 * says which metrics they are not means those that end in `_info`.
 */
export function infoSelector({ args, span }: Call): VectorSelector {
  const { names, data } = infoMatchers(args[1]);
  const reference = infoReference(args[0]!);
  const at = reference?.at;
  const offsetMs = reference?.offsetMs ?? 0;
  return { kind: 'vector', matchers: [...names, ...data], offsetMs, ...(at === undefined ? {} : { at }), span };
}

/** What the second argument of info() asks for: of the name of the metric, and of its other labels. */
export function infoMatchers(selector: Expr | undefined): {
  readonly names: readonly Matcher[];
  readonly data: readonly Matcher[];
} {
  if (selector?.kind === 'paren' || selector?.kind === 'once') return infoMatchers(selector.expr);
  if (selector?.kind === 'merged') return infoMatchers(selector.of);
  if (selector?.kind !== 'vector') return { names: [TARGET_INFO], data: [] };
  const names = selector.matchers.filter(({ name }) => name === METRIC_NAME);
  const data = selector.matchers.filter(({ name }) => name !== METRIC_NAME);
  if (names.length === 0) return { names: [TARGET_INFO], data };
  const isPositive = names.some(({ op }) => op === '=' || op === '=~');
  return { names: isPositive ? names : [ANY_INFO, ...names], data };
}

/** The time that a selector reads at, relative to the evaluation's own where there is no `at`. */
interface Reference {
  readonly at: AtModifier | undefined;
  readonly offsetMs: number;
}

/** The time that all of an expression is about; undefined where its parts are about different ones. */
export function infoReference(expr: Expr): Reference | undefined {
  const found: Reference[] = [];
  return hasSelectors(expr, { at: undefined, offsetMs: 0 }, found) && found.every((one) => isSame(found[0]!, one))
    ? found[0]
    : undefined;
}

/** Collects the times of the selectors; false where a vector has none, which is about the time of evaluation. */
function hasSelectors(expr: Expr, around: Reference, found: Reference[]): boolean {
  switch (expr.kind) {
    case 'vector':
      found.push(within(expr, around));
      return true;
    case 'matrix':
      return hasSelectors(expr.selector, around, found);
    case 'merged':
      return hasSelectors(expr.of, around, found);
    case 'subquery':
      return hasSelectors(expr.expr, within(expr, around), found);
    default: {
      const parts = expr.kind === 'call' && expr.func === 'info' ? expr.args.slice(0, 1) : children(expr);
      const vectors = parts.filter((part) => typeOf(part) === 'vector' || typeOf(part) === 'matrix');
      // All of them, so that every time is found.
      return vectors.length > 0 && vectors.map((part) => hasSelectors(part, around, found)).every(Boolean);
    }
  }
}

/** Offsets add up from a selector outwards, until a time says when. */
function within({ at, offsetMs }: Pick<VectorSelector, 'at' | 'offsetMs'>, around: Reference): Reference {
  return at === undefined ? { at: around.at, offsetMs: offsetMs + around.offsetMs } : { at, offsetMs };
}

function isSame(one: Reference, other: Reference): boolean {
  const a = one.at?.kind === 'time' ? one.at.ms - one.offsetMs : undefined;
  const b = other.at?.kind === 'time' ? other.at.ms - other.offsetMs : undefined;
  return a === undefined || b === undefined ? a === b && one.offsetMs === other.offsetMs : a === b;
}
