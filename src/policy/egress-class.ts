import type { AggregateOp } from '../promql/ast.ts';

/**
 * What may leave of a metric, in ascending strictness. `open`: its series at a query's steps, if all their labels may leave.
 * `aggregate`: results of the listed aggregations over permitted labels. `protected`: until its own rules are built, nothing,
 * with a code of its own. `sealed`: nothing.
 */
export const EGRESS_CLASSES = ['open', 'aggregate', 'protected', 'sealed'] as const;
export type EgressClass = (typeof EGRESS_CLASSES)[number];

export function stricterClass(a: EgressClass, b: EgressClass): EgressClass {
  return EGRESS_CLASSES.indexOf(a) < EGRESS_CLASSES.indexOf(b) ? b : a;
}

/** Whether nothing of a metric of the class leaves, in no form. */
export function isWithheld(egress: EgressClass): boolean {
  return egress === 'sealed' || egress === 'protected';
}

/** The code of a refusal for a class of which nothing leaves. */
export function withheldCode(egress: EgressClass): 'class_sealed' | 'class_protected' {
  return egress === 'protected' ? 'class_protected' : 'class_sealed';
}

/** Aggregations of an aggregate metric that a policy need not list: each value that they give draws on all of a group. */
export const DEFAULT_OPERATORS = ['sum', 'count', 'avg', 'group', 'min', 'max', 'stddev', 'stdvar'] as const;
/** Those that it must list: they show single series, or values as they are. */
export const LISTED_OPERATORS = ['quantile', 'topk', 'bottomk', 'limitk', 'limit_ratio', 'count_values'] as const;

export const EVERY_OPERATOR: readonly AggregateOp[] = [...DEFAULT_OPERATORS, ...LISTED_OPERATORS];
