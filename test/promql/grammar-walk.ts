import type { ValueType } from '../../src/promql/ast.ts';
import { AGGREGATES, FUNCTIONS } from '../../src/promql/functions.ts';
import type { Random } from '../random.ts';

/**
 * Texts of expressions, by a random walk over PromQL's grammar that mostly keeps to the types: all operators, functions,
 * modifiers and forms of literals, with odd spaces, case and comments. About one in ten is ill-typed somewhere.
 */
export function expressionText(random: Random): string {
  const type = random.weighted<ValueType>([
    [10, 'vector'],
    [3, 'scalar'],
    [2, 'matrix'],
    [1, 'string'],
  ]);
  return ofType(random, type, random.int(0, 4));
}

const NAMES = 'up a:b foo sum by offset start fill step anchored max_of Count and smoothed :x'.split(' ');
const LABELS = 'a le by on __name__ inf start bool FILL without "x y" `on` "" a:b'.split(' ');
const STRINGS = ['"a"', "'b'", '`c\\d`', '"\\n\\t\\"\\\\"', "'it\\'s'", '"\\u00e9\\x41\\101"', '""', '"é 😀"', '"$1"'];
const REGEXES = ['"a|b"', '".*"', '""', '"(?i)x+"', '`\\d+`', '"a.*b"', '"("', '"[a-"'];
const NUMBERS = (
  '0 1 2 3.5 .5 1. 1e3 1E-3 0x1F 0xee 017 08 1_000 Inf nan NaN 5m 1h30m 1d 0s 250ms 1e400 1__0 0.0001 ' +
  '5.e1 1e 0x_1f 9223372036 9223372037 1m1h'
).split(' ');
const COMMON_NUMBERS = '0 1 2 3.5 5m 1h30m 300 1e3'.split(' ');
const COMPARISONS = '== != > < >= <='.split(' ');
const ARITHMETIC = '+ - * / % ^ atan2 ATAN2 </ >/'.split(' ');
const DURATION_OPS = '+ - * / % ^'.split(' ');
const SETS = 'and or unless AND'.split(' ');

function number(random: Random): string {
  return random.pick(random.chance(0.8) ? COMMON_NUMBERS : NUMBERS);
}

function space(random: Random): string {
  return random.weighted([
    [60, ' '],
    [20, '  '],
    [2, '\n'],
    [2, '\t'],
    [1, ' # a\n'],
  ]);
}

/** Some of the type that was asked for, and now and then something else. */
function ofType(random: Random, wanted: ValueType, depth: number): string {
  const type = random.chance(0.015) ? random.pick<ValueType>(['vector', 'scalar', 'matrix', 'string']) : wanted;
  if (random.chance(0.06)) return `(${ofType(random, type, depth - 1)})`;
  switch (type) {
    case 'string':
      return random.pick(STRINGS);
    case 'scalar':
      return depth <= 0 ? scalarLeaf(random) : random.pick([scalarLeaf, scalarDeep])(random, depth);
    case 'matrix':
      return matrix(random, depth);
    case 'vector':
      if (depth <= 0) return selector(random) + time(random);
      return random.pick([vectorBinary, vectorBinary, call, aggregate, signed])(random, depth);
  }
}

function scalarLeaf(random: Random): string {
  return random.chance(0.7)
    ? number(random)
    : random.pick(['time()', 'pi()', 'step()', 'start( )', 'range()', 'STEP()']);
}

function scalarDeep(random: Random, depth: number): string {
  const left = ofType(random, 'scalar', depth - 1);
  const op = random.chance(0.8) ? random.pick(ARITHMETIC) : `${random.pick(COMPARISONS)} bool`;
  return random.pick([
    () => `${left}${space(random)}${op} ${ofType(random, 'scalar', depth - 1)}`,
    () => `-${left}`,
    () => `scalar(${ofType(random, 'vector', depth - 1)})`,
    () => `${random.pick(['max_of', 'min_of'])}(${left}, ${ofType(random, 'scalar', depth - 1)})`,
  ])();
}

function signed(random: Random, depth: number): string {
  return random.pick(['-', '+', '--', '- ']) + ofType(random, 'vector', depth - 1);
}

function vectorBinary(random: Random, depth: number): string {
  const between = random.chance(0.6);
  const left = ofType(random, between || random.chance(0.5) ? 'vector' : 'scalar', depth - 1);
  const right = ofType(random, 'vector', depth - 1);
  const op = random.pick(
    random.pick(between ? [COMPARISONS, ARITHMETIC, ARITHMETIC, SETS] : [COMPARISONS, ARITHMETIC]),
  );
  const bool = random.chance(COMPARISONS.includes(op) ? 0.3 : 0.01) ? ' bool' : '';
  const matching = random.chance(between ? 0.5 : 0.02) ? ` ${matchingText(random, op)}` : '';
  return `${left}${space(random)}${op}${bool}${matching}${space(random)}${right}`;
}

