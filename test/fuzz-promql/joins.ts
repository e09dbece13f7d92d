import { literal, paren, type Binary, type Matching, type Node } from './grammar.ts';
import { instantSelector } from './selectors.ts';
import { isSpread, pickLabels, targetLabels, type Scope, type Wanted } from './scope.ts';

export const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '>', '<', '>=', '<=']);
export const SETS: ReadonlySet<string> = new Set(['and', 'or', 'unless']);
const TRIMS: ReadonlySet<string> = new Set(['</', '>/']);

/** Modifiers of vector matching that a run counts. */
export type MatchingForm =
  | 'on'
  | 'ignoring'
  | 'group_left'
  | 'group_right'
  | 'fill'
  | 'fill_left'
  | 'fill_right'
  | 'bool';

/** A binary operation between operands that fit: vectors that have partners, histograms where it takes them. */
export function makeBinary(scope: Scope, op: string, depth: number, wanted: Wanted = 'any'): Node {
  const { random } = scope;
  if (SETS.has(op)) return makeSet(scope, op, depth, wanted);
  if (TRIMS.has(op)) return { kind: 'binary', op, left: scope.vector('histogram', depth - 1), right: bound(scope) };
  const histograms = wanted === 'histogram' || (wanted === 'any' && random.chance(0.2));
  if (histograms) return ofHistograms(scope, op, depth);
  return random.weighted<() => Node>([
    [4, () => withScalar(scope, op, depth)],
    [6, () => ofVectors(scope, op, depth)],
    [1.5, () => grouped(scope, op, random.chance(0.7) ? 'group_left' : 'group_right', depth)],
    [0.5, () => scalars(scope, op, depth)],
  ])();
}

/** A binary operation with this modifier. */
export function makeMatching(scope: Scope, form: MatchingForm, depth: number): Node {
  const { random } = scope;
  const op = random.pick(['+', '-', '*', '/', '>', '<=', '==']);
  switch (form) {
    case 'bool':
      return withBool(
        random.chance(0.5)
          ? withScalar(scope, anyComparison(scope), depth)
          : ofVectors(scope, anyComparison(scope), depth),
      );
    case 'on':
      return between(scope, op, depth, { on: true, labels: targetLabels(scope) });
    case 'ignoring':
      return between(scope, op, depth, { on: false, labels: random.pick([['nothing'], ['code'], ['läbel.x', 'on']]) });
    case 'group_left':
    case 'group_right':
      return grouped(scope, op, form, depth);
    case 'fill':
    case 'fill_left':
    case 'fill_right':
      return filled(scope, op, form, depth);
  }
}

/** Lists of labels with the domain label, where it tells anything. */
function byDomain(scope: Scope): readonly (readonly string[])[] {
  return isSpread(scope) ? [['domain'], ['domain', 'job']] : [];
}

/** A sign before a vector. */
export function makeUnary(scope: Scope, wanted: Wanted, depth: number): Node {
  return { kind: 'unary', op: scope.random.pick(['-', '-', '-', '+']), expr: scope.vector(wanted, depth - 1) };
}

function anyComparison({ random }: Scope): string {
  return random.pick([...COMPARISONS]);
}

function withBool(node: Node): Node {
  return node.kind === 'binary' && COMPARISONS.has(node.op) ? { ...node, bool: true } : node;
}

function maybeBool(scope: Scope, node: Binary): Binary {
  const isComparison = COMPARISONS.has(node.op);
  return isComparison && scope.random.chance(0.3) ? { ...node, bool: true } : node;
}

function makeSet(scope: Scope, op: string, depth: number, wanted: Wanted): Node {
  const { random } = scope;
  const left = scope.vector(wanted, depth - 1);
  const right = scope.vector(random.chance(0.7) ? wanted : 'any', random.chance(0.5) ? 0 : depth - 1);
  const matching = random.weighted<Matching | undefined>([
    [5, undefined],
    [3, { on: true, labels: pickLabels(scope, 0.6) }],
    [2, { on: false, labels: pickLabels(scope, 0.4) }],
  ]);
  return { kind: 'binary', op, left, right, ...(matching === undefined ? {} : { matching }) };
}

function ofHistograms(scope: Scope, op: string, depth: number): Node {
  const { random } = scope;
  const left = scope.vector('histogram', depth - 1);
  if (op === '*' || op === '/' || random.chance(0.15)) {
    const right = random.chance(0.7)
      ? literal(random.pick(['2', '0.5', '-1', '0', '3', 'Inf', '0.1']))
      : scope.vector('gauge', 0);
    return random.chance(0.25) ? { kind: 'binary', op, left: right, right: left } : { kind: 'binary', op, left, right };
  }
  const right = random.chance(0.85)
    ? scope.vector('histogram', random.chance(0.6) ? 0 : depth - 1)
    : scope.vector('any', 0);
  return maybeBool(scope, { kind: 'binary', op, left, right });
}

function withScalar(scope: Scope, op: string, depth: number): Node {
  const { random } = scope;
  const vector = scope.vector(random.pick(['float', 'float', 'any']), depth - 1);
  const scalar = scope.scalar(Math.min(depth - 1, 1));
  const [left, right] = random.chance(0.7) ? [vector, scalar] : [scalar, vector];
  return maybeBool(scope, { kind: 'binary', op, left, right });
}

