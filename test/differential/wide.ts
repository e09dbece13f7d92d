import { aggregate, binary, call, manyToMany, match, number, oneToOne, range } from '../../src/federationtest/tree.ts';
import type { Aggregate, AtModifier, Expr, StringLiteral, Subquery } from '../../src/promql/ast.ts';
import type { Random } from '../random.ts';
import { aggregated, reshaped } from './aggregations.ts';
import { INTERVAL_MS, SPAN_MS, START_MS } from './dataset.ts';
import { compared, openMetric, perSeries, select, windowMs, type Vector } from './leaves.ts';
import { METRICS, type Metric } from './metrics.ts';
import { NATIVE_METRICS } from './native.ts';

/** What federations once could not split, and what they most often split wrongly. */
export function wideExpr(random: Random): Expr {
  return random.weighted<() => Expr>([
    [5, () => nativeStatistic(random)],
    [2, () => nativeSum(random)],
    [5, () => overSubquery(random, plainAggregate(random).expr)],
    [4, () => picked(random)],
    [2, () => spread(random)],
    [4, () => absence(random)],
    [3, () => filled(random)],
    [3, () => extended(random)],
    [4, () => withNumber(random)],
    [3, () => orDefault(random)],
    [3, () => relabelled(random)],
    [3, () => acrossDomains(random)],
  ])();
}

const span = { start: 0, end: 0 } as const;

function text(value: string): StringLiteral {
  return { kind: 'string', value, span };
}

function by(...labels: readonly string[]): { without: boolean; labels: readonly string[] } {
  return { without: false, labels };
}

/** Of ordinary numbers. */
function plainMetric(random: Random): Metric {
  const plain = METRICS.filter(
    ({ kind, extreme, cancelling, class: egress, name }) =>
      kind !== 'histogram' && !extreme && !cancelling && egress !== 'sealed' && name !== 'temperature_celsius',
  );
  return random.pick(plain);
}

function plainAggregate(random: Random): Vector {
  return aggregated(random, plainMetric(random));
}

function nativeRates(random: Random): { expr: Expr; labels: readonly string[] } {
  const metric = random.pick(NATIVE_METRICS);
  const rates = call(random.pick(['rate', 'rate', 'increase']), range(select(random, metric), windowMs(random)));
  const labels = random.subset(['domain', ...metric.labels], random.pick([0, 0.3, 0.6]));
  return { expr: aggregate(random.pick(['sum', 'sum', 'avg']), rates, by(...labels)), labels };
}

function nativeSum(random: Random): Expr {
  const open = NATIVE_METRICS.find((metric) => metric.class === 'open')!;
  return random.weighted<() => Expr>([
    [3, () => nativeRates(random).expr],
    [1, () => select(random, open)],
    [
      1,
      () =>
        aggregate('sum', select(random, random.pick(NATIVE_METRICS)), by(...random.subset(['domain', 'service'], 0.4))),
    ],
    [1, () => aggregate('count', select(random, random.pick(NATIVE_METRICS)), by('domain'))],
  ])();
}

function nativeStatistic(random: Random): Expr {
  const { expr, labels } = nativeRates(random);
  return random.weighted<() => Expr>([
    [5, () => call('histogram_quantile', number(random.pick([0, 0.1, 0.5, 0.9, 0.99, 1])), expr)],
    [2, () => call('histogram_fraction', number(random.pick([0, 1, 2])), number(random.pick([3, 8, Infinity])), expr)],
    [3, () => call(random.pick(['histogram_count', 'histogram_sum', 'histogram_avg']), expr)],
    [1, () => call(random.pick(['histogram_stddev', 'histogram_stdvar']), expr)],
    [1, () => aggregate('max', call('histogram_quantile', number(0.9), expr), by(...random.subset(labels, 0.4)))],
  ])();
}

