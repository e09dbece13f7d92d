import { METRIC_NAME } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { SET_OPS } from './ast.ts';
import type { Aggregate, Binary, Expr, NumberLiteral, Subquery, Unary, VectorMatching, VectorSelector } from './ast.ts';
import { durationSeconds, printDuration } from './duration.ts';
import { quoteString } from './literal.ts';
import { NOT_METRIC_NAMES } from './parse-selector.ts';
import { POSTFIX_PRECEDENCE, PRECEDENCE, UNARY_PRECEDENCE } from './precedence.ts';

/**
 * The tree as PromQL, on one line. It parses back to the same tree, apart from spans and `paren` nodes: parentheses
 * stand where the tree has them and where precedence needs them. Matchers and labels keep their order.
 */
export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return printNumber(expr);
    case 'string':
      return quoteString(expr.value);
    case 'vector':
      return printSelector(expr) + printTime(expr);
    case 'matrix':
      return `${printSelector(expr.selector)}[${printDuration(expr.rangeMs)}]${printTime(expr.selector)}`;
    case 'subquery': {
      const step = expr.stepMs === undefined ? '' : printDuration(expr.stepMs);
      return `${printOperand(expr.expr, POSTFIX_PRECEDENCE)}[${printDuration(expr.rangeMs)}:${step}]${printTime(expr)}`;
    }
    case 'call':
      return `${expr.func}(${expr.args.map(printExpr).join(', ')})`;
    case 'unary':
      return printUnary(expr);
    case 'binary':
      return printBinary(expr);
    case 'aggregate':
      return printAggregate(expr);
    case 'paren':
      return `(${printExpr(expr.expr)})`;
    case 'merged':
      return printExpr(expr.of);
  }
}

/** One matcher as it stands inside braces. */
function printMatcher({ name, op, value }: Matcher): string {
  const printedName = LABEL_NAME.test(name) ? name : quoteString(name);
  return `${printedName}${op}${quoteString(value)}`;
}

const LABEL_NAME = /^[A-Za-z_]\w*$/;
const LEGACY_METRIC_NAME = /^[A-Za-z_:][\w:]*$/;
/** The lexer reads these as numbers wherever a name could stand outside braces. */
const NUMBER_WORDS: ReadonlySet<string> = new Set(['inf', 'nan']);

function printOperand(expr: Expr, tightness: number): string {
  const text = printExpr(expr);
  return precedenceOf(expr) < tightness ? `(${text})` : text;
}

function precedenceOf(expr: Expr): number {
  if (expr.kind === 'binary') return PRECEDENCE[expr.op];
  if (expr.kind === 'unary') return UNARY_PRECEDENCE;
  if (expr.kind === 'merged') return precedenceOf(expr.of);
  const signed = expr.kind === 'number' && /^[+-]/.test(printNumber(expr));
  return signed ? UNARY_PRECEDENCE : POSTFIX_PRECEDENCE;
}

function printNumber({ value, isDuration }: NumberLiteral): string {
  if (Object.is(value, -0)) return isDuration ? '-0s' : '-0';
  const ms = Math.round(value * 1000);
  // Only what a duration can say exactly is printed as one.
  if (isDuration && durationSeconds(ms) === value) return printDuration(ms);
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

function printUnary({ op, expr }: Unary): string {
  // A sign before a bare number would become part of the number.
  const isNumber = expr.kind === 'number' || (expr.kind === 'merged' && expr.of.kind === 'number');
  return op + (isNumber ? `(${printExpr(expr)})` : printOperand(expr, UNARY_PRECEDENCE));
}

function printBinary({ op, left, right, returnBool, matching }: Binary): string {
  const precedence = PRECEDENCE[op];
  const rightAssociative = op === '^';
  const leftText = printOperand(left, rightAssociative ? precedence + 1 : precedence);
  // A sign after an operator is read as a sign whatever the operator, so it needs no parentheses there.
  const signed = precedenceOf(right) === UNARY_PRECEDENCE;
  const rightText = signed ? printExpr(right) : printOperand(right, rightAssociative ? precedence : precedence + 1);
  const modifiers = (returnBool ? ' bool' : '') + (matching === undefined ? '' : printMatching(op, matching));
  return `${leftText} ${op}${modifiers} ${rightText}`;
}

function printMatching(op: Binary['op'], { card, on, labels, include }: VectorMatching): string {
  const grouped = card === 'many-to-one' || card === 'one-to-many';
  if (!on && labels.length === 0 && (!grouped || SET_OPS.has(op))) return '';
  const sides = ` ${on ? 'on' : 'ignoring'} (${printLabels(labels)})`;
  if (!grouped) return sides;
  return `${sides} ${card === 'many-to-one' ? 'group_left' : 'group_right'} (${printLabels(include)})`;
}

function printAggregate({ op, expr, param, without, grouping }: Aggregate): string {
  const by = without || grouping.length > 0 ? ` ${without ? 'without' : 'by'} (${printLabels(grouping)}) ` : '';
  const args = param === undefined ? printExpr(expr) : `${printExpr(param)}, ${printExpr(expr)}`;
  return `${op}${by}(${args})`;
}

function printLabels(labels: readonly string[]): string {
  const isBare = (label: string) => LABEL_NAME.test(label) && !NUMBER_WORDS.has(label.toLowerCase());
  return labels.map((label) => (isBare(label) ? label : quoteString(label))).join(', ');
}

/** The name and the matchers without the time. */
function printSelector({ matchers }: VectorSelector): string {
  const [first, ...others] = matchers;
  // A name outside the braces, or as a lone string inside, may be given only once and stands first.
  const named = first !== undefined && isName(first) && !others.some(({ name }) => name === METRIC_NAME);
  if (!named) return `{${matchers.map(printMatcher).join(',')}}`;
  if (!isBareMetricName(first.value)) return `{${[quoteString(first.value), ...others.map(printMatcher)].join(',')}}`;
  return others.length === 0 ? first.value : `${first.value}{${others.map(printMatcher).join(',')}}`;
}

function isName({ name, op, value }: Matcher): boolean {
  return name === METRIC_NAME && op === '=' && value !== '';
}

function isBareMetricName(name: string): boolean {
  const word = name.toLowerCase();
  return LEGACY_METRIC_NAME.test(name) && !NOT_METRIC_NAMES.has(word) && !NUMBER_WORDS.has(word);
}

function printTime({ at, offsetMs }: VectorSelector | Subquery): string {
  const offset = offsetMs === 0 ? '' : ` offset ${printDuration(offsetMs)}`;
  if (at === undefined) return offset;
  return ` @ ${at.kind === 'time' ? printSeconds(at.ms) : `${at.kind}()`}${offset}`;
}

/** Seconds with three digits after the point. */
function printSeconds(ms: number): string {
  const digits = String(Math.abs(ms)).padStart(4, '0');
  return `${ms < 0 ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`;
}
