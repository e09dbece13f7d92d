import { numberValue } from '../promql/literal.ts';
import type { Scanner } from './scanner.ts';
import { failAt, placed } from './script-line.ts';

const SIGN = /[+-]/y;
/** Underscores stand between digits only. */
const NUMBER = /(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+)?|(?:inf|nan)(?!\w)/iy;
const INTEGER = /-?\d+/y;

/** A number with or without a sign. Throws `ScriptError`, saying that `what` was expected. */
export function numberAt(scan: Scanner, what: string): number {
  const sign = scan.take(SIGN);
  const start = scan.at;
  const token = scan.take(NUMBER) ?? scan.expected(what);
  const value = placed(scan.line, start, () => numberValue(token));
  return sign === '-' ? -value : value;
}

/** An integer of 32 bits. */
export function integerAt(scan: Scanner): number {
  const start = scan.at;
  const value = Number(scan.take(INTEGER) ?? scan.expected('an integer'));
  return Math.abs(value) < 2 ** 31 ? value : failAt(scan.line, start, 'an integer of more than 32 bits');
}