/** Functions over time that no rounding in an inner sum can turn. */
function overSubquery(random: Random, inner: Expr): Expr {
  const stepMs = random.pick([INTERVAL_MS, 30_000, 60_000, 37_000]);
  const base: Subquery = {
    kind: 'subquery',
    expr: inner,
    rangeMs: stepMs * random.int(2, 10),
    stepMs,
    offsetMs: random.chance(0.2) ? random.pick([60_000, -30_000, 7_500]) : 0,
    span,
  };
  const at: AtModifier = random.pick([
    { kind: 'time', ms: START_MS + SPAN_MS / 2 },
    { kind: 'start' },
    { kind: 'end' },
  ] as const);
  const over: Subquery = random.chance(0.15) ? { ...base, at } : base;
  const func = random.pick([
    'max_over_time',
    'min_over_time',
    'avg_over_time',
    'sum_over_time',
    'count_over_time',
    'last_over_time',
    'first_over_time',
    'present_over_time',
  ]);
  const whole = call(func, over);
  return random.chance(0.25) ? call('quantile_over_time', number(0.5), over) : whole;
}

/** Aggregations that look at single series: the hub's over open metrics, or over what was merged. */
function picked(random: Random): Expr {
  const whole = METRICS.filter((metric) => metric.class === 'open' && metric.whole === true);
  const over = random.chance(0.6) ? perSeries(random, openMetric(random)) : plainAggregate(random);
  const kept = random.subset(over.labels, random.pick([0, 0.3, 0.6]));
  const grouping = random.chance(0.2) ? { without: true, labels: kept } : by(...kept);
  return random.weighted<() => Expr>([
    [3, () => aggregate('quantile', over.expr, grouping, number(random.pick([0, 0.25, 0.5, 0.9, 1])))],
    [2, () => ranked(random, over)],
    [
      3,
      () => {
        const metric = random.pick(whole);
        const label = text(random.pick(['value', 'value', 'domain', 'instance']));
        return aggregate('count_values', select(random, metric), by(...random.subset(metric.labels, 0.2)), label);
      },
    ],
    [2, () => aggregate('limit_ratio', over.expr, by(), number(random.pick([0.5, -0.5, 0.3, -0.8])))],
    [1, () => aggregate('count', ranked(random, over), by())],
  ])();
}

function ranked(random: Random, over: Vector): Aggregate {
  const kept = random.chance(0.4) ? random.subset(over.labels, 0.4) : [];
  return aggregate(random.pick(['topk', 'bottomk']), over.expr, by(...kept), number(random.int(1, 4)));
}

function spread(random: Random): Expr {
  const metric = plainMetric(random);
  const over = perSeries(random, metric);
  return aggregate(random.pick(['stddev', 'stdvar']), over.expr, by(...random.subset(over.labels, 0.3)));
}

/** Of series that some domains have, or none. */
function absence(random: Random): Expr {
  const metric = plainMetric(random);
  const chosen = select(random, metric);
  const gone = {
    ...chosen,
    matchers: [...chosen.matchers, { name: 'instance', op: '=', value: 'host-7:9090' } as const],
  };
  const one = random.chance(0.4) ? gone : chosen;
  return random.weighted<() => Expr>([
    [3, () => call('absent', one)],
    [2, () => call('absent_over_time', range(one, windowMs(random)))],
    [2, () => call('absent', compared(random, plainAggregate(random)).expr)],
    [1, () => call('absent_over_time', { ...subqueryOf(compared(random, plainAggregate(random)).expr) })],
    [1, () => aggregate('sum', call('absent', one), by())],
  ])();
}

function subqueryOf(expr: Expr): Subquery {
  return { kind: 'subquery', expr, rangeMs: 120_000, stepMs: 30_000, offsetMs: 0, span };
}

/** Two totals of which one may lack what the other has. */
function filled(random: Random): Expr {
  const labels = random.pick([['service'], ['instance'], ['domain', 'service'], ['domain']]);
  const side = (): Expr => {
    const fitting = METRICS.filter(
      ({ labels: own, class: egress, kind, hidden }) =>
        egress !== 'sealed' &&
        kind !== 'histogram' &&
        hidden === undefined &&
        labels.every((l) => l === 'domain' || own.includes(l)),
    );
    const metric = random.pick(fitting.filter(({ extreme }) => extreme !== true));
    return aggregate(random.pick(['sum', 'count', 'max']), select(random, metric), by(...labels));
  };
  const value = random.pick([0, 1, -2.5]);
  const fill = random.pick([{ left: value, right: value }, { left: value }, { right: value }]);
  return match(random.pick(['+', '-', '*'] as const), side(), side(), { ...oneToOne(false, []), fill });
}