function scalars(scope: Scope, op: string, depth: number): Node {
  const node: Binary = { kind: 'binary', op, left: scope.scalar(depth - 1), right: scope.scalar(depth - 1) };
  const whole = COMPARISONS.has(op) ? { ...node, bool: true } : node;
  return { kind: 'call', func: 'vector', args: [whole] };
}

function ofVectors(scope: Scope, op: string, depth: number): Node {
  const { random } = scope;
  const matching = random.weighted<Matching | undefined>([
    [6, undefined],
    [3, { on: true, labels: targetLabels(scope) }],
    [1, { on: false, labels: random.pick([['nothing'], ['code'], ['läbel.x', 'on'], ['job'], ...byDomain(scope)]) }],
    [0.6, { on: random.chance(0.5), labels: pickLabels(scope, 0.5) }],
  ]);
  return maybeBool(scope, between(scope, op, depth, matching));
}

function between(scope: Scope, op: string, depth: number, matching: Matching | undefined): Binary {
  const { random } = scope;
  const left = scope.vector('float', depth - 1);
  const related = left.kind === 'selector' && random.chance(0.25);
  const right = related
    ? { ...left, time: { offset: '1m' } }
    : scope.vector('float', random.chance(0.5) ? 0 : depth - 1);
  return { kind: 'binary', op, left, right, ...(matching === undefined ? {} : { matching }) };
}

/** Many series on one side of one: series with one more label against those without, or a part against its total. */
function grouped(scope: Scope, op: string, group: 'group_left' | 'group_right', depth: number): Node {
  const { random } = scope;
  const [many, one, matching] = random.weighted<() => [Node, Node, Matching]>([
    [
      3,
      () => {
        const many: Node = {
          kind: 'selector',
          name: random.pick(['calls_total', 'by', 'latency_seconds_bucket']),
          matchers: [],
          time: {},
        };
        const include = random.pick([
          undefined,
          [],
          ['version'],
          ['version', 'nothing'],
          ['version', 'zone', 'job'],
          ...byDomain(scope),
        ]);
        const one =
          include === undefined
            ? instantSelector(scope, 'gauge')
            : ({ kind: 'selector', name: 'target_info', matchers: [], time: {} } as const);
        return [many, one, { on: true, labels: targetLabels(scope), ...(include === undefined ? {} : { include }) }];
      },
    ],
    [
      3,
      () => {
        const labels = random.pick([['job'], ['instance'], ...byDomain(scope)]);
        const part = scope.vector('float', depth - 1);
        const total: Node = {
          kind: 'aggregate',
          op: random.pick(['sum', 'max', 'avg']),
          expr: scope.vector('float', random.chance(0.5) ? 0 : depth - 1),
          grouping: { without: false, labels },
        };
        return [part, total, { on: true, labels, include: [] }];
      },
    ],
    [
      1,
      () => [
        instantSelector(scope, 'float'),
        {
          kind: 'aggregate',
          op: 'sum',
          expr: instantSelector(scope, 'float'),
          grouping: { without: true, labels: ['instance', 'code'] },
        },
        { on: false, labels: ['instance', 'code'] },
      ],
    ],
  ])();
  const [left, right] = group === 'group_left' ? [many, one] : [one, many];
  return maybeBool(scope, { kind: 'binary', op, left, right, matching: { ...matching, group } });
}

function filled(scope: Scope, op: string, form: 'fill' | 'fill_left' | 'fill_right', depth: number): Node {
  const { random } = scope;
  const base: Matching = random.weighted<Matching>([
    [4, { labels: [] }],
    [3, { on: true, labels: targetLabels(scope) }],
    [1, { on: false, labels: random.pick([['nothing'], ...byDomain(scope)]) }],
  ]);
  const value = (): string => random.pick(['0', '1', '-2.5', 'NaN', 'Inf', '1e3', '5m']);
  const other = form === 'fill_left' ? 'fill_right' : 'fill_left';
  const fill =
    form !== 'fill' && random.chance(0.3) ? `${form} (${value()}) ${other} (${value()})` : `${form} (${value()})`;
  if (random.chance(0.2)) {
    const joined = grouped(scope, op, random.chance(0.5) ? 'group_left' : 'group_right', depth);
    if (joined.kind === 'binary' && joined.matching !== undefined)
      return { ...joined, matching: { ...joined.matching, fill } };
  }
  // Fewer series on one side, so that there is something to fill.
  const left = instantSelector(scope, 'float');
  const right = scope.vector('float', Math.min(1, depth - 1));
  return maybeBool(scope, { kind: 'binary', op, left, right, matching: { ...base, fill } });
}

function bound(scope: Scope): Node {
  const { random } = scope;
  const text = random.pick(['1', '0', '2.5', '5', '-1', '0.3', '100', 'Inf', '-Inf', 'NaN', '1e-3', '8']);
  return random.chance(0.9) ? literal(text) : paren(scope.scalar(1));
}
