import { readsSeries } from '../engine/scalar.ts';
import { isPartialOp } from '../partial/algebra.ts';
import type { Aggregate, Call, Expr, VectorMatching } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import { COVERAGE } from '../promql/functions.ts';

/**
 * What it takes for an expression to keep the place of its series, be that a domain or a shard. Selectors and functions of
 * single series always do; the rest is a question of the labels that tell the place.
 */
export interface PlaceRule {
  /** Whether two vectors that keep the place still do when they are matched. */
  matching(matching: VectorMatching): boolean;
  /** Whether the groups of a vector that keeps the place do. */
  grouping(node: Pick<Aggregate, 'without' | 'grouping'>): boolean;
  /** Whether series that keep the place still do when this label is written anew. */
  relabelling(target: string): boolean;
  /**
   * Whether single series may be told apart in the answers of a place: then it may pick its own first before `topk` and its
   * like pick among all, and work out aggregations that say more of its series than a partial does.
   */
  readonly isOpen?: true;
  /** Whether raw samples stay where they are: the places are domains. */
  readonly isDomain?: true;
  /** The relative error allowed to `quantile`, which then merges like a partial. */
  readonly approx?: number | undefined;
  /** Whether there is one place only, which keeps every vector. */
  readonly isWhole?: true;
}

/**
 * Whether no series that an expression gives draws on two places, so that each place can work it out alone and the answers
 * only need to stand side by side.
 */
export function keepsPlace(expr: Expr, rule: PlaceRule): boolean {
  if (rule.isWhole === true) return true;
  switch (expr.kind) {
    case 'vector':
    case 'matrix':
      return true;
    case 'paren':
    case 'unary':
    case 'once':
    case 'subquery':
      return keepsPlace(expr.expr, rule);
    case 'call':
      return callKeepsPlace(expr, rule);
    case 'binary':
      if (isNumber(expr.left)) return keepsPlace(expr.right, rule);
      if (isNumber(expr.right)) return keepsPlace(expr.left, rule);
      return (
        expr.matching !== undefined &&
        rule.matching(expr.matching) &&
        keepsPlace(expr.left, rule) &&
        keepsPlace(expr.right, rule)
      );
    case 'aggregate':
      return aggregateKeepsPlace(expr, rule);
    case 'number':
    case 'string':
    case 'merged':
      return false;
  }
}

/** A number that is the same in every place: one that is worked out from series is known to the asker only. */
function isNumber(expr: Expr): boolean {
  return typeOf(expr) === 'scalar' && !readsSeries(expr);
}

function aggregateKeepsPlace(node: Aggregate, rule: PlaceRule): boolean {
  const { op, expr, param } = node;
  if ((param !== undefined && readsSeries(param)) || !keepsPlace(expr, rule)) return false;
  if (isPartialOp(op)) return rule.grouping(node);
  if (rule.isOpen !== true || isSketched(node, rule)) return false;
  switch (op) {
    case 'limit_ratio':
      return true;
    case 'quantile':
    case 'topk':
    case 'bottomk':
    case 'limitk':
      return rule.grouping(node);
    case 'count_values':
      // The label that it writes is one that a domain's policy knows nothing of.
      if (rule.isDomain === true) return false;
      return rule.grouping(node) && param?.kind === 'string' && rule.relabelling(param.value);
    default:
      return false;
  }
}

/** Whether an aggregation is a quantile that may be approximate. */
export function isSketched({ op, param }: Aggregate, rule: PlaceRule): rule is PlaceRule & { readonly approx: number } {
  return rule.approx !== undefined && op === 'quantile' && param?.kind === 'number';
}

/** Functions whose answer depends on all series there are, or whose order only the asker can give. */
const OF_ALL_SERIES: ReadonlySet<string> = new Set([
  'absent',
  'absent_over_time',
  COVERAGE,
  'info',
  'scalar',
  'vector',
  'sort',
  'sort_desc',
  'sort_by_label',
  'sort_by_label_desc',
]);

/** Functions whose second argument is the name of a label that they write. */
export const LABEL_WRITERS: ReadonlySet<string> = new Set(['label_replace', 'label_join', 'histogram_quantiles']);

/** All other functions treat each series on its own, or the buckets of one classic histogram, which are in one place. */
function callKeepsPlace({ func, args }: Call, rule: PlaceRule): boolean {
  if (OF_ALL_SERIES.has(func)) return false;
  if (LABEL_WRITERS.has(func)) {
    const target = args[1];
    if (target?.kind !== 'string' || !rule.relabelling(target.value)) return false;
  }
  return args.some(readsSeries) && args.every((arg) => !readsSeries(arg) || keepsPlace(arg, rule));
}
