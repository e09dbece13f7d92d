import { infoReference } from '../engine/calls/info-selector.ts';
import type { QueryGrid } from '../model/grid.ts';
import type { AtModifier, Binary, Call, Expr, NumberLiteral } from '../promql/ast.ts';
import { resolveDurations } from '../promql/resolve-durations.ts';
import { mapChildren } from '../promql/map.ts';
import { withStatsOnly } from './stats-only.ts';

/** Prometheus's resolution of subqueries that give none: its default evaluation interval. */
const SUBQUERY_STEP_MS = 60_000;

/**
 * The tree that planning and evaluation work on, so that it means the same wherever it runs: no parentheses, every duration
 * and every `@` a time, start(), end(), range() and step() numbers, and `once` around what is the same at all steps (at the
 * highest node that is). `text` is what errors point into. Throws `PromqlError` for a duration that cannot be.
 */
export function normalise(expr: Expr, grid: QueryGrid, text = ''): Expr {
  const stepMs = grid.isInstant ? 0 : grid.stepMs;
  const resolved = resolveDurations(expr, { stepMs, rangeMs: grid.endMs - grid.startMs }, text);
  const node = absolute(withStatsOnly(resolved), grid);
  return steadiness(node) === 'steady' ? once(markSteady(node)) : markSteady(node);
}

/** Without parentheses and with everything that the query's times decide. */
function absolute(expr: Expr, grid: QueryGrid): Expr {
  switch (expr.kind) {
    case 'paren':
      return absolute(expr.expr, grid);
    case 'vector':
      return withTime(expr, grid);
    case 'matrix':
      return { ...expr, selector: withTime(expr.selector, grid) };
    case 'subquery':
      return withTime({ ...expr, stepMs: expr.stepMs ?? SUBQUERY_STEP_MS, expr: absolute(expr.expr, grid) }, grid);
    case 'call':
      return contextNumber(expr, grid) ?? mapChildren(expr, (child) => absolute(child, grid));
    default:
      return mapChildren(expr, (child) => absolute(child, grid));
  }
}

function withTime<Node extends { readonly at?: AtModifier }>(node: Node, grid: QueryGrid): Node {
  const { at } = node;
  if (at === undefined || at.kind === 'time') return node;
  return { ...node, at: { kind: 'time', ms: at.kind === 'start' ? grid.startMs : grid.endMs } };
}

/** The functions of the query itself as the numbers they are. */
function contextNumber({ func, span }: Call, grid: QueryGrid): NumberLiteral | undefined {
  const seconds = (ms: number): NumberLiteral => ({ kind: 'number', value: ms / 1000, span });
  switch (func) {
    case 'start':
      return seconds(grid.startMs);
    case 'end':
      return seconds(grid.endMs);
    case 'range':
      return seconds(grid.endMs - grid.startMs);
    case 'step':
      return seconds(grid.startMs === grid.endMs ? 0 : grid.stepMs);
    default:
      return undefined;
  }
}

/**
 * Whether a node is the same at every step: `steady` ones are evaluated once, `constant` ones (numbers, strings, and ranges,
 * which a function reads as it needs) gain nothing by that, `varying` ones are not.
 *
 * As in Prometheus, the parameter of an aggregation does not matter here.
 */
type Steadiness = 'steady' | 'constant' | 'varying';

function steadiness(expr: Expr): Steadiness {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return 'constant';
    case 'vector':
      return expr.at === undefined ? 'varying' : 'steady';
    case 'matrix':
      return expr.selector.at === undefined ? 'varying' : 'constant';
    case 'subquery':
      return expr.at === undefined ? 'varying' : 'constant';
    case 'paren':
    case 'unary':
    case 'aggregate':
      return steadiness(expr.expr);
    case 'binary':
      return isVarying(expr.left) || isVarying(expr.right) ? 'varying' : 'steady';
    case 'call':
      return callSteadiness(expr);
    case 'once':
    case 'merged':
      return 'varying';
  }
}

const isVarying = (expr: Expr): boolean => steadiness(expr) === 'varying';

/** Functions whose value depends on the step whatever their arguments do, or on the times of the samples. */
const TIME_FUNCTIONS: ReadonlySet<string> = new Set([
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'hour',
  'minute',
  'month',
  'predict_linear',
  'time',
  'timestamp',
  'year',
]);

function callSteadiness({ func, args }: Call): Steadiness {
  if (func === 'timestamp' && args[0]?.kind === 'vector') return steadiness(args[0]);
  if (TIME_FUNCTIONS.has(func)) return 'varying';
  // The labels that info() adds are those of the step's own time, unless all of its argument is about another one.
  if (func === 'info' && infoReference(args[0]!) === undefined) return 'varying';
  // The second argument of info() is a selector that is never evaluated by itself.
  const evaluated = func === 'info' ? args.slice(0, 1) : args;
  return evaluated.some(isVarying) ? 'varying' : 'steady';
}

/** Puts `once` around the highest steady nodes below this one. */
function markSteady(expr: Expr): Expr {
  if (expr.kind === 'subquery') {
    // All of a steady subquery is at its own first step.
    const inner = markSteady(expr.expr);
    return { ...expr, expr: isVarying(expr.expr) ? inner : once(inner) };
  }
  if (!isVarying(expr)) return mapChildren(expr, markSubqueries);
  if (expr.kind === 'aggregate') return { ...expr, expr: markSteady(expr.expr) };
  return mapChildren(expr, (child) => markedArgument(expr, child));
}

function markedArgument(parent: Expr, child: Expr): Expr {
  const marked = markSteady(child);
  const wraps = (parent.kind === 'call' || parent.kind === 'binary') && steadiness(child) === 'steady';
  return wraps && !isInfoSelector(parent, child) ? once(marked) : marked;
}

function isInfoSelector(parent: Call | Binary, child: Expr): boolean {
  return parent.kind === 'call' && parent.func === 'info' && parent.args[1] === child;
}

/** Below a node that is evaluated once, only what has steps of its own matters. */
function markSubqueries(expr: Expr): Expr {
  return expr.kind === 'subquery' ? markSteady(expr) : mapChildren(expr, markSubqueries);
}

function once(expr: Expr): Expr {
  return { kind: 'once', expr, span: expr.span };
}
