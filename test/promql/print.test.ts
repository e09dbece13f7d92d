import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DurationExpr, Expr, VectorSelector } from '../../src/promql/ast.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';
import { exprs } from './arbitrary.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 20_260_101);

/** The tree without what printing does not keep: spans and parentheses. */
function bare(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(bare);
  if (typeof node !== 'object' || node === null) return node;
  if ('kind' in node && node.kind === 'paren' && 'expr' in node) return bare(node.expr);
  const entries = Object.entries(node).filter(([key]) => key !== 'span');
  return Object.fromEntries(entries.map(([key, value]) => [key, bare(value)]));
}

test(`a printed tree parses back to itself, seed ${SEED}`, { timeout: 60_000 }, () => {
  const roundTrip = (expr: Expr): void => {
    expect(bare(parseExpr(printExpr(expr), ALL_FEATURES))).toStrictEqual(bare(expr));
  };
  fc.assert(fc.property(exprs(), roundTrip), { seed: SEED, numRuns: 1500 });
});

const span = { start: 0, end: 0 };
const up: Expr = { kind: 'vector', matchers: [{ name: '__name__', op: '=', value: 'up' }], offsetMs: 0, span };
const one: Expr = { kind: 'number', value: 1, span };

const second: DurationExpr = { kind: 'seconds', value: 1, isDuration: false, span };

function later(offsetExpr?: DurationExpr): VectorSelector {
  const matchers = [{ name: '__name__', op: '=', value: 'up' }] as const;
  return { kind: 'vector', matchers, offsetMs: 0, ...(offsetExpr && { offsetExpr }), span };
}

function minus(expr: Expr): Expr {
  return { kind: 'unary', op: '-', expr, span };
}

function join(left: Expr, op: '^' | '*' | '+' | '-', right: Expr): Expr {
  return { kind: 'binary', op, left, right, returnBool: false, span };
}

test.for<[string, Expr]>([
  ['-(1)', minus(one)],
  ['--up', minus(minus(up))],
  ['(-up) ^ 1', join(minus(up), '^', one)],
  ['1 ^ -up', join(one, '^', minus(up))],
  ['-up ^ 1', minus(join(up, '^', one))],
  ['-up * 1', join(minus(up), '*', one)],
  ['-(up * 1)', minus(join(up, '*', one))],
  ['(-1) ^ 1', join({ kind: 'number', value: -1, span }, '^', one)],
  ['(1 + up) * 1', join(join(one, '+', up), '*', one)],
  ['1 - (up - 1)', join(one, '-', join(up, '-', one))],
  ['1 - up - 1', join(join(one, '-', up), '-', one)],
  ['1 ^ up ^ 1', join(one, '^', join(up, '^', one))],
  ['(1 ^ up) ^ 1', join(join(one, '^', up), '^', one)],
  ['(up + 1)[5m:]', { kind: 'subquery', expr: join(up, '+', one), rangeMs: 300_000, offsetMs: 0, span }],
  ['1 + (up * 1)', join(one, '+', { kind: 'paren', expr: join(up, '*', one), span })],
  ['(1 + up) * 1', join({ kind: 'once', expr: join(one, '+', up), span }, '*', one)],
  ['-(1)', minus({ kind: 'once', expr: one, span })],
  ['(up offset (1)) + 1', join(later({ kind: 'paren', expr: second, span }), '+', one)],
  ['(-up offset (1)) + 1', join(minus(later({ kind: 'paren', expr: second, span })), '+', one)],
  ['up offset step() + 1', join(later({ kind: 'step', span }), '+', one)],
  ['up offset (step() ^ 1)', later({ kind: 'operation', op: '^', left: { kind: 'step', span }, right: second, span })],
  ['up[0.0001]', { kind: 'matrix', selector: later(), rangeMs: 0, span }],
  ['up[9223372036.8545]', { kind: 'matrix', selector: later(), rangeMs: 9_223_372_036_854, span }],
  ['info(up, {__name__="up"})', { kind: 'call', func: 'info', args: [up, up], span }],
  ['"a\\xc5z\\ufffd\\x00\\u00a0é"', { kind: 'string', value: 'a\udcc5z\ud800\0\u00a0é', span }],
  ['up * 1', { kind: 'merged', index: 0, of: join(up, '*', one), span }],
  ['1 ^ (up * 1)', join(one, '^', { kind: 'merged', index: 0, of: join(up, '*', one), span })],
])('prints %s', ([want, expr]) => {
  expect(printExpr(expr)).toBe(want);
});
