import { labelsFrom, METRIC_NAME, type Labels } from '../../model/labels.ts';
import { matcherTest, type Matcher } from '../../model/matcher.ts';
import type { Call, Expr } from '../../promql/ast.ts';
import type { CallRows, Evaluation } from '../evaluation.ts';
import { anyPresent, type RowSink } from '../rows.ts';

export const ABSENT_CALLS: ReadonlyMap<string, CallRows> = new Map<string, CallRows>([['absent', absentRows]]);

/** 1 wherever the vector has nothing, with the labels that its selector asks for. */
function absentRows(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const vector = node.args[0]!;
  const present = new Uint8Array(evaluation.grid.steps).fill(1);
  evaluation.rows(vector, (row) => {
    for (let step = 0; step < present.length; step++) if (row.present[step] === 1) present[step] = 0;
  });
  const values = new Float64Array(present.length).fill(1);
  if (anyPresent(present)) sink({ labels: absentLabels(vector), values, present });
}

/**
 * The labels that a series must have to be what a selector asks for: those it compares with `=`, once each, but for the
 * name. None for any other expression.
 */
export function absentLabels(expr: Expr): Labels {
  switch (expr.kind) {
    case 'paren':
    case 'once':
      return absentLabels(expr.expr);
    case 'merged':
      return absentLabels(expr.of);
    case 'vector':
      return impliedLabels(expr.matchers);
    case 'matrix':
      return impliedLabels(expr.selector.matchers);
    default:
      return [];
  }
}

/** A label that is asked for again after an equality is left out. */
function impliedLabels(matchers: readonly Matcher[]): Labels {
  const values = new Map<string, string>();
  const compared = new Set<string>();
  for (const { name, op, value } of asLookedUp(matchers)) {
    if (name === METRIC_NAME) continue;
    if (op === '=' && !compared.has(name)) {
      values.set(name, value);
      compared.add(name);
    } else {
      values.delete(name);
    }
  }
  return labelsFrom(values);
}

/**
 * The order in which Prometheus looks matchers up in its index, and leaves them: first those that say what a series has,
 * then those that take series away.
 */
function asLookedUp(matchers: readonly Matcher[]): readonly Matcher[] {
  const takesEmpty = (matcher: Matcher): boolean => matcherTest(matcher)('');
  const needed = new Set(matchers.filter((matcher) => !takesEmpty(matcher)).map(({ name }) => name));
  const takesAway = (matcher: Matcher): boolean =>
    !needed.has(matcher.name) || ((matcher.op === '!=' || matcher.op === '!~') && takesEmpty(matcher));
  return [...matchers.filter((matcher) => !takesAway(matcher)), ...matchers.filter(takesAway)];
}
