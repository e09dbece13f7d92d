import type { Data } from './answer.ts';
import { literal, mapChildren, paren, walk, type Node } from './grammar.ts';
import { haveSameSamples, isWithinSpread } from './spread.ts';

/**
 * What may differ by a few units in the last place from one right answer to another: sums, whose terms have no order, and
 * functions that no standard rounds. Everything else is arithmetic in a defined order.
 */
const SUMS: ReadonlySet<string> = new Set(['sum', 'avg', 'stddev', 'stdvar']);
/** Their terms cancel before anything is compensated, so that the noise goes into those too. */
const SPREADS: ReadonlySet<string> = new Set(['stddev', 'stdvar']);
const ROUNDED = new Set(
  // A window's length in seconds is rounded, and the last place is not what they are about.
  (
    'rate increase delta ' +
    'exp ln log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh ' +
    'histogram_quantile histogram_quantiles histogram_fraction histogram_stddev histogram_stdvar'
  ).split(' '),
);
const ROUNDED_OPERATORS: ReadonlySet<string> = new Set(['^', 'atan2']);

/**
 * What is multiplied by the one and divided by the other: first nothing happens, then all numbers move alike by a few ε, then
 * each by a unit in its last place or not at all.
 */
const NOISES: readonly (readonly [times: string, over: string])[] = [
  ['1', '1'],
  ['1.0000000000000004', '1'],
  ['0.9999999999999997', '1'],
  ['0.1', '0.1'],
  ['0.7', '0.7'],
  ['0.3', '0.3'],
  ['0.9', '0.9'],
  ['0.11', '0.11'],
];

/** Asks the oracle for an answer. */
type AskOracle = (node: Node) => Promise<Data | undefined>;

/**
 * Whether all differences of `got` are no more than what becomes of a few ε in the places where right answers may differ:
 * the oracle is asked the same with noise there, and its answers must be as far apart. So a query that subtracts nearly
 * equal sums, or compares them, is judged by how it is, and any other stays exact.
 */
export async function isIllConditioned(node: Node, want: Data, got: Data, ask: AskOracle): Promise<boolean> {
  if (!hasNoise(node)) return false;
  const [control, ...noisy] = await Promise.all(NOISES.map((noise) => ask(withNoise(node, ...noise))));
  if (control === undefined || !haveSameSamples(want, control)) return false;
  return isWithinSpread(
    want,
    got,
    noisy.filter((answer) => answer !== undefined),
  );
}

/** The labels in which `count_values` writes down values that may differ in their last digits. */
export function namesOfRounded(node: Node): Set<string> {
  const names = new Set<string>();
  for (const part of walk(node)) {
    if (part.kind !== 'aggregate' || part.op !== 'count_values' || part.param?.kind !== 'literal') continue;
    if (hasNoise(part.expr)) names.add(JSON.parse(part.param.text) as string);
  }
  return names;
}

function hasNoise(node: Node): boolean {
  let found = false;
  withEach(node, (inner) => {
    found = true;
    return inner;
  });
  return found;
}

function withNoise(node: Node, times: string, over: string): Node {
  const by = (op: '*' | '/', left: Node, factor: string): Node =>
    paren({ kind: 'binary', op, left, right: literal(factor) });
  const scaled = (inner: Node): Node => by('/', by('*', inner, times), over);
  return withEach(node, (inner) =>
    scaled(inner.kind === 'aggregate' && SPREADS.has(inner.op) ? { ...inner, expr: scaled(inner.expr) } : inner),
  );
}

/** The tree with every part replaced that may differ by a little. */
function withEach(node: Node, replace: (inner: Node) => Node): Node {
  const inner = mapChildren(node, (child) => withEach(child, replace));
  const isNoisy =
    (inner.kind === 'aggregate' && SUMS.has(inner.op)) ||
    (inner.kind === 'call' && ROUNDED.has(inner.func)) ||
    (inner.kind === 'binary' && ROUNDED_OPERATORS.has(inner.op));
  return isNoisy ? replace(inner) : inner;
}
