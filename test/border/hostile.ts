import type { Random } from '../random.ts';

/*
 * Policies and fragments that nobody in good faith would write: any operator and function over any selector, wherever the
 * language lets it stand.
 */

const OPERATORS = [
  'sum',
  'count',
  'avg',
  'group',
  'min',
  'max',
  'stddev',
  'stdvar',
  'quantile',
  'topk',
  'bottomk',
  'limitk',
  'limit_ratio',
  'count_values',
];
export const METRICS = ['m_a', 'm_b', 'n_a', 'n_b', 'secret_a'];
/** The last is in no policy's list. */
export const LABELS = ['service', 'region', 'v', 'customer'];

/** A policy as an object, whose JSON is its document as well. */
export interface PolicyDocument {
  readonly version: 1;
  readonly domain: 'eu';
  /** Public labels leave unless they are denied. */
  readonly labels: { readonly permit: readonly string[]; readonly deny: readonly string[] };
  readonly metrics: readonly {
    readonly match: string;
    readonly class: 'open' | 'aggregate' | 'sealed';
    readonly operators?: readonly string[];
  }[];
  readonly default_class: 'open' | 'aggregate';
}

export function randomPolicy(random: Random): PolicyDocument {
  const matches = random.subset(['m_a', 'm_*', 'n_*', 'n_b', '*_b'], 0.6);
  const metrics = matches.map((match) =>
    random.chance(0.35)
      ? ({ match, class: 'open' } as const)
      : ({ match, class: 'aggregate', operators: random.subset(OPERATORS, random.pick([0.2, 0.6, 0.9])) } as const),
  );
  const listable = LABELS.slice(0, 3);
  const permit = random.subset(listable, 0.7);
  return {
    version: 1,
    domain: 'eu',
    labels: { permit, deny: listable.filter((label) => !permit.includes(label)) },
    metrics: [...metrics, { match: 'secret_*', class: 'sealed' }],
    default_class: random.pick(['open', 'aggregate']),
  };
}

/** A fragment as `anyFragment` takes it. */
export function hostileFragment(random: Random): string {
  const depth = random.int(1, 4);
  return random.weighted<() => string>([
    [6, () => vector(random, depth)],
    [5, () => `partial ${random.pick(OPERATORS.slice(0, 8))}${by(random)} (${vector(random, depth - 1)})`],
    [
      2,
      () =>
        `sketch ${random.pick(['0.01', '0.5', '0.0001'])} quantile${by(random)} (0.5, ${vector(random, depth - 1)})`,
    ],
    [0.5, () => `timed ${selector(random)}`],
  ])();
}

function vector(random: Random, depth: number): string {
  if (depth <= 0) return selector(random);
  const below = (): string => vector(random, depth - 1);
  return random.weighted<() => string>([
    [8, () => aggregation(random, below())],
    [2, () => selector(random)],
    [2, () => `${random.pick(['-', 'abs', 'sort', 'timestamp', 'sgn', 'absent', 'histogram_count'])}(${below()})`],
    [1, () => `sort_by_label(${below()}, "${label(random)}")`],
    [1.5, () => `${random.pick(['rate', 'max_over_time', 'absent_over_time'])}(${selector(random)}[2m])`],
    [1, () => `last_over_time((${below()})[2m:1m])`],
    [1, () => `quantile_over_time(${scalar(random, depth)}, ${selector(random)}[2m])`],
    [1, () => `clamp_max(${below()}, ${scalar(random, depth)})`],
    [1.5, () => `label_replace(${below()}, "${label(random)}", "$1", "${label(random)}", "(.*)")`],
    [0.5, () => `label_join(${below()}, "${label(random)}", "-", "${label(random)}", "job")`],
    [0.5, () => `info(${below()})`],
    [
      2,
      () =>
        `(${below()} ${random.pick(['>', '==', '+', '* bool', '<='])} ${scalar(random, depth)})`.replace(
          '* bool',
          '> bool',
        ),
    ],
    [4, () => `(${below()} ${binary(random)} ${below()})`],
  ])();
}

function aggregation(random: Random, of: string): string {
  const op = random.pick(OPERATORS);
  const clause = by(random);
  switch (op) {
    case 'quantile':
      return `quantile${clause} (${random.pick(['0', '0.5', '1', scalar(random, 1)])}, ${of})`;
    case 'topk':
    case 'bottomk':
    case 'limitk':
      return `${op}${clause} (${random.pick(['1', '2', scalar(random, 1)])}, ${of})`;
    case 'limit_ratio':
      return `limit_ratio${clause} (${random.pick(['0.3', '-0.7', '0.5'])}, ${of})`;
    case 'count_values':
      return `count_values${clause} ("${label(random)}", ${of})`;
    default:
      return `${op}${clause} (${of})`;
  }
}

function binary(random: Random): string {
  const op = random.pick(['and', 'or', 'unless', '+', '>', '== bool', '*']);
  const labels = random.subset([...LABELS, 'job'], 0.5).join(', ');
  const matching = random.pick(['', ` on (${labels})`, ` ignoring (${labels})`]);
  if (matching === '' || ['and', 'or', 'unless'].includes(op)) return `${op}${matching}`;
  return op + matching + random.pick(['', ' group_left ()', ` group_left (${label(random)})`, ' fill (0)']);
}

function by(random: Random): string {
  const labels = random.subset([...LABELS, 'job', '__name__'], 0.3).join(', ');
  return random.weighted([
    [3, ''],
    [5, ` by (${labels})`],
    [2, ` without (${labels})`],
  ]);
}

function scalar(random: Random, depth: number): string {
  return random.chance(0.6) ? random.pick(['0.5', '2', 'time()']) : `scalar(${vector(random, depth - 1)})`;
}

function selector(random: Random): string {
  const name = random.weighted<() => string>([
    [8, () => random.pick(METRICS.slice(0, 4))],
    [0.4, () => 'secret_a'],
    [0.5, () => '{__name__=~"m_.+"}'],
    [0.5, () => '{__name__=~"n_a|n_b"}'],
    [0.2, () => '{job="a"}'],
  ])();
  if (name.startsWith('{') || random.chance(0.8)) return name;
  return `${name}{${label(random)}${random.pick(['="x"', '!=""', '=~"c.*"', '=""'])}}`;
}

function label(random: Random): string {
  return random.pick(LABELS);
}
