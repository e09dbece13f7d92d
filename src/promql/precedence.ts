import type { BinaryOp } from './ast.ts';

/**
 * How tightly binary operators bind; higher is tighter. All but `^` group from the left. A sign stands between `*` and
 * `^`, so `-a ^ b` is `-(a ^ b)` and `-a * b` is `(-a) * b`.
 */
export const PRECEDENCE: Readonly<Record<BinaryOp, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '>': 3,
  '<=': 3,
  '>=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 7,
};

/** Between `*` and `^`. */
export const UNARY_PRECEDENCE = 6;
/** What a subquery's brackets can follow without parentheses. */
export const POSTFIX_PRECEDENCE = 8;
