import { formatShort } from '../base/numbers.ts';
import { LABEL_NAME, METRIC_NAME } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { SET_OPS } from './ast.ts';
import type {
  Aggregate,
  Binary,
  Expr,
  MatrixSelector,
  Subquery,
  Unary,
  VectorMatching,
  VectorSelector,
} from './ast.ts';
import { formatDecimal } from './decimal.ts';
import { durationMs, durationSeconds, printDuration } from './duration.ts';
import { quoteString } from './literal.ts';
import { NOT_LABEL_NAME, NOT_METRIC_NAMES } from './parse-selector.ts';
import { POSTFIX_PRECEDENCE, PRECEDENCE, UNARY_PRECEDENCE } from './precedence.ts';
import { printDurationExpr, printOffsetExpr, printSeconds } from './print-duration.ts';

/** How a selector's name and matchers are written; its time is written the same everywhere. */
export type PrintSelector = (selector: VectorSelector) => string;

/**
 * The tree as PromQL, on one line. It parses back to the same tree, apart from spans and `paren` nodes: parentheses
 * stand where the tree has them and where precedence needs them. Matchers and labels keep their order.
 */
export function printExpr(expr: Expr, selector: PrintSelector = printSelector): string {
  switch (expr.kind) {
    case 'number':
      return printSeconds(expr.value, expr.isDuration === true);
    case 'string':
      return quoteString(expr.value);
    case 'vector':
      return selector(expr) + printAt(expr) + printExtended(expr) + printOffset(expr);
    case 'matrix':
      return printMatrix(expr, selector);
    case 'subquery':
      return printOperand(expr.expr, POSTFIX_PRECEDENCE, selector) + printSubqueryTime(expr);
    case 'call':
      return `${expr.func}(${expr.args.map((arg, index) => printArgument(expr.func, arg, index, selector)).join(', ')})`;
    case 'unary':
      return printUnary(expr, selector);
    case 'binary':
      return printBinary(expr, selector);
    case 'aggregate': {
      const args = expr.param === undefined ? [expr.expr] : [expr.param, expr.expr];
      return `${printAggregateHead(expr)}(${args.map((arg) => printExpr(arg, selector)).join(', ')})`;
    }
    case 'paren':
      return `(${printExpr(expr.expr, selector)})`;
    case 'once':
      return printExpr(expr.expr, selector);
    case 'merged':
      return printExpr(expr.of, selector);
  }
}

/** `sum by (a) `: what stands before the parenthesis. */
export function printAggregateHead({ op, without, grouping }: Aggregate): string {
  return op + (without || grouping.length > 0 ? ` ${without ? 'without' : 'by'} (${printLabels(grouping)}) ` : '');
}

/** The operator with its modifiers. */
export function printOperator({ op, returnBool, matching }: Binary): string {
  return op + (returnBool ? ' bool' : '') + (matching === undefined ? '' : printMatching(op, matching));
}

/** `[5m:1m] @ 1.000 offset 5m`: what stands after the expression of a subquery. */
export function printSubqueryTime(expr: Subquery): string {
  const { rangeExpr, stepMs, stepExpr } = expr;
  const range = rangeExpr === undefined ? printPositive(expr.rangeMs) : printDurationExpr(rangeExpr);
  const fixed = stepMs === undefined ? '' : printPositive(stepMs);
  const step = stepExpr === undefined ? fixed : printDurationExpr(stepExpr);
  return `[${range}:${step}]${printAt(expr)}${printOffset(expr)}`;
}

/** The second argument of `info` takes no name before its braces. */
function printArgument(func: string, arg: Expr, index: number, selector: PrintSelector): string {
  return printExpr(arg, func === 'info' && index === 1 && selector === printSelector ? printInBraces : selector);
}

/** Matchers in braces, a name among them. */
export function printInBraces({ matchers }: Pick<VectorSelector, 'matchers'>): string {
  return `{${matchers.map(printMatcher).join(',')}}`;
}

/** One matcher as it stands inside braces. */
export function printMatcher({ name, op, value }: Matcher): string {
  const printedName = LABEL_NAME.test(name) ? name : quoteString(name);
  return `${printedName}${op}${quoteString(value)}`;
}

const LEGACY_METRIC_NAME = /^[A-Za-z_:][\w:]*$/;
/** The lexer reads these as numbers wherever a name could stand outside braces. */
const NUMBER_WORDS: ReadonlySet<string> = new Set(['inf', 'nan']);

function printOperand(expr: Expr, tightness: number, selector: PrintSelector): string {
  const text = printExpr(expr, selector);
  return precedenceOf(expr) < tightness ? `(${text})` : text;
}

function precedenceOf(expr: Expr): number {
  if (expr.kind === 'binary') return PRECEDENCE[expr.op];
  if (expr.kind === 'unary') return UNARY_PRECEDENCE;
  if (expr.kind === 'merged') return precedenceOf(expr.of);
  if (expr.kind === 'once') return precedenceOf(expr.expr);
  const signed = expr.kind === 'number' && /^[+-]/.test(printExpr(expr));
  return signed ? UNARY_PRECEDENCE : POSTFIX_PRECEDENCE;
}

function printUnary({ op, expr }: Unary, selector: PrintSelector): string {
  // A sign before a bare number would become part of the number.
  if (isNumber(expr)) return `${op}(${printExpr(expr, selector)})`;
  return op + printOperand(expr, UNARY_PRECEDENCE, selector);
}