function matchingText(random: Random, op: string): string {
  let text = '';
  if (random.chance(0.8)) {
    text = `${random.pick(['on', 'ignoring', 'ON'])}${random.chance(0.5) ? ' ' : ''}${labels(random)}`;
    if (random.chance(SETS.includes(op) ? 0.02 : 0.4)) {
      text += ` ${random.pick(['group_left', 'group_right'])}${random.chance(0.5) ? labels(random) : ''}`;
    }
  }
  if (random.chance(SETS.includes(op) ? 0.02 : 0.4)) {
    const value = (): string => `(${random.pick(['', '-', '+'])}${number(random)})`;
    text += random.pick([
      () => ` fill${value()}`,
      () => ` fill_left ${value()}`,
      () => ` fill_right${value()} fill_left${value()}`,
      () => ` fill_left${value()}fill_right${value()}`,
      () => ` fill${value()} fill_left${value()}`,
    ])();
  }
  return text;
}

function labels(random: Random): string {
  const some = Array.from({ length: random.int(0, 3) }, () =>
    random.chance(0.7) ? random.pick(['a', 'le', 'x']) : random.pick(LABELS),
  );
  return `(${some.join(random.pick([',', ', ']))}${some.length > 0 && random.chance(0.1) ? ',' : ''})`;
}

function call(random: Random, depth: number): string {
  const wanted = [...FUNCTIONS].filter(([, { returns }]) => returns === 'vector');
  const [name, { args, variadic }] = random.pick(wanted);
  const more = variadic === 0 ? 0 : random.int(-1, variadic < 0 ? 3 : Math.min(variadic, 3));
  const types =
    more < 0 ? args.slice(0, -1) : [...args, ...Array.from({ length: more }, () => args.at(-1) ?? 'string')];
  const given = types.map((type, index) =>
    name === 'info' && index === 1 && random.chance(0.9) ? matchers(random) : ofType(random, type, depth - 1),
  );
  if (random.chance(0.02)) given.pop();
  return `${name}${random.chance(0.1) ? ' ' : ''}(${given.join(random.pick([',', ', ']))})`;
}

function aggregate(random: Random, depth: number): string {
  const [name, { param }] = random.pick([...AGGREGATES]);
  const inner = ofType(random, 'vector', depth - 1);
  const args = param === undefined ? inner : `${ofType(random, param, depth - 1)}, ${inner}`;
  const by = `${random.pick(['by', 'without', 'BY'])} ${labels(random)}`;
  const shown = random.chance(0.1) ? name.toUpperCase() : name;
  return random.pick([`${shown}(${args})`, `${shown} ${by} (${args})`, `${shown}(${args}) ${by}`]);
}

function matrix(random: Random, depth: number): string {
  if (depth > 0 && random.chance(0.4)) {
    const step = random.chance(0.4) ? '' : range(random);
    const inner = ofType(random, 'vector', depth - 1);
    return `${random.chance(0.6) ? `(${inner})` : inner}[${range(random)}:${step}]${time(random)}`;
  }
  return `${selector(random)}${random.chance(0.1) ? ' ' : ''}[${range(random)}]${time(random)}`;
}

/** What stands in brackets, mostly greater than 0. */
function range(random: Random): string {
  if (random.chance(0.6)) return random.pick(['5m', '1h30m', '300', '250ms', '0.5', '1h # x\n']);
  return durationText(random, random.int(0, 3));
}

/** A computed duration as it stands in brackets. */
export function durationText(random: Random, depth: number): string {
  if (depth <= 0) return random.pick([number(random), '5m', '1h', 'step()', 'range()', 'STEP( )']);
  const left = durationText(random, depth - 1);
  return random.pick([
    () => `${left} ${random.pick(DURATION_OPS)} ${durationText(random, depth - 1)}`,
    () => `${left}${random.pick(DURATION_OPS)}${durationText(random, depth - 1)}`,
    () => `(${left})`,
    () => random.pick(['-', '+', '--']) + left,
    () => `${random.pick(['max_of', 'min_of'])}(${left}, ${durationText(random, depth - 1)})`,
  ])();
}

function time(random: Random): string {
  let text = '';
  while (random.chance(0.25)) {
    text += random.pick([
      () => ` offset ${random.pick(['5m', '-5m', '0s', '90', '1w', 'step()', '-range()', '(5m)', '-(1h)', '--1'])}`,
      () => ` offset ${durationText(random, random.int(0, 3))}`,
      () => ` @ ${random.pick(['start()', 'end()', '1.5', '-1000', '5m', 'START ( )'])}`,
      () => random.pick([' anchored', ' smoothed']),
    ])();
  }
  return text;
}

function selector(random: Random): string {
  const name = random.pick(random.chance(0.7) ? ['up', 'foo', 'a:b'] : NAMES);
  return random.weighted([
    [5, () => name],
    [4, () => name + matchers(random)],
    [2, () => `{${random.pick(['"up"', '"two words"', '__name__="x"', '__name__=~"a|b"'])}}`],
    [2, () => matchers(random)],
  ])();
}

function matchers(random: Random): string {
  const some = Array.from({ length: random.int(0, 3) }, () => {
    const label = random.chance(0.8) ? random.pick(['a', 'job', 'by']) : random.pick(LABELS);
    return random.chance(0.6)
      ? `${label}${random.pick(['=', '!=', ' = '])}${random.pick(STRINGS)}`
      : `${label}${random.pick(['=~', '!~'])}${random.pick(REGEXES)}`;
  });
  return `{${some.join(random.pick([',', ', ']))}${some.length > 0 && random.chance(0.1) ? ',' : ''}}`;
}
