import { formatDecimal } from './decimal.ts';
import type { DurationExpr } from './ast.ts';
import { durationSeconds, printDuration } from './duration.ts';

/** A computed duration as it stands inside brackets. It parses back to the same tree, apart from spans and parentheses. */
export function printDurationExpr(expr: DurationExpr): string {
  switch (expr.kind) {
    case 'seconds':
      return printSeconds(expr.value, expr.isDuration);
    case 'step':
    case 'range':
      return `${expr.kind}()`;
    case 'paren':
      return `(${printDurationExpr(expr.expr)})`;
    case 'positive':
      return printDurationExpr(expr.expr);
    case 'negative':
      return `-${printOperand(expr.expr, SIGN)}`;
    case 'operation': {
      const { op, left, right } = expr;
      if (op === 'min_of' || op === 'max_of') return `${op}(${printDurationExpr(left)}, ${printDurationExpr(right)})`;
      const tightness = TIGHTNESS[op];
      const leftText = printOperand(left, op === '^' ? tightness + 1 : tightness);
      // A sign after an operator is read as a sign whatever the operator, so it needs no parentheses there.
      const rightText =
        tightnessOf(right) === SIGN
          ? printDurationExpr(right)
          : printOperand(right, op === '^' ? tightness : tightness + 1);
      return `${leftText} ${op} ${rightText}`;
    }
  }
}

/**
 * A computed duration as it stands after `offset`, where an operator takes what is before it unless the duration begins
 * with a parenthesis or with two signs. `isOpen` says that an operator after it would be read as part of it.
 */
export function printOffsetExpr(expr: DurationExpr): { text: string; isOpen: boolean } {
  const text = printDurationExpr(expr);
  if (text.startsWith('(') || text.startsWith('--')) return { text, isOpen: true };
  return isOneOperand(expr) ? { text, isOpen: false } : { text: `(${text})`, isOpen: true };
}

/** A number of seconds as a duration where it is meant as one and can be said exactly, else as a number. */
export function printSeconds(value: number, isDuration: boolean): string {
  if (Object.is(value, -0)) return isDuration ? '-0s' : '-0';
  const ms = Math.round(value * 1000);
  return isDuration && durationSeconds(ms) === value ? printDuration(ms) : formatDecimal(value);
}

/** As in `PRECEDENCE`, with the sign between `*` and `^`. */
const TIGHTNESS = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 4 } as const;
const SIGN = 3;
const OPERAND = 5;

function printOperand(expr: DurationExpr, tightness: number): string {
  const text = printDurationExpr(expr);
  return tightnessOf(expr) < tightness ? `(${text})` : text;
}

function tightnessOf(expr: DurationExpr): number {
  if (expr.kind === 'positive') return tightnessOf(expr.expr);
  if (expr.kind === 'negative') return SIGN;
  if (expr.kind === 'operation') return expr.op === 'min_of' || expr.op === 'max_of' ? OPERAND : TIGHTNESS[expr.op];
  return expr.kind === 'seconds' && printDurationExpr(expr).startsWith('-') ? SIGN : OPERAND;
}

function isOneOperand(expr: DurationExpr): boolean {
  if (expr.kind === 'positive' || expr.kind === 'negative') return tightnessOf(expr.expr) === OPERAND;
  return expr.kind === 'seconds' || tightnessOf(expr) === OPERAND;
}
