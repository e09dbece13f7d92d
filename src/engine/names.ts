import {
  dropMetadataLabels,
  labelsKey,
  labelValue,
  METADATA_LABELS,
  METRIC_NAME,
  type Labels,
} from '../model/labels.ts';
import { COMPARISON_OPS, SET_OPS, TRIM_OPS, type Expr } from '../promql/ast.ts';
import type { EvalContext } from './context.ts';
import { collectRows, mergeEqualRows, type Row, type RowSink } from './rows.ts';
import type { Usage } from './usage.ts';

/**
 * Takes the metric's name off what `run` produces, since its values mean something else now, and puts rows together that
 * this makes equal. Where names go at the end of the evaluation only, it marks the rows for that.
 *
 * @param input what the rows come from, which may show that they all have one name.
 * @param strict as in `mergeEqualRows`.
 * @param drop what takes the name off, and by default the labels of type and unit too.
 */
export function withoutNames(
  input: Expr,
  strict: boolean,
  { usage, features }: Pick<EvalContext, 'usage' | 'features'>,
  sink: RowSink,
  run: (named: RowSink) => void,
  drop: (labels: Labels) => Labels = dropMetadataLabels,
): void {
  if (features.delayedNameRemoval) return run((row) => sink({ ...row, dropsName: true }));
  const merged = mergeEqualRows(strict, usage);
  const oneName = sharesOneName(input);
  run((row) => {
    const rest = { ...row, labels: drop(row.labels) };
    // Labels of type and unit go as well, and could have told two series of one name apart.
    if (oneName && (rest.labels.length === row.labels.length || onlyNameWent(row.labels, rest.labels))) sink(rest);
    else merged.sink(rest);
  });
  merged.drain(sink);
}

function onlyNameWent(before: Labels, after: Labels): boolean {
  return after.length + 2 === before.length && labelValue(before, METRIC_NAME) !== '';
}

function nameless(row: Row): Row {
  return { ...row, labels: dropMetadataLabels(row.labels) };
}

/** Takes the names off that are marked for it: the last thing of an evaluation. */
export function dropMarkedNames(rows: readonly Row[], usage: Usage): readonly Row[] {
  const named = rows.map((row) => (row.dropsName === true ? nameless(row) : row));
  if (new Set(named.map(({ labels }) => labelsKey(labels))).size === rows.length) return named;
  const merged = mergeEqualRows(false, usage);
  for (const row of named) merged.sink(row);
  return collectRows(merged.drain);
}

/** Whether all rows of an expression surely have the same metric name or none, so that dropping it joins nothing. */
export function sharesOneName(expr: Expr): boolean {
  switch (expr.kind) {
    case 'vector':
      return expr.matchers.some(({ name, op, value }) => name === METRIC_NAME && op === '=' && value !== '');
    case 'matrix':
      return sharesOneName(expr.selector);
    case 'subquery':
    case 'paren':
    case 'once':
      return sharesOneName(expr.expr);
    case 'merged':
      return sharesOneName(expr.of);
    case 'unary':
      // A minus makes names go, and rows that this makes equal are put together there.
      return expr.op === '-' || sharesOneName(expr.expr);
    case 'aggregate':
      if (PICKING_OPS.has(expr.op)) return sharesOneName(expr.expr);
      if (expr.param?.kind === 'string' && expr.param.value === METRIC_NAME) return false;
      return !expr.without && !expr.grouping.some((label) => METADATA_LABELS.has(label));
    case 'call':
      if (NAMING_CALLS.has(expr.func)) return false;
      return !KEEPING_CALLS.has(expr.func) || sharesOneName(expr.args[0]!);
    case 'binary':
      if (expr.matching?.include.includes(METRIC_NAME) === true) return false;
      if (SET_OPS.has(expr.op) || TRIM_OPS.has(expr.op)) return false;
      return !COMPARISON_OPS.has(expr.op) || expr.returnBool;
    case 'number':
    case 'string':
      return true;
  }
}

/** Aggregations that pick series as they are. */
const PICKING_OPS: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio']);
/** Functions that leave the name of their first argument. */
const KEEPING_CALLS: ReadonlySet<string> = new Set([
  'first_over_time',
  'last_over_time',
  'sort',
  'sort_by_label',
  'sort_by_label_desc',
  'sort_desc',
]);
/** Functions that may give any name. */
const NAMING_CALLS: ReadonlySet<string> = new Set(['label_replace', 'label_join', 'info', 'histogram_quantiles']);
