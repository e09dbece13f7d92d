import { instantGrid, rangeGrid, type QueryGrid } from '../../src/model/grid.ts';
import type { Random } from '../random.ts';

/*
 * Fragments that nobody in good faith would ask for: any operator and function over any selector of the world, wherever the
 * language lets it stand, with a leaning towards what is restricted.
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

/** By class: what may leave more easily is drawn more often, as what is refused at once shows little. */
const METRICS: readonly (readonly [number, readonly string[]])[] = [
  [
    5,
    [
      'shop_orders_total',
      'shop_stock',
      'shop_latency_seconds_bucket',
      'shop_size',
      'old_total',
      'traces_spanmetrics_calls_total',
    ],
  ],
  [4, ['open_queue', 'open_tagged', 'open_latency_seconds_bucket']],
  [3, ['ranked_score', 'ranked_tagged', 'mute_level', 'broken_latency_bucket', 'routes']],
  [4, ['guarded_salary', 'guarded_broken_bucket']],
  [1.2, ['secret_balance', 'secret_deals_total', 'secret_latency_bucket', 'secret_size']],
  [1.2, ['card_spend', 'card_payments_total', 'card_latency_bucket']],
];

const PERMITTED = ['service', 'pod', 'job', 'le'];
const RESTRICTED = [
  'customer',
  'user',
  'email',
  'client_ip',
  'instance',
  'node',
  '"kunde.name"',
  'employee',
  '__name__',
  'host_name',
  'v',
];

/** A fragment as `fragmentOf` takes it, with `$word` and `$number` for what the domain holds. */
export function hostileQuery(random: Random): string {
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

/** Around the last samples; many a time at them alone. */
export function hostileGrid(random: Random, endMs: number): QueryGrid {
  if (random.chance(0.6)) return instantGrid(endMs - random.pick([0, 0, 0, 1_000, 15_000, 60_000]));
  const stepMs = random.pick([1, 1_000, 7_000, 15_000, 60_000]);
  return rangeGrid(endMs - stepMs * random.int(1, 12), endMs, stepMs);
}

function vector(random: Random, depth: number): string {
  if (depth <= 0) return selector(random);
  const below = (): string => vector(random, depth - 1);
  return random.weighted<() => string>([
    [9, () => aggregation(random, below(), depth)],
    [2, () => selector(random)],
    [
      2,
      () =>
        `${random.pick(['-', 'abs', 'sort', 'timestamp', 'sgn', 'absent', 'histogram_count', 'histogram_sum', 'vector'])}(${below()})`,
    ],
    [1, () => `sort_by_label(${below()}, "${plain(label(random))}")`],
    [
      2,
      () =>
        `${random.pick(['rate', 'increase', 'max_over_time', 'absent_over_time', 'last_over_time', 'ts_of_max_over_time'])}(${selector(random)}[${random.pick(['15s', '1m', '5m'])}]${modifier(random)})`,
    ],
    [1, () => `${random.pick(['last', 'max', 'sum'])}_over_time((${below()})[1m:${random.pick(['1s', '15s'])}])`],
    [1, () => `quantile_over_time(${scalar(random, depth)}, ${selector(random)}[2m])`],
    [1, () => `histogram_quantile(${scalar(random, depth)}, ${below()})`],
    [1, () => `clamp_max(${below()}, ${scalar(random, depth)})`],
    [1.5, () => `label_replace(${below()}, "${plain(label(random))}", "$1", "${plain(label(random))}", "(.*)")`],
    [0.5, () => `label_join(${below()}, "${plain(label(random))}", "-", "${plain(label(random))}", "job")`],
    [0.5, () => `info(${below()})`],
    [
      2,
      () =>
        `(${below()} ${random.pick(['>', '==', '!=', '+', '> bool', '== bool', '<='])} ${random.pick(['$number', '4711', '0', scalar(random, depth)])})`,
    ],
    [4, () => `(${below()} ${binary(random)} ${below()})`],
  ])();
}

function aggregation(random: Random, of: string, depth: number): string {
  const op = random.pick(OPERATORS);
  const clause = by(random);
  switch (op) {
    case 'quantile':
      return `quantile${clause} (${random.pick(['0', '0.5', '1', scalar(random, depth)])}, ${of})`;
    case 'topk':
    case 'bottomk':
    case 'limitk':
      return `${op}${clause} (${random.pick(['1', '2', scalar(random, depth)])}, ${of})`;
    case 'limit_ratio':
      return `limit_ratio${clause} (${random.pick(['0.3', '-0.7', '0.5'])}, ${of})`;
    case 'count_values':
      return `count_values${clause} ("${plain(label(random))}", ${of})`;
    default:
      return `${op}${clause} (${of})`;
  }
}

function binary(random: Random): string {
  const op = random.pick(['and', 'or', 'unless', '+', '-', '/', '>', '== bool', '*', '^', '%']);
  const labels = some(random, 0.3).join(', ');
  const matching = random.pick(['', ` on (${labels})`, ` on (service)`, ` on ()`, ` ignoring (${labels})`]);
  if (matching === '' || ['and', 'or', 'unless'].includes(op)) return `${op}${matching}`;
  return (
    op +
    matching +
    random.pick([
      '',
      ' group_left ()',
      ` group_left (${label(random)})`,
      ` group_right (${label(random)})`,
      ' fill (0)',
    ])
  );
}

function by(random: Random): string {
  return random.weighted([
    [3, ''],
    [3, ` by (${random.subset(PERMITTED, 0.4).join(', ')})`],
    [3, ` by (${some(random, 0.15).join(', ')})`],
    [2, ` without (${some(random, 0.4).join(', ')})`],
  ]);
}

function scalar(random: Random, depth: number): string {
  return random.chance(0.7) ? random.pick(['0.5', '2', 'time()', '1']) : `scalar(${vector(random, depth - 1)})`;
}

function selector(random: Random): string {
  const metric = (): string => random.pick(random.weighted(METRICS));
  const name = random.weighted<() => string>([
    [12, metric],
    [
      0.4,
      () =>
        `{__name__=~"${random.pick(['shop_.+', 'open_.*', '.+', '.*salary', '(secret|shop)_.+', 'guarded_.+|shop_stock'])}"}`,
    ],
    [0.3, () => `{__name__=~"${metric()}|${metric()}"}`],
    [0.2, () => '{job="shop"}'],
    [0.2, () => `{__name__!="${metric()}", service="cart"}`],
  ])();
  const matched = name.startsWith('{') || random.chance(0.6) ? name : `${name}{${matcher(random)}}`;
  return matched + modifier(random);
}

function matcher(random: Random): string {
  const value = random.pick(['!=""', '=~"z.*"', '=""', '="solo"', '="cart"', '=~"(a+)+"']);
  if (random.chance(0.45)) return random.pick(PERMITTED) + value;
  // absent() says back what is matched: of these nothing may come back.
  return random.pick(RESTRICTED) + random.pick(['="$word"', value]);
}

function modifier(random: Random): string {
  return random.chance(0.85) ? '' : random.pick([' offset 15s', ' offset -1s', ' offset 1m', ' @ start()', ' @ end()']);
}

function label(random: Random): string {
  return random.pick(random.chance(0.45) ? PERMITTED : RESTRICTED);
}

function some(random: Random, p: number): string[] {
  return random.subset([...PERMITTED, ...RESTRICTED], p);
}

/** Without the quotes that a name needs in a list. */
function plain(name: string): string {
  return name.replaceAll('"', '');
}
