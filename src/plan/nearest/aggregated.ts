import { readsSeries } from '../../engine/scalar.ts';
import { COMPARISON_OPS, type Aggregate, type AggregateOp, type Binary, type Expr } from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';
import { nodesAbove, replaced } from './expr-path.ts';
import { keptLabels } from '../explain/kept-labels.ts';
import { isReducing, neededLabels } from './needed-labels.ts';
import { reducerOf } from './reducer.ts';

/** The label that groups where nothing above a vector looks at any: part of every series, and always permitted. */
export const DEFAULT_GROUPING: readonly string[] = ['job'];

/**
 * The tree with the smallest vector around `node` that can be aggregated below `op`, grouped by the labels that what stands
 * above looks at. A vector that it is matched with by all labels is aggregated alike. `op` is by what the vector is when left
 * out. Undefined where nothing can be aggregated there.
 */
export function aggregatedAt(root: Expr, node: Expr, op?: AggregateOp): Expr | undefined {
  const target = smallestVector(root, node);
  const above = target === undefined ? undefined : nodesAbove(root, target);
  if (target === undefined || above === undefined) return undefined;
  const { labels, isSettled } = neededLabels(target, above);
  const isGrouped = isSettled || labels.some((label) => label !== 'le');
  const grouping = isGrouped ? labels : [...DEFAULT_GROUPING, ...labels];
  const changes = new Map<Expr, Expr>([[target, aggregate(op ?? reducerOf(target), target, grouping)]]);
  let below: Expr = target;
  for (const parent of above) {
    if (parent.kind === 'aggregate' && isReducing(parent)) break;
    if (parent.kind === 'binary' && parent.matching?.on === false && typeOf(parent.right) === 'vector') {
      const side = below === parent.left ? parent.right : parent.left;
      for (const vector of bareVectors(side)) {
        const bound = largestFilter(vector, nodesAbove(side, vector) ?? []);
        changes.set(bound, aggregate(op ?? reducerOf(bound), bound, groupingBeside(side, vector, grouping)));
      }
    }
    below = parent;
  }
  return replaced(root, changes);
}

export function aggregate(op: AggregateOp, expr: Expr, grouping: readonly string[], without = false): Aggregate {
  const inner = expr.kind === 'paren' ? expr.expr : expr;
  return { kind: 'aggregate', op, expr: inner, without, grouping, span: expr.span };
}

/** The vectors that no aggregation reduces: selectors, and functions of range selectors. */
export function bareVectors(expr: Expr): Expr[] {
  switch (expr.kind) {
    case 'vector':
      return [expr];
    case 'aggregate':
      return isReducing(expr) ? [] : bareVectors(expr.expr);
    case 'call':
      if (expr.args.some(({ kind }) => kind === 'matrix')) return [expr];
      return expr.func === 'scalar' ? [] : expr.args.flatMap(bareVectors);
    case 'binary':
      return [...bareVectors(expr.left), ...bareVectors(expr.right)];
    case 'paren':
    case 'unary':
    case 'once':
    case 'subquery':
      return bareVectors(expr.expr);
    default:
      return [];
  }
}

/** What is matched with a grouped vector has its groups, and what its own side needs besides. */
function groupingBeside(side: Expr, vector: Expr, grouping: readonly string[]): readonly string[] {
  const own = neededLabels(vector, nodesAbove(side, vector) ?? []).labels;
  const kept = keptLabels(side);
  return kept.of === 'only' ? own : [...new Set([...grouping, ...own])];
}

/** Functions of one vector that say something of each sample itself, so that nothing may be aggregated below them. */
const OF_SAMPLES: ReadonlySet<string> = new Set(['timestamp', 'start_timestamp']);

function smallestVector(root: Expr, node: Expr): Expr | undefined {
  const above = nodesAbove(root, node);
  if (above === undefined) return undefined;
  let target = node;
  let rest = above;
  const climb = (): void => {
    target = rest[0]!;
    rest = rest.slice(1);
  };
  if (target.kind === 'vector' && rest[0]?.kind === 'matrix') climb();
  if (target.kind === 'matrix' && rest[0]?.kind === 'call') climb();
  if (rest[0]?.kind === 'call' && OF_SAMPLES.has(rest[0].func)) climb();
  return typeOf(target) === 'vector' ? largestFilter(target, rest) : undefined;
}

/** Functions that change each value alone. */
const OF_VALUES: ReadonlySet<string> = new Set(
  'abs ceil floor round clamp clamp_max clamp_min exp ln log2 log10 sqrt sgn'.split(' '),
);

/**
 * A comparison of a vector with a number is a question about each series, so that the series that pass it are aggregated and
 * not those that are compared; arithmetic with numbers may stand between.
 */
function largestFilter(vector: Expr, above: readonly Expr[]): Expr {
  for (const parent of above) {
    if (parent.kind === 'binary' && isWithScalar(parent)) {
      if (COMPARISON_OPS.has(parent.op) && !parent.returnBool) return parent;
    } else if (parent.kind !== 'paren' && !(parent.kind === 'call' && OF_VALUES.has(parent.func))) break;
  }
  return vector;
}

/** A scalar that is worked out from series is known to the hub only. */
function isWithScalar({ left, right }: Binary): boolean {
  return [left, right].some((side) => typeOf(side) === 'scalar' && !readsSeries(side));
}
