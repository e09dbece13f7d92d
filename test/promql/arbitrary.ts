import fc from 'fast-check';
import { METRIC_NAME } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import {
  COMPARISON_OPS,
  SET_OPS,
  type AtModifier,
  type BinaryOp,
  type DurationExpr,
  type Expr,
  type ValueType,
  type VectorMatching,
  type VectorSelector,
} from '../../src/promql/ast.ts';
import { durationSeconds } from '../../src/promql/duration.ts';
import { AGGREGATES, FUNCTIONS } from '../../src/promql/functions.ts';
import { PRECEDENCE } from '../../src/promql/precedence.ts';

/** Well-typed trees of any type, without `paren` nodes, as a planner makes them. */
export function exprs(): fc.Arbitrary<Expr> {
  return fc.oneof(ofType('vector', 4), ofType('scalar', 4), ofType('matrix', 3), ofType('string', 0));
}

const span = { start: 0, end: 0 };
/** Names that need quotes or that the lexer knows as words. */
const NAMES = [
  'up',
  'job:x:rate5m',
  ':',
  'sum',
  'by',
  'offset',
  'on',
  'bool',
  'Inf',
  'nan',
  'fill',
  'start',
  'atan2',
  'or',
  'without',
  'step',
  'anchored',
];
const OPS = Object.keys(PRECEDENCE) as BinaryOp[];

const text = fc.string({ unit: 'grapheme', maxLength: 6 });
const metricName = fc.oneof(fc.constantFrom(...NAMES), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }));
const labelName = fc.oneof(fc.constantFrom('a', 'le', 'by', 'inf', 'on', 'without', 'x.y', METRIC_NAME), metricName);
const labelNames = fc.array(labelName, { maxLength: 3 });
const ms = fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 10 ** 12 }));
const offsetMs = fc.oneof(
  fc.constant(0),
  ms,
  ms.map((value) => -value),
);
/** Computed durations as the parser makes them: no sign before a literal or another plus sign. */
const { computed } = fc.letrec<{ computed: DurationExpr; part: DurationExpr }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 3 },
    fc
      .integer({ min: -5, max: 99 })
      .filter((value) => value !== 0)
      .map((value) => ({ kind: 'seconds' as const, value, isDuration: false, span })),
    ms.map((value) => ({ kind: 'seconds' as const, value: durationSeconds(value), isDuration: true, span })),
    tie('computed'),
  ),
  computed: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<DurationExpr>({ kind: 'step', span }, { kind: 'range', span }),
    tie('part').map((expr) => ({ kind: 'paren' as const, expr, span })),
    tie('computed').map((expr) => ({ kind: 'negative' as const, expr, span })),
    fc.record({
      kind: fc.constant('operation' as const),
      op: fc.constantFrom(...(['+', '-', '*', '/', '%', '^', 'min_of', 'max_of'] as const)),
      left: tie('part'),
      right: tie('part'),
      span: fc.constant(span),
    }),
  ),
}));

const at: fc.Arbitrary<AtModifier> = fc.oneof(
  fc.constantFrom<AtModifier>({ kind: 'start' }, { kind: 'end' }),
  fc.integer({ min: -(10 ** 12), max: 10 ** 13 }).map((time) => ({ kind: 'time' as const, ms: time })),
);

const times: fc.Arbitrary<Pick<VectorSelector, 'offsetMs' | 'offsetExpr' | 'at'>> = fc
  .record({
    offset: fc.oneof(
      offsetMs.map((value) => ({ offsetMs: value })),
      computed.map((offsetExpr) => ({ offsetMs: 0, offsetExpr })),
    ),
    time: fc.option(at, { nil: undefined }),
  })
  .map(({ offset, time }) => ({ ...offset, ...(time && { at: time }) }));

const matcher: fc.Arbitrary<Matcher> = fc.oneof(
  fc.record({ name: labelName, op: fc.constantFrom('=' as const, '!=' as const), value: text }),
  fc.record({
    name: labelName,
    op: fc.constantFrom('=~' as const, '!~' as const),
    value: fc.constantFrom('a|b', '.*', '\\d+"', '', '(?i)x', "[`']"),
  }),
);

const vector: fc.Arbitrary<VectorSelector> = fc
  .record({
    name: fc.option(metricName, { nil: undefined }),
    others: fc.array(matcher, { maxLength: 3 }),
    time: times,
    extended: fc.option(fc.constantFrom('anchored' as const, 'smoothed' as const), { nil: undefined, freq: 2 }),
  })
  .map(({ name, others, time, extended }) => {
    const first: Matcher =
      name === undefined ? { name: 'a', op: '!=', value: '' } : { name: METRIC_NAME, op: '=', value: name };
    return { kind: 'vector', matchers: [first, ...others], ...time, ...(extended && { extended }), span };
  });

function ofType(type: ValueType, depth: number): fc.Arbitrary<Expr> {
  switch (type) {
    case 'string':
      return text.map((value) => ({ kind: 'string', value, span }));
    case 'matrix':
      return matrices(depth);
    case 'scalar':
      return depth <= 0
        ? numbers
        : fc.oneof(numbers, unaries('scalar', depth), binaries('scalar', depth), calls('scalar', depth));
    case 'vector':
      return depth <= 0
        ? vector
        : fc.oneof(
            vector,
            unaries('vector', depth),
            binaries('vector', depth),
            calls('vector', depth),
            aggregates(depth),
          );
  }
}