function isNumber(expr: Expr): boolean {
  if (expr.kind === 'merged') return isNumber(expr.of);
  return expr.kind === 'once' ? isNumber(expr.expr) : expr.kind === 'number';
}

function printBinary(expr: Binary, selector: PrintSelector): string {
  const { op, left, right } = expr;
  const precedence = PRECEDENCE[op];
  const rightAssociative = op === '^';
  let leftText = printOperand(left, rightAssociative ? precedence + 1 : precedence, selector);
  if (takesOperator(expr) && precedenceOf(left) >= precedence) leftText = `(${leftText})`;
  // A sign after an operator is read as a sign whatever the operator, so it needs no parentheses there.
  const signed = precedenceOf(right) === UNARY_PRECEDENCE;
  const tightness = rightAssociative ? precedence : precedence + 1;
  const rightText = signed ? printExpr(right, selector) : printOperand(right, tightness, selector);
  return `${leftText} ${printOperator(expr)} ${rightText}`;
}

/** Whether the left side, without parentheses, would take the operator for a part of the offset that it ends with. */
export function takesOperator({ op, left }: Binary): boolean {
  return DURATION_OPS.has(op) && endsOpen(left);
}

const DURATION_OPS: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '^']);

/** Whether the text of an expression ends with an offset that an operator would continue. */
function endsOpen(expr: Expr): boolean {
  switch (expr.kind) {
    case 'matrix':
      return endsOpen(expr.selector);
    case 'vector':
    case 'subquery':
      return expr.offsetExpr !== undefined && printOffsetExpr(expr.offsetExpr).isOpen;
    case 'unary':
    case 'once':
      return endsOpen(expr.expr);
    case 'binary':
      return endsOpen(expr.right);
    case 'merged':
      return endsOpen(expr.of);
    default:
      return false;
  }
}

function printMatching(op: Binary['op'], { card, on, labels, include, fill }: VectorMatching): string {
  const grouped = card === 'many-to-one' || card === 'one-to-many';
  const isPlain = !on && labels.length === 0 && (!grouped || SET_OPS.has(op));
  let text = isPlain ? '' : ` ${on ? 'on' : 'ignoring'} (${printLabels(labels)})`;
  if (grouped && !isPlain)
    text += ` ${card === 'many-to-one' ? 'group_left' : 'group_right'} (${printLabels(include)})`;
  return text + printFill(fill);
}

function printFill(fill: VectorMatching['fill']): string {
  if (fill === undefined) return '';
  const { left, right } = fill;
  if (left !== undefined && left === right) return ` fill (${formatShort(left)})`;
  const leftText = left === undefined ? '' : ` fill_left (${formatShort(left)})`;
  return right === undefined ? leftText : `${leftText} fill_right (${formatShort(right)})`;
}

const NOT_LABELS: ReadonlySet<string> = new Set([...NUMBER_WORDS, NOT_LABEL_NAME]);

function printLabels(labels: readonly string[]): string {
  const isBare = (label: string) => LABEL_NAME.test(label) && !NOT_LABELS.has(label.toLowerCase());
  return labels.map((label) => (isBare(label) ? label : quoteString(label))).join(', ');
}

/** The name before the braces where it can stand there. */
function printSelector({ matchers }: VectorSelector): string {
  const [first, ...others] = matchers;
  // A name outside the braces, or as a lone string inside, may be given only once and stands first.
  const named = first !== undefined && isName(first) && !others.some(({ name }) => name === METRIC_NAME);
  if (!named) return printInBraces({ matchers });
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

function printMatrix({ selector, rangeMs, rangeExpr }: MatrixSelector, print: PrintSelector): string {
  const range = rangeExpr === undefined ? printPositive(rangeMs) : printDurationExpr(rangeExpr);
  return `${print(selector)}[${range}]${printExtended(selector)}${printAt(selector)}${printOffset(selector)}`;
}

/** A duration that must not be 0: less than a millisecond, which counts as none, is written as seconds. */
function printPositive(ms: number): string {
  return ms === 0 ? '0.0001' : printMs(ms);
}

/** Of long times not every millisecond comes back from seconds as a float; half a millisecond more makes sure of it. */
function printMs(ms: number): string {
  if (durationMs(durationSeconds(ms)) === ms) return printDuration(ms);
  return formatDecimal(((Math.abs(ms) + 0.5) / 1000) * Math.sign(ms));
}

function printAt({ at }: VectorSelector | Subquery): string {
  if (at === undefined) return '';
  return ` @ ${at.kind === 'time' ? printTimestamp(at.ms) : `${at.kind}()`}`;
}

function printExtended({ extended }: VectorSelector): string {
  return extended === undefined ? '' : ` ${extended}`;
}

function printOffset({ offsetMs, offsetExpr }: VectorSelector | Subquery): string {
  if (offsetExpr !== undefined) return ` offset ${printOffsetExpr(offsetExpr).text}`;
  return offsetMs === 0 ? '' : ` offset ${printMs(offsetMs)}`;
}

/** Seconds with three digits after the point. */
function printTimestamp(ms: number): string {
  const digits = String(Math.abs(ms)).padStart(4, '0');
  return `${ms < 0 ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`;
}
