import type { BinaryOp } from '../promql/ast.ts';

/** The value of `left op right`. A comparison gives its left side; whether it holds is `compares`. */
export function arithmetic(op: BinaryOp, left: number, right: number): number {
  switch (op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      // JavaScript's remainder is C's fmod, as is Go's math.Mod.
      return left % right;
    case '^':
      return power(left, right);
    case 'atan2':
      return Math.atan2(left, right);
    case '==':
    case '!=':
    case '>':
    case '<':
    case '>=':
    case '<=':
    case 'and':
    case 'or':
    case 'unless':
      return left;
  }
}

export function compares(op: BinaryOp, left: number, right: number): boolean {
  switch (op) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '>':
      return left > right;
    case '<':
      return left < right;
    case '>=':
      return left >= right;
    case '<=':
      return left <= right;
    default:
      return true;
  }
}

/** IEEE 754 pow: 1^x and (-1)^±Inf are 1, where JavaScript has NaN. */
function power(base: number, exponent: number): number {
  if (base === 1 || (base === -1 && (exponent === Infinity || exponent === -Infinity))) return 1;
  return base ** exponent;
}
