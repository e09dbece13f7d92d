import type { Random } from '../random.ts';
import { makeAggregate, RANKING, steadyAggregations } from './aggregates.ts';
import { makeCall } from './calls.ts';
import { SPAN_MS, START_MS, type Dataset } from './dataset.ts';
import { call, literal, paren, quoted, type Node } from './grammar.ts';
import { COMPARISONS, makeBinary, makeUnary, SETS } from './joins.ts';
import type { Language } from './language.ts';
import { instantSelector, rangeVector, subquery } from './selectors.ts';
import { makeTarget } from './targets.ts';
import type { Scope, Wanted, When } from './scope.ts';

export interface Case {
  readonly node: Node;
  readonly when: When;
}

/**
 * One random query and its times. Equal seeds, data, languages and targets give equal cases. `target` is the construct that
 * the query must hold, by the name under which constructs are counted.
 */
export function generateCase(random: Random, data: Dataset, language: Language, target?: string): Case {
  const when = randomWhen(random);
  const scope: Scope = {
    random,
    data,
    language,
    when,
    vector: (wanted, depth) => vector(scope, wanted, depth),
    scalar: (depth) => scalar(scope, depth),
  };
  const depth = random.weighted([
    [2, 1],
    [4, 2],
    [2, 3],
    [0.7, 4],
  ]);
  if (target === undefined) return { node: root(scope, depth), when };
  const made = makeTarget(scope, target, Math.min(depth, 2));
  return { node: random.chance(0.3) ? around(scope, made) : made, when };
}

function randomWhen(random: Random): When {
  const lookback = random.chance(0.12) ? { lookbackMs: random.pick([15_000, 30_000, 60_000, 600_000]) } : {};
  if (random.chance(0.5)) return { kind: 'instant', timeMs: moment(random, 0.1, 1.05), ...lookback };
  const stepMs = random.pick([15_000, 30_000, 60_000, 60_000, 120_000, 37_000, 13_700, 91_250, 400_000]);
  const startMs = moment(random, -0.05, 0.8);
  // The end need not be a step: `@ end()` means it, and not the last step.
  const beyond = random.chance(0.4) ? random.int(1, stepMs - 1) : 0;
  return { kind: 'range', startMs, endMs: startMs + stepMs * random.int(0, 14) + beyond, stepMs, ...lookback };
}

/** A time within the data, mostly on whole 15 s and sometimes a millisecond beside. */
function moment(random: Random, from: number, to: number): number {
  const whole = START_MS + Math.floor((SPAN_MS * random.float(from, to)) / 15_000) * 15_000;
  return (
    whole +
    random.weighted([
      [8, 0],
      [1, 1],
      [1, -1],
      [2, random.int(1, 14_999)],
    ])
  );
}

function root(scope: Scope, depth: number): Node {
  const { random } = scope;
  return random.weighted<() => Node>([
    [20, () => vector(scope, random.pick(['float', 'float', 'histogram', 'any']), depth)],
    [3, () => makeAggregate(scope, random.pick([...scope.language.aggregations.keys()]), depth, 'any', true)],
    [0.7, () => scalar(scope, depth)],
    [0.7, () => (scope.when.kind === 'instant' ? rangeVector(scope, 'any', depth) : vector(scope, 'any', depth))],
    [0.2, () => literal(quoted(random.pick(['text', 'ü\n"', ''])))],
  ])();
}

function vector(scope: Scope, wanted: Wanted, depth: number): Node {
  const { random } = scope;
  if (depth <= 0) return instantSelector(scope, wanted);
  if (wanted === 'classic') return instantSelector(scope, wanted);
  const functions = functionsFor(scope, wanted);
  return random.weighted<() => Node>([
    [2, () => instantSelector(scope, wanted)],
    [7, () => makeCall(scope, pickFunction(scope, functions), depth - 1)],
    [5, () => makeAggregate(scope, pickAggregation(scope), depth, wanted, false)],
    [5, () => makeBinary(scope, random.pick(operatorsFor(scope, wanted)), depth, wanted)],
    [0.6, () => makeUnary(scope, wanted, depth)],
    [0.4, () => paren(vector(scope, wanted, depth - 1))],
    [0.5, () => bareChain(scope, depth)],
  ])();
}