const numbers: fc.Arbitrary<Expr> = fc.oneof(
  fc.double().map((value) => ({ kind: 'number' as const, value, span })),
  fc.integer({ min: -99, max: 99 }).map((value) => ({ kind: 'number' as const, value, span })),
  offsetMs.map((value) => ({ kind: 'number' as const, value: durationSeconds(value), isDuration: true, span })),
);

function matrices(depth: number): fc.Arbitrary<Expr> {
  const selector = fc
    .record({
      selector: vector,
      range: fc.oneof(
        ms.map((rangeMs) => ({ rangeMs })),
        computed.map((rangeExpr) => ({ rangeMs: 0, rangeExpr })),
      ),
    })
    .map(({ selector: inner, range }) => ({ kind: 'matrix' as const, selector: inner, ...range, span }));
  if (depth <= 0) return selector;
  const subquery = fc
    .record({
      expr: ofType('vector', depth - 1),
      range: fc.oneof(
        ms.map((rangeMs) => ({ rangeMs })),
        // A colon stands only after a number.
        computed.map((right) => ({ rangeMs: 0, rangeExpr: plusOne(right) })),
      ),
      step: fc.oneof(
        fc.constant({}),
        ms.map((stepMs) => ({ stepMs })),
        computed.map((stepExpr) => ({ stepExpr })),
      ),
      time: times,
    })
    .map(({ expr, range, step, time }): Expr => ({ kind: 'subquery', expr, ...range, ...step, ...time, span }));
  return fc.oneof(selector, subquery);
}

function plusOne(right: DurationExpr): DurationExpr {
  return { kind: 'operation', op: 'min_of', left: { kind: 'seconds', value: 1, isDuration: false, span }, right, span };
}

function unaries(type: ValueType, depth: number): fc.Arbitrary<Expr> {
  return fc
    .record({ op: fc.constantFrom('+' as const, '-' as const), expr: ofType(type, depth - 1) })
    .map((fields) => ({ kind: 'unary', ...fields, span }));
}

function binaries(type: 'scalar' | 'vector', depth: number): fc.Arbitrary<Expr> {
  const sides: readonly (readonly [ValueType, ValueType])[] =
    type === 'scalar'
      ? [['scalar', 'scalar']]
      : [
          ['vector', 'vector'],
          ['vector', 'scalar'],
          ['scalar', 'vector'],
        ];
  return fc.constantFrom(...sides).chain(([leftType, rightType]) => {
    const betweenVectors = leftType === 'vector' && rightType === 'vector';
    const ops = betweenVectors ? OPS : OPS.filter((op) => !SET_OPS.has(op));
    return fc
      .record({
        op: fc.constantFrom(...ops),
        left: ofType(leftType, depth - 1),
        right: ofType(rightType, depth - 1),
        bool: fc.boolean(),
        matching: matchings,
      })
      .map(({ op, left, right, bool, matching }): Expr => {
        const returnBool = COMPARISON_OPS.has(op) && (bool || type === 'scalar');
        const binary = { kind: 'binary', op, left, right, returnBool, span } as const;
        if (!betweenVectors) return binary;
        return SET_OPS.has(op)
          ? { ...binary, matching: { card: 'many-to-many', on: matching.on, labels: matching.labels, include: [] } }
          : { ...binary, matching };
      });
  });
}

const matchings: fc.Arbitrary<VectorMatching> = fc
  .record({
    card: fc.constantFrom('one-to-one' as const, 'many-to-one' as const, 'one-to-many' as const),
    on: fc.boolean(),
    labels: labelNames,
    include: labelNames,
    fill: fc.option(fc.record({ left: fc.double(), right: fc.double() }, { requiredKeys: ['left'] }), {
      nil: undefined,
    }),
  })
  .map(({ card, on, labels, include, fill }) => ({
    card,
    on,
    labels,
    include: card === 'one-to-one' ? [] : include.filter((label) => !labels.includes(label)),
    ...(fill && { fill }),
  }));

function calls(type: ValueType, depth: number): fc.Arbitrary<Expr> {
  const names = [...FUNCTIONS].filter(([, { returns }]) => returns === type);
  return fc
    .record({ named: fc.constantFrom(...names), extra: fc.integer({ min: -1, max: 2 }) })
    .chain(({ named, extra }) => {
      const [func, { args, variadic }] = named;
      const last = args.at(-1);
      const count = variadic === 0 || last === undefined ? 0 : variadic > 0 ? Math.min(extra, variadic - 1) : extra;
      const types = count < 0 ? args.slice(0, -1) : [...args, ...Array.from({ length: count }, () => last ?? 'string')];
      return fc
        .tuple(...types.map((arg, index) => (func === 'info' && index === 1 ? vector : ofType(arg, depth - 1))))
        .map((given): Expr => ({ kind: 'call', func, args: given, span }));
    });
}

function aggregates(depth: number): fc.Arbitrary<Expr> {
  return fc.constantFrom(...AGGREGATES.values()).chain(({ op, param }) =>
    fc
      .record({
        expr: ofType('vector', depth - 1),
        param: param === undefined ? fc.constant(undefined) : ofType(param, depth - 1),
        without: fc.boolean(),
        grouping: labelNames,
      })
      .map(({ param: given, ...fields }): Expr => ({
        kind: 'aggregate',
        op,
        ...fields,
        ...(given && { param: given }),
        span,
      })),
  );
}
