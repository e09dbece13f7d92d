import type { AtModifier, Expr, VectorSelector } from '../../src/promql/ast.ts';
import type { Matcher, MatchOp } from '../../src/model/matcher.ts';
import { INTERVAL_MS, SPAN_MS, START_MS } from './dataset.ts';
import { LABEL_VALUES, METRICS, type Metric } from './metrics.ts';
import type { Random } from '../random.ts';
import { binary, call, match, negate, number, oneToOne, range, selector } from '../../src/federationtest/tree.ts';

/** A generated vector and what a node above it needs to know to make sense of it. */
export interface Vector {
  readonly expr: Expr;
  /** Names of the labels that its series carry and that queries may use, with `domain` while it is there. */
  readonly labels: readonly string[];
  /** A typical value, for thresholds. */
  readonly scale: number;
  /** Whether values are whole numbers computed without rounding, so that `==`, `floor` and the like are stable. */
  readonly whole: boolean;
  readonly metric: Metric;
}

const MINUTE_MS = 60_000;
/** Most are multiples of the scrape interval: then a window's two ends lie on samples. */
const WINDOWS_MS = [30_000, 45_000, 60_000, 120_000, 300_000, 300_000, 600_000, 37_000, 100_000, 251_500];

/** One vector per series of one metric (or two that belong together): nothing in it draws on two domains. */
export function perSeries(random: Random, metric: Metric): Vector {
  const base = random.chance(0.18) ? (paired(random, metric) ?? single(random, metric)) : single(random, metric);
  if (metric.extreme) return base;
  return random.weighted<() => Vector>([
    [6, () => base],
    [1.2, () => mapped(random, base)],
    [1, () => withScalar(random, base)],
    [1, () => compared(random, base)],
    [0.4, () => ({ ...base, expr: negate(base.expr) })],
  ])();
}

/** A metric for which a query may ask series by series. */
export function openMetric(random: Random): Metric {
  return random.weighted(METRICS.filter((metric) => metric.class === 'open').map((metric) => [metric.weight, metric]));
}

export function anyMetric(random: Random): Metric {
  return random.weighted(METRICS.map((metric) => [metric.weight, metric]));
}

/** The selector of a metric with random matchers, offset and `@`. */
export function select(random: Random, metric: Metric, suffix = ''): VectorSelector {
  const matchers = matchersOn(random, metric.labels);
  return selectorOf(random, metric.name + suffix, matchers);
}

export function windowMs(random: Random): number {
  return random.pick(WINDOWS_MS);
}

function selectorOf(random: Random, name: string, matchers: readonly Matcher[]): VectorSelector {
  const offsetMs = random.chance(0.12)
    ? random.pick([INTERVAL_MS, MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, -2 * MINUTE_MS, -7_500, 83_250])
    : 0;
  const at = random.chance(0.08) ? atModifier(random) : undefined;
  return selector([{ name: '__name__', op: '=', value: name }, ...matchers], offsetMs, at);
}

function atModifier(random: Random): AtModifier {
  return random.weighted<AtModifier>([
    [2, { kind: 'time', ms: START_MS + random.int(5, SPAN_MS / INTERVAL_MS) * INTERVAL_MS }],
    [1, { kind: 'start' }],
    [1, { kind: 'end' }],
  ]);
}

function matchersOn(random: Random, labels: readonly string[]): Matcher[] {
  const found: Matcher[] = [];
  if (random.chance(0.14)) found.push(matcherOn(random, 'domain'));
  for (const name of labels) if (random.chance(0.13)) found.push(matcherOn(random, name));
  return found;
}

function matcherOn(random: Random, name: string): Matcher {
  const values = LABEL_VALUES[name] ?? [''];
  const op = random.weighted<MatchOp>([
    [3, '='],
    [3, '!='],
    [3, '=~'],
    [2, '!~'],
  ]);
  if (op === '=' || op === '!=') return { name, op, value: random.chance(0.04) ? '' : random.pick(values) };
  const first = random.pick(values);
  const value = random.weighted([
    [3, `${escapeRegex(first)}|${escapeRegex(random.pick(values))}`],
    [2, `${escapeRegex(first.slice(0, 1))}.*`],
    [1, `.*${escapeRegex(first.slice(-1))}`],
    [1, `[${first.slice(0, 1)}-z].+`],
    [0.5, op === '=~' ? '.+' : 'nobody|'],
  ]);
  return { name, op, value };
}

