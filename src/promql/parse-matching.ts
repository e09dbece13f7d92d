import type { VectorMatching } from './ast.ts';
import { accept, at, expect, fail, peek, unexpected, type Cursor } from './cursor.ts';
import { secondsOf } from './parse-duration.ts';
import { parseLabelNames } from './parse-selector.ts';

/** What stood between an operator and its right side, whatever the operator. */
export interface WrittenMatching {
  readonly returnBool: boolean;
  readonly group: 'group_left' | 'group_right' | undefined;
  readonly on: boolean;
  readonly labels: readonly string[];
  readonly include: readonly string[];
  readonly fill: VectorMatching['fill'];
}

/** Reads `bool`, then `on` or `ignoring` with `group_left` or `group_right`, then the modifiers that fill in. */
export function parseMatching(cursor: Cursor): WrittenMatching {
  const returnBool = accept(cursor, 'keyword', 'bool') !== undefined;
  const side = accept(cursor, 'keyword', 'on') ?? accept(cursor, 'keyword', 'ignoring');
  const labels = side === undefined ? [] : parseLabelNames(cursor);
  const group =
    side === undefined
      ? undefined
      : (accept(cursor, 'keyword', 'group_left') ?? accept(cursor, 'keyword', 'group_right'));
  const include = group !== undefined && at(cursor, '(') ? parseLabelNames(cursor) : [];
  return {
    returnBool,
    group: group === undefined ? undefined : group.word === 'group_left' ? 'group_left' : 'group_right',
    on: side?.word === 'on',
    labels,
    include,
    fill: parseFill(cursor),
  };
}

/** `fill (0)` for both sides, or `fill_left` and `fill_right`, each at most once and in any order. */
function parseFill(cursor: Cursor): VectorMatching['fill'] {
  const first = peek(cursor);
  if (accept(cursor, 'keyword', 'fill') !== undefined) {
    assertEnabled(cursor, first.span);
    const value = parseFillValue(cursor);
    return { left: value, right: value };
  }
  const values: { left?: number; right?: number } = {};
  for (;;) {
    const { span } = peek(cursor);
    if (values.left === undefined && accept(cursor, 'keyword', 'fill_left') !== undefined) {
      assertEnabled(cursor, span);
      values.left = parseFillValue(cursor);
    } else if (values.right === undefined && accept(cursor, 'keyword', 'fill_right') !== undefined) {
      assertEnabled(cursor, span);
      values.right = parseFillValue(cursor);
    } else return values.left === undefined && values.right === undefined ? undefined : values;
  }
}

function assertEnabled(cursor: Cursor, span: { readonly start: number; readonly end: number }): void {
  if (cursor.features.fillModifiers) return;
  const hint = 'the feature promql-binop-fill-modifiers enables them';
  fail(cursor, span, `binop fill modifiers are experimental and not enabled; ${hint}`);
}

function parseFillValue(cursor: Cursor): number {
  expect(cursor, '(', 'fill modifier', '"("');
  const sign = accept(cursor, '-') ?? accept(cursor, '+');
  const token = accept(cursor, 'number') ?? accept(cursor, 'duration');
  if (token === undefined) unexpected(cursor, 'fill modifier', 'number');
  const value = secondsOf(cursor, token);
  expect(cursor, ')', 'fill modifier', '")"');
  return sign?.type === '-' ? -value : value;
}
