import { readsSeries } from '../engine/scalar.ts';
import { SET_OPS, type Aggregate, type Binary, type Call, type Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import { mapChildren } from '../promql/map.ts';

/**
 * Whether all rows of a vector expression have the domain label or none has: within one domain it always has the same value,
 * so that is all there is to know of it. Undefined where the expression looks at it by name, or mixes rows with and without.
 */
export function hasDomain(expr: Expr, domainLabel: string): boolean | undefined {
  switch (expr.kind) {
    case 'vector':
    case 'matrix':
      return true;
    case 'subquery':
    case 'paren':
    case 'once':
    case 'unary':
      return hasDomain(expr.expr, domainLabel);
    case 'call':
      return callHasDomain(expr, domainLabel);
    case 'binary':
      return binaryHasDomain(expr, domainLabel);
    case 'aggregate':
      return aggregateHasDomain(expr, domainLabel);
    default:
      return undefined;
  }
}

/**
 * The expression over series without the domain label, to which it has to be added afterwards where `hasDomain` says so.
 * Only for expressions of which it says something.
 */
export function withoutDomain(expr: Expr, domainLabel: string): Expr {
  const node = mapChildren(expr, (child) => withoutDomain(child, domainLabel));
  const drop = (labels: readonly string[]): readonly string[] => labels.filter((label) => label !== domainLabel);
  if (node.kind === 'aggregate') return { ...node, grouping: drop(node.grouping) };
  if (node.kind === 'binary' && node.matching !== undefined) {
    return { ...node, matching: { ...node.matching, labels: drop(node.matching.labels) } };
  }
  return node;
}

/** Functions that write labels, or read them, by names among their arguments. */
const OF_LABELS: ReadonlySet<string> = new Set([
  'label_replace',
  'label_join',
  'sort_by_label',
  'sort_by_label_desc',
  'histogram_quantiles',
]);

function callHasDomain({ func, args }: Call, domainLabel: string): boolean | undefined {
  if (OF_LABELS.has(func) && args.some((arg) => arg.kind === 'string' && arg.value === domainLabel)) return undefined;
  const read = args.filter(readsSeries);
  const [vector] = read;
  // A scalar that is made of series, or several vectors, no function has that keeps its rows in one place.
  if (vector === undefined || read.length > 1 || NOT_BY_SERIES.has(func)) return undefined;
  return hasDomain(vector, domainLabel);
}

const NOT_BY_SERIES: ReadonlySet<string> = new Set(['absent', 'absent_over_time', 'info', 'scalar', 'vector']);

function aggregateHasDomain(node: Aggregate, domainLabel: string): boolean | undefined {
  const { op, expr, param, without, grouping } = node;
  if (param !== undefined && readsSeries(param)) return undefined;
  const inner = hasDomain(expr, domainLabel);
  if (inner === undefined) return undefined;
  if (op === 'topk' || op === 'bottomk' || op === 'limitk') return inner;
  // It picks by all labels, the domain's too.
  if (op === 'limit_ratio') return undefined;
  if (op === 'count_values' && (param?.kind !== 'string' || param.value === domainLabel)) return undefined;
  return inner && without !== grouping.includes(domainLabel);
}

function binaryHasDomain({ op, left, right, matching }: Binary, domainLabel: string): boolean | undefined {
  if (matching === undefined) {
    const scalar = typeOf(left) === 'scalar' ? left : right;
    return readsSeries(scalar) ? undefined : hasDomain(scalar === left ? right : left, domainLabel);
  }
  const ofLeft = hasDomain(left, domainLabel);
  const ofRight = hasDomain(right, domainLabel);
  if (ofLeft === undefined || ofRight === undefined) return undefined;
  const { card, on, labels, include, fill } = matching;
  // What is filled in has the labels of the match alone.
  if (fill !== undefined || include.includes(domainLabel)) return undefined;
  const isCompared = on === labels.includes(domainLabel);
  if (isCompared && ofLeft !== ofRight) return undefined;
  if (SET_OPS.has(op)) return op !== 'or' || ofLeft === ofRight ? ofLeft : undefined;
  if (card === 'one-to-one') return isCompared && ofLeft;
  return card === 'many-to-one' ? ofLeft : ofRight;
}