function escapeRegex(text: string): string {
  return text.replace(/[.+*?()[\]{}|\\^$-]/g, '\\$&');
}

function single(random: Random, metric: Metric): Vector {
  const labels = ['domain', ...metric.labels];
  if (metric.extreme) return { expr: select(random, metric), labels, scale: metric.scale, whole: false, metric };
  if (metric.kind === 'gauge') {
    if (random.chance(0.55)) {
      return { expr: select(random, metric), labels, scale: metric.scale, whole: metric.whole ?? false, metric };
    }
    const { expr, scale, whole } = overGauge(random, metric);
    return { expr, labels, scale, whole, metric };
  }
  const suffix = metric.kind === 'histogram' ? random.pick(['_count', '_sum']) : '';
  const { expr, scale, whole } = overCounter(random, metric, suffix);
  return { expr, labels, scale, whole, metric };
}

interface Rolled {
  readonly expr: Expr;
  readonly scale: number;
  readonly whole: boolean;
}

function overCounter(random: Random, metric: Metric, suffix: string): Rolled {
  const windowed = windowMs(random);
  const matrix = range(select(random, metric, suffix), windowed);
  const func = random.weighted([
    [6, 'rate'],
    [3, 'increase'],
    [1.5, 'irate'],
    [0.7, 'changes'],
    [0.7, 'resets'],
    [0.5, 'count_over_time'],
    [0.3, 'last_over_time'],
    [0.3, 'present_over_time'],
    [0.3, 'max_over_time'],
  ]);
  const samples = windowed / INTERVAL_MS;
  const scale =
    { rate: metric.scale, irate: metric.scale, increase: (metric.scale * windowed) / 1000, resets: 1 }[func] ??
    (func === 'changes' || func === 'count_over_time' ? samples : func === 'present_over_time' ? 1 : 1e6);
  const whole = ['changes', 'resets', 'count_over_time', 'present_over_time'].includes(func);
  return { expr: call(func, matrix), scale, whole };
}

function overGauge(random: Random, metric: Metric): Rolled {
  const windowed = windowMs(random);
  const matrix = range(select(random, metric), windowed);
  const func = random.pick([
    'avg_over_time',
    'avg_over_time',
    'sum_over_time',
    'min_over_time',
    'max_over_time',
    'count_over_time',
    'last_over_time',
    'present_over_time',
    'stddev_over_time',
    'stdvar_over_time',
    'quantile_over_time',
    'changes',
    'delta',
    'idelta',
  ]);
  const samples = windowed / INTERVAL_MS;
  const whole = ['changes', 'count_over_time', 'present_over_time'].includes(func);
  const scale =
    { sum_over_time: metric.scale * samples, count_over_time: samples, changes: samples, present_over_time: 1 }[func] ??
    metric.scale;
  if (func === 'quantile_over_time') {
    return { expr: call(func, number(random.pick([0, 0.25, 0.5, 0.9, 0.99, 1])), matrix), scale, whole };
  }
  return { expr: call(func, matrix), scale, whole };
}

/** Two metrics of the same things, matched inside each domain. */
function paired(random: Random, metric: Metric): Vector | undefined {
  const rated = (name: string, matchers: readonly Matcher[], window: number): Expr =>
    call('rate', range(selector([{ name: '__name__', op: '=', value: name }, ...matchers]), window));
  const window = windowMs(random);
  const matchers = matchersOn(random, metric.labels);
  const labels = ['domain', ...metric.labels];
  switch (metric.name) {
    case 'cache_hits_total':
    case 'cache_lookups_total': {
      const expr = match(
        '/',
        rated('cache_hits_total', matchers, window),
        rated('cache_lookups_total', [], window),
        random.chance(0.6) ? oneToOne(false, []) : oneToOne(true, ['instance', 'service', 'domain']),
      );
      return { expr, labels, scale: 0.6, whole: false, metric };
    }
    case 'http_request_duration_seconds': {
      const sum = rated(`${metric.name}_sum`, matchers, window);
      const count = rated(`${metric.name}_count`, [], window);
      return { expr: match('/', sum, count, oneToOne(false, [])), labels, scale: 0.5, whole: false, metric };
    }
    case 'cpu_seconds_total': {
      const user = rated(metric.name, [{ name: 'mode', op: '=', value: 'user' }], window);
      const idle = rated(metric.name, [{ name: 'mode', op: '=', value: 'idle' }], window);
      const expr = match(random.pick(['+', '-', '/'] as const), user, idle, oneToOne(false, ['mode']));
      return { expr, labels: ['domain', 'instance'], scale: 1, whole: false, metric };
    }
    case 'queue_depth': {
      const expr = match(random.pick(['*', '+', '-'] as const), select(random, metric), upSelector(), {
        card: 'many-to-one',
        on: true,
        labels: ['domain', 'instance'],
        include: [],
      });
      return { expr, labels, scale: metric.scale, whole: true, metric };
    }
    case 'up': {
      const info = selector([{ name: '__name__', op: '=', value: 'build_info' }]);
      const matching = {
        card: 'many-to-one',
        on: true,
        labels: ['domain', 'instance'],
        include: ['version'],
      } as const;
      const expr = match('*', select(random, metric), info, matching);
      return { expr, labels: [...labels, 'version'], scale: 1, whole: true, metric };
    }
    default:
      return undefined;
  }
}

