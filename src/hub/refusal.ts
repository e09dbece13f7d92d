import { ComityError } from '../base/errors.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Refusal } from '../plan/frames.ts';
import { children, type Aggregate, type Expr } from '../promql/ast.ts';
import { mapChildren } from '../promql/map.ts';
import { positionOf } from '../promql/parse-error.ts';
import { printExpr } from '../promql/print.ts';

/** A domain's refusal of one fragment. */
export interface DomainRefusal {
  readonly domain: string;
  readonly fragment: Fragment;
  readonly refusal: Refusal;
}

/**
 * The refusal in words: what was refused and where it stands in the caller's text, which rule of which domain refused
 * it, and the nearest thing that works. The agent sent a code and a name from the fragment; the words are the hub's.
 */
export function explainRefusal(query: string, refused: DomainRefusal): ComityError {
  const { domain, fragment, refusal } = refused;
  const { line, column } = positionOf(query, fragment.expr.span.start);
  const place = `refused: ${printExpr(fragment.expr)} (${line}:${column})`;
  const { name } = refusal;
  const metric = name === '' ? 'a metric it selects' : `metric ${name}`;
  switch (refusal.code) {
    case 'class_aggregate':
      return new ComityError(
        'refused',
        `${place}: ${metric} is of class aggregate in domain ${domain}, so its series may not leave, only aggregates of ` +
          `them. What works: ${printExpr(aggregated(fragment.expr))}`,
      );
    case 'class_sealed':
      return new ComityError(
        'refused',
        name === ''
          ? `${place}: it could select metrics that domain ${domain} seals. What works: select metrics by their exact ` +
              'names (GET /api/v1/label/__name__/values lists them)'
          : `${place}: ${metric} is sealed in domain ${domain}: nothing of it leaves. What works: leave it out, or exclude ` +
              'the domain with a matcher on the domain label',
      );
    case 'label_not_permitted':
      return new ComityError(
        'refused',
        `${place}: label ${name} may not leave domain ${domain}. What works: ${printExpr(withoutLabel(fragment.expr, name))}`,
      );
    case 'matcher_not_permitted':
      return new ComityError(
        'refused',
        `${place}: label ${name} cannot be matched on in domain ${domain}. What works: matchers on permitted labels ` +
          `(GET /api/v1/labels lists them)`,
      );
    case 'undecided':
      return new ComityError(
        'refused',
        `${place}: series on one side of a match are not unique in domain ${domain}, which is an error only if the other ` +
          'side has series in some domain, and its series may not leave to find out. What works: match on more labels',
      );
    case 'unsupported':
      return new ComityError(
        'unsupported',
        `unsupported: domain ${domain} cannot evaluate ${printExpr(fragment.expr)} (${line}:${column}) yet`,
      );
    case 'timeout':
      return new ComityError(
        'timeout',
        `domain ${domain}: ${printExpr(fragment.expr)} (${line}:${column}) ran out of time`,
      );
    case 'limit':
      return new ComityError(
        'limit',
        `domain ${domain}: ${printExpr(fragment.expr)} (${line}:${column}) passes a limit. Narrow its selectors or raise the step`,
      );
    case 'execution':
      return new ComityError(
        'execution',
        `domain ${domain}: ${printExpr(fragment.expr)} (${line}:${column}) cannot be evaluated: series do not match one to one, ` +
          'or dropping the metric name makes two series the same (vector cannot contain metrics with the same labelset)',
      );
  }
}

/** The expression with every bare selector, or function of one, below a sum that an aggregate metric permits. */
function aggregated(expr: Expr, extra: readonly string[] = []): Expr {
  if (expr.kind === 'aggregate') return expr;
  if (expr.kind === 'vector' || (expr.kind === 'call' && expr.args.some((arg) => arg.kind === 'matrix'))) {
    const { span } = expr;
    return { kind: 'aggregate', op: 'sum', expr, without: false, grouping: ['job', ...extra], span };
  }
  const inner = expr.kind === 'call' && expr.func === 'histogram_quantile' ? ['le'] : extra;
  return mapChildren(expr, (child) => aggregated(child, inner));
}

/** The expression with a label taken out of every grouping and match, or summed away where a bare selector carries it. */
function withoutLabel(expr: Expr, label: string): Expr {
  if (expr.kind === 'vector' || (expr.kind === 'call' && expr.args.some((arg) => arg.kind === 'matrix'))) {
    return { kind: 'aggregate', op: 'sum', expr, without: true, grouping: [label], span: expr.span };
  }
  if (expr.kind === 'aggregate') {
    // What lies below an aggregation matters only where vectors are matched: there every label counts.
    const inner = containsMatch(expr.expr) ? withoutLabel(expr.expr, label) : expr.expr;
    return { ...expr, expr: inner, ...groupingWithout(expr, label) };
  }
  const changed = mapChildren(expr, (child) => withoutLabel(child, label));
  if (changed.kind !== 'binary' || changed.matching === undefined) return changed;
  const { matching } = changed;
  const keep = (name: string): boolean => name !== label;
  const labels = matching.on ? matching.labels.filter(keep) : matching.labels;
  return { ...changed, matching: { ...matching, labels, include: matching.include.filter(keep) } };
}

function containsMatch(expr: Expr): boolean {
  return (expr.kind === 'binary' && expr.matching !== undefined) || children(expr).some(containsMatch);
}

function groupingWithout({ without, grouping }: Aggregate, label: string): Pick<Aggregate, 'without' | 'grouping'> {
  if (!without) return { without, grouping: grouping.filter((name) => name !== label) };
  return { without, grouping: grouping.includes(label) ? grouping : [...grouping, label] };
}
