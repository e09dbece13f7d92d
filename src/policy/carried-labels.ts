import { labelNames, type Labels } from '../model/labels.ts';
import { children, type Aggregate, type Binary, type Call, type Expr, type VectorSelector } from '../promql/ast.ts';

/** The label sets of the series that a selector picks: what a check cannot know from the tree alone. */
export type SeriesOf = (selector: VectorSelector) => Iterable<Labels>;

/** Aggregations that hand on series as they are, with all their labels. */
const PICKING: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio']);

export function picksSeries({ op }: Aggregate): boolean {
  return PICKING.has(op);
}

/** Names of the labels that the rows of an expression may carry; rather too many than too few. */
export function carriedLabels(expr: Expr, seriesOf: SeriesOf): Set<string> {
  if (expr.kind === 'vector') {
    const names = new Set<string>();
    for (const labels of seriesOf(expr)) for (const name of labelNames(labels)) names.add(name);
    return names;
  }
  if (expr.kind === 'aggregate') {
    if (picksSeries(expr)) return carriedLabels(expr.expr, seriesOf);
    return new Set([...groupedLabels(expr, seriesOf), ...writtenByAggregate(expr)]);
  }
  const named = expr.kind === 'call' ? namedLabels(expr) : [];
  return new Set(named.concat(children(expr).flatMap((child) => [...carriedLabels(child, seriesOf)])));
}

/** Labels whose values tell the groups of an aggregation apart. */
export function groupedLabels({ without, grouping, expr }: Aggregate, seriesOf: SeriesOf): Set<string> {
  if (!without) return new Set(grouping);
  const names = carriedLabels(expr, seriesOf);
  for (const label of grouping) names.delete(label);
  return names;
}

/** The label that count_values writes values to. */
export function writtenByAggregate({ op, param }: Aggregate): readonly string[] {
  return op === 'count_values' && param !== undefined ? [textOf(param)] : [];
}

/** Labels that a function reads or writes by name: under another name, or in an order, a value could leave that may not. */
export function namedLabels({ func, args }: Call): readonly string[] {
  switch (func) {
    case 'label_replace':
      return [textOf(args[1]), textOf(args[3])];
    case 'label_join':
      return [textOf(args[1]), ...args.slice(3).map(textOf)];
    case 'sort_by_label':
    case 'sort_by_label_desc':
      return args.slice(1).map(textOf);
    case 'histogram_quantiles':
      return [textOf(args[1])];
    default:
      return [];
  }
}

/** Labels that a match compares or copies. Without `on` those are all that the series carry but the ignored ones. */
export function matchedLabels({ matching, left, right }: Binary, seriesOf: SeriesOf): Iterable<string> {
  const { on, labels, include } = matching!;
  if (on) return [...labels, ...include];
  const carried = new Set([...carriedLabels(left, seriesOf), ...carriedLabels(right, seriesOf)]);
  for (const label of labels) carried.delete(label);
  return [...carried, ...include];
}

/** A string, as the engine reads it: the empty name, which no policy permits, where there is none. */
function textOf(expr: Expr | undefined): string {
  if (expr?.kind === 'paren' || expr?.kind === 'once') return textOf(expr.expr);
  return expr?.kind === 'string' ? expr.value : '';
}