function upSelector(): VectorSelector {
  return selector([{ name: '__name__', op: '=', value: 'up' }]);
}

/** `vector` through a function of one value. Functions that jump are kept to whole numbers and raw samples. */
export function mapped(random: Random, vector: Vector): Vector {
  const { expr } = vector;
  const smooth: readonly (() => Expr)[] = [
    () => call('abs', expr),
    () => call('sqrt', expr),
    () => call('exp', expr),
    () => call('ln', expr),
    () => call('log2', expr),
    () => call('log10', expr),
    () => call('clamp_min', expr, number(vector.scale / 2)),
    () => call('clamp_max', expr, number(vector.scale)),
    () => call('clamp', expr, number(vector.scale / 4), number(vector.scale)),
  ];
  const jumping: readonly (() => Expr)[] = [
    () => call('ceil', expr),
    () => call('floor', expr),
    () => call('round', expr),
    () => call('round', expr, number(5)),
    () => call('sgn', expr),
  ];
  const stable = vector.whole || expr.kind === 'vector';
  const make = random.pick(stable && !vector.metric.cancelling ? [...smooth, ...jumping] : smooth);
  return { ...vector, expr: make(), whole: false };
}

/** `vector` with one arithmetic operation on a number. */
export function withScalar(random: Random, vector: Vector): Vector {
  const op = random.weighted([
    [3, '*'],
    [2, '+'],
    [2, '-'],
    [2, '/'],
    [vector.whole ? 0.7 : 0, '%'],
    [0.7, '^'],
  ] as const);
  const amount = op === '^' ? 2 : op === '%' ? random.int(2, 9) : random.pick([2, 3, 0.1, 100, 0.7, 1e-3]);
  const flipped = op !== '^' && op !== '%' && random.chance(0.25);
  const expr = flipped ? binary(op, number(amount), vector.expr) : binary(op, vector.expr, number(amount));
  const scaled =
    { '*': vector.scale * amount, '/': vector.scale / amount, '^': vector.scale ** 2 }[op as '*' | '/' | '^'] ??
    vector.scale;
  return { ...vector, expr, scale: flipped ? 1 : scaled, whole: false };
}

/** `vector` compared with a number near its typical value: as a filter or, with `bool`, as 0 and 1. */
export function compared(random: Random, vector: Vector): Vector {
  const exact = vector.whole && vector.scale < 1000;
  const op = random.weighted([
    [3, '>'],
    [2, '<'],
    [1, '>='],
    [1, '<='],
    [exact ? 1 : 0, '=='],
    [1, '!='],
  ] as const);
  const drawn = vector.scale * random.pick([0.1, 0.3, 0.7, 1, 1.6, 3]);
  // A threshold with a fraction is no value of the data, so that rounding in a sum cannot turn the answer.
  const threshold = exact ? Math.round(drawn) : drawn * 1.000_731;
  const returnBool = random.chance(0.25);
  const flipped = random.chance(0.15);
  const expr = flipped
    ? binary(op, number(threshold), vector.expr, returnBool)
    : binary(op, vector.expr, number(threshold), returnBool);
  return { ...vector, expr, scale: returnBool ? 1 : vector.scale, whole: returnBool || vector.whole };
}
