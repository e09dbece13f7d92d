import type { Random } from '../random.ts';
import type { Dataset } from './dataset.ts';
import { mapChildren, type Aggregate, type Call, type Node } from './grammar.ts';

/** Aggregations that let a metric of class aggregate out, as a policy lists them by default. */
const REDUCING: ReadonlySet<string> = new Set(['sum', 'count', 'avg', 'group', 'min', 'max', 'stddev', 'stdvar']);

/** Labels that say too little by themselves. */
const PLACES = ['job', 'instance', 'domain'];

/**
 * The query with an aggregation around each vector that stands directly over the data: an instant selector, or a function of
 * a range. Some that are below an aggregation already stay as they are.
 */
export function wrapped(node: Node, data: Dataset, random: Random): Node {
  const inner = (child: Node): Node => wrapped(child, data, random);
  if (isPermitted(node) && random.chance(0.5)) return node;
  switch (node.kind) {
    case 'selector':
      return node.range === undefined ? aggregated(node, data, random) : node;
    case 'call':
      // The second argument of info() is a selector of another kind, and what absent() takes is let out by itself.
      if (node.func === 'info') return { ...node, args: node.args.map((arg, i) => (i === 0 ? inner(arg) : arg)) };
      if (isOverRange(node)) {
        const whole = { ...node, args: node.args.map((arg) => (isRange(arg) ? arg : inner(arg))) };
        return node.func === 'absent_over_time' && random.chance(0.5) ? node : aggregated(whole, data, random);
      }
      return mapChildren(node, inner);
    default:
      return mapChildren(node, inner);
  }
}

/** Whether every series that a query reads is below an aggregation that a policy lists, with nothing between that needs more. */
export function isAggregatedOnly(node: Node): boolean {
  if (isPermitted(node)) return true;
  switch (node.kind) {
    case 'literal':
      return true;
    case 'selector':
      return false;
    case 'call':
      if (node.func === 'info' || isOverRange(node)) return false;
      return node.args.every(isAggregatedOnly);
    case 'aggregate':
      return isAggregatedOnly(node.expr) && (node.param === undefined || isAggregatedOnly(node.param));
    case 'binary':
      return isAggregatedOnly(node.left) && isAggregatedOnly(node.right);
    case 'subquery':
    case 'unary':
    case 'paren':
      return isAggregatedOnly(node.expr);
  }
}

/** An aggregation directly over the data. */
function isPermitted(node: Node): boolean {
  return node.kind === 'aggregate' && REDUCING.has(node.op) && isOverData(node.expr);
}

function isOverData(node: Node): boolean {
  if (node.kind === 'paren') return isOverData(node.expr);
  if (node.kind === 'selector') return node.range === undefined;
  return (
    node.kind === 'call' &&
    node.func !== 'absent_over_time' &&
    isOverRange(node) &&
    node.args.every((arg) => isRange(arg) || arg.kind === 'literal')
  );
}

function isOverRange({ args }: Call): boolean {
  return args.some(isRange);
}

function isRange(node: Node): boolean {
  return node.kind === 'selector' && node.range !== undefined;
}

/** By all labels but one, so that groups are of one series, or of those that domains have under the same labels; or by few. */
function aggregated(expr: Node, data: Dataset, random: Random): Aggregate {
  const op = random.weighted([
    [4, 'sum'],
    [2, 'avg'],
    [1, 'min'],
    [1, 'max'],
    [1, 'count'],
    [0.5, 'group'],
    [0.5, 'stddev'],
    [0.5, 'stdvar'],
  ]);
  if (random.chance(0.3)) {
    return { kind: 'aggregate', op, expr, grouping: { without: false, labels: random.subset([...PLACES, 'le'], 0.5) } };
  }
  const dropped = random.chance(0.8) ? random.pick(PLACES) : random.pick([...data.values.keys()]);
  if (random.chance(0.3)) return { kind: 'aggregate', op, expr, grouping: { without: true, labels: [dropped] } };
  const labels = [...data.values.keys()].filter((name) => name !== dropped);
  return { kind: 'aggregate', op, expr, grouping: { without: false, labels } };
}