/** Those of one number, which are much alike, come less often, and those with rules of their own more often. */
function pickFunction({ random }: Scope, functions: readonly string[]): string {
  const weight = (name: string): number => {
    if (/^a?(sin|cos|tan)h?$|^(deg|rad|exp|ln|log2|log10|sqrt|abs|ceil|floor|sgn)$/.test(name)) return 0.3;
    return /^(rate|increase|delta|histogram_(quantile|fraction)|quantile_over_time)$/.test(name) ? 3 : 1;
  };
  return random.weighted(functions.map((name) => [weight(name), name] as const));
}

/** Sums and means are what most queries are about. */
function pickAggregation({ random, language }: Scope): string {
  const weight = (op: string): number => (op === 'sum' || op === 'avg' ? 3 : 1);
  return random.weighted(steadyAggregations(language).map((op) => [weight(op), op] as const));
}

/** Functions that give what is wanted. */
function functionsFor({ language }: Scope, wanted: Wanted): string[] {
  const known = [...language.functions].filter(([, { returns }]) => returns === 'vector').map(([name]) => name);
  if (wanted !== 'histogram') return known;
  const giving = ['rate', 'increase', 'irate', 'delta', 'idelta', 'sum_over_time', 'avg_over_time', 'last_over_time'];
  giving.push('first_over_time', 'label_replace', 'label_join', 'info', 'sort', 'last_over_time', 'rate');
  return giving.filter((name) => known.includes(name));
}

function operatorsFor({ language }: Scope, wanted: Wanted): string[] {
  if (wanted !== 'histogram') return [...language.operators];
  const giving = ['+', '-', '*', '/', '</', '>/', '+', '-', '==', '!=', ...SETS];
  return giving.filter((op) => language.operators.includes(op));
}

/** Operators one after the other without parentheses, so that their precedence is asked. */
function bareChain(scope: Scope, depth: number): Node {
  const { random, language } = scope;
  const operators = language.operators.filter((op) => !SETS.has(op) && !op.includes('/') && !COMPARISONS.has(op));
  let node: Node = scope.vector('float', Math.min(1, depth - 1));
  for (let i = random.int(2, 4); i > 0; i--) {
    const right: Node = random.chance(0.2) ? { kind: 'unary', op: '-', expr: literal(2) } : scope.scalar(0);
    node = { kind: 'binary', op: random.pick(operators), left: node, right, bare: true };
  }
  return node;
}

function scalar(scope: Scope, depth: number): Node {
  const { random, language } = scope;
  const functions = [...language.functions].filter(([, { returns }]) => returns === 'scalar').map(([name]) => name);
  return random.weighted<() => Node>([
    [
      8,
      () =>
        literal(
          random.pick([
            '0',
            '1',
            '2',
            '-1',
            '0.5',
            '10',
            '1e3',
            '-0',
            'Inf',
            'NaN',
            '0x1F',
            '1_000',
            '5m',
            '017',
            '.5',
          ]),
        ),
    ],
    [depth > 0 ? 2 : 0.3, () => makeCall(scope, random.pick(functions), Math.max(0, depth - 1))],
    [depth > 0 ? 1 : 0, () => scalarOperation(scope, depth)],
    [depth > 0 ? 0.5 : 0, () => ({ kind: 'unary', op: '-', expr: scalar(scope, depth - 1) })],
  ])();
}

function scalarOperation(scope: Scope, depth: number): Node {
  const { random, language } = scope;
  const operators = language.operators.filter((op) => !SETS.has(op) && op !== '</' && op !== '>/');
  const op = random.pick(operators);
  const node = { kind: 'binary', op, left: scalar(scope, depth - 1), right: scalar(scope, depth - 1) } as const;
  return COMPARISONS.has(op) ? { ...node, bool: true } : node;
}

/** An operation more around a query, where it is one that takes any vector. */
function around(scope: Scope, node: Node): Node {
  const { random } = scope;
  if (node.kind === 'aggregate' && RANKING.has(node.op)) return node;
  if (node.kind === 'selector' && node.range !== undefined) return node;
  if (
    node.kind === 'call' &&
    (scope.language.functions.get(node.func)?.returns !== 'vector' || node.func.startsWith('sort'))
  )
    return node;
  return random.weighted<() => Node>([
    [
      2,
      () => ({
        kind: 'aggregate',
        op: random.pick(['sum', 'max', 'count']),
        expr: node,
        grouping: { without: false, labels: ['job'] },
      }),
    ],
    [1, () => ({ kind: 'binary', op: random.pick(['*', '+']), left: node, right: literal(2) })],
    [1, () => call(random.pick(['last_over_time', 'count_over_time', 'sum_over_time']), subquery(scope, node))],
    [1, () => paren(node)],
  ])();
}