function extended(random: Random): Expr {
  const metric = random.pick(METRICS.filter(({ kind, class: egress }) => kind === 'counter' && egress !== 'sealed'));
  const how = random.pick(['anchored', 'smoothed'] as const);
  const func = random.pick(['rate', 'increase', 'delta'] as const);
  const rolled = call(func, range({ ...select(random, metric), extended: how }, windowMs(random)));
  if (metric.class === 'open' && random.chance(0.3)) return rolled;
  return aggregate(random.pick(['sum', 'avg', 'max']), rolled, by(...random.subset(['domain', ...metric.labels], 0.3)));
}

/** A vector with a number that is worked out from series or from the time. */
function withNumber(random: Random): Expr {
  const over = random.chance(0.5) ? plainAggregate(random) : perSeries(random, openMetric(random));
  const total = call(
    'scalar',
    aggregate(random.pick(['sum', 'max', 'count']), select(random, plainMetric(random)), by()),
  );
  return random.weighted<() => Expr>([
    [3, () => binary(random.pick(['/', '*', '+'] as const), over.expr, total)],
    [1, () => binary('*', total, over.expr)],
    [
      1,
      () =>
        binary(
          '-',
          call('time'),
          aggregate('max', call('timestamp', select(random, openMetric(random))), by('domain')),
        ),
    ],
    [1, () => call('vector', total)],
    [1, () => binary('>', over.expr, binary('/', total, number(7.000_731)), random.chance(0.5))],
    [1, () => call('clamp_max', over.expr, total)],
  ])();
}

function orDefault(random: Random): Expr {
  const over = random.chance(0.5) ? compared(random, plainAggregate(random)) : reshaped(random, plainAggregate(random));
  return random.weighted<() => Expr>([
    [2, () => match('or', over.expr, call('vector', number(0)), manyToMany(false, []))],
    [1, () => match('or', over.expr, call('vector', number(0)), manyToMany(true, []))],
    [1, () => match('unless', over.expr, call('absent', select(random, plainMetric(random))), manyToMany(true, []))],
    [1, () => match('and', over.expr, compared(random, plainAggregate(random)).expr, manyToMany(true, ['domain']))],
  ])();
}

/** Series of one domain that meet those of the same names in others. */
function acrossDomains(random: Random): Expr {
  const open = METRICS.filter(
    ({ class: egress, labels, extreme }) => egress === 'open' && labels.includes('instance') && !extreme,
  );
  const [left, right] = [random.pick(open), random.pick(open)];
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const on = random.chance(0.5) ? ['instance'] : shared;
  const one = select(random, left);
  const other = select(random, right);
  return random.weighted<() => Expr>([
    [3, () => match(random.pick(['and', 'or', 'unless'] as const), one, other, manyToMany(true, on))],
    [
      1,
      () =>
        match(
          'and',
          one,
          other,
          manyToMany(false, ['domain', ...right.labels.filter((label) => !shared.includes(label))]),
        ),
    ],
    [
      2,
      () => {
        const most = aggregate(random.pick(['max', 'sum', 'count']), other, by('instance'));
        const matching = { card: 'many-to-one', on: true, labels: ['instance'], include: [] } as const;
        return match(random.pick(['-', '*', '>'] as const), one, most, matching);
      },
    ],
  ])();
}

/** Labels that are written anew, the domain label too. */
function relabelled(random: Random): Expr {
  const aggregatedByDomain = aggregated(random, plainMetric(random), [
    'domain',
    ...random.subset(['service', 'job'], 0.4),
  ]);
  const over = random.chance(0.5) ? perSeries(random, openMetric(random)).expr : aggregatedByDomain.expr;
  const target = random.pick(['domain', 'place', 'instance']);
  const source = random.pick(['domain', 'domain', 'instance', 'job']);
  const pattern = random.pick(['(.*)', '(..).*', 'eu-(.*)']);
  const written = random.chance(0.7)
    ? call('label_replace', over, text(target), text('$1'), text(source), text(pattern))
    : call('label_join', over, text(target), text('/'), text('domain'), text(source));
  return random.chance(0.6) ? aggregate(random.pick(['sum', 'max', 'count']), written, by(target)) : written;
}
