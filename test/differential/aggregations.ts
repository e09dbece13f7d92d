import type { AggregateOp, Expr } from '../../src/promql/ast.ts';
import { anyMetric, compared, mapped, perSeries, select, windowMs, withScalar, type Vector } from './leaves.ts';
import { METRICS, type Metric } from './metrics.ts';
import type { Random } from '../random.ts';
import {
  aggregate,
  binary,
  call,
  negate,
  number,
  range,
  selector,
  type Grouping,
} from '../../src/federationtest/tree.ts';

/** One aggregation over the series of a metric. */
export function aggregated(random: Random, metric: Metric = anyMetric(random), labels?: readonly string[]): Vector {
  const over = perSeries(random, metric);
  return aggregateOf(random, over, labels ?? random.subset(over.labels, random.pick([0, 0.2, 0.4])));
}

/** An aggregation with a function, a number, a comparison or a sign around it. */
export function reshaped(random: Random, inner: Vector = aggregated(random)): Vector {
  const make = inner.metric.extreme
    ? () => compared(random, inner)
    : random.weighted<() => Vector>([
        [3, () => mapped(random, inner)],
        [3, () => withScalar(random, inner)],
        [4, () => compared(random, inner)],
        [1, () => ({ ...inner, expr: negate(inner.expr) })],
      ]);
  const outer = make();
  return random.chance(0.2) && !inner.metric.extreme ? withScalar(random, outer) : outer;
}

/** Aggregations of aggregations. */
export function nested(random: Random): Vector {
  const metric = anyMetric(random);
  const own = ['domain', ...metric.labels];
  const inner = aggregated(random, metric, random.subset(own, 0.6));
  const middle = random.chance(0.3) ? reshaped(random, inner) : inner;
  const outer = aggregateOf(random, { ...middle, metric: { ...middle.metric } }, random.subset(inner.labels, 0.4));
  return random.chance(0.2) ? reshaped(random, outer) : outer;
}

/** Series that all domains have at once, near enough, for `filteredTotal`. */
const TOTALLED = [
  { name: 'http_requests_total', count: 115, mean: 1.15 },
  { name: 'memory_bytes', count: 24, mean: 2e9 },
  { name: 'queue_depth', count: 24, mean: 40 },
];

/** A total over all domains against a number that lies between it and what a single domain has of it. */
export function filteredTotal(random: Random): Expr {
  const { name, count, mean } = random.pick(TOTALLED);
  const metric = METRICS.find((each) => each.name === name) ?? anyMetric(random);
  const chosen = selector([{ name: '__name__', op: '=', value: name }]);
  const series = metric.kind === 'gauge' ? chosen : call('rate', range(chosen, windowMs(random)));
  const kept = random.pick([[], [], [], ['job'], ['service']]);
  const op = random.weighted([
    [4, 'sum'],
    [1, 'count'],
    [1, 'avg'],
  ] as const);
  const groups = kept.includes('service') ? 4 : kept.includes('job') ? 2 : 1;
  const total = op === 'avg' ? mean : ((op === 'count' ? 1 : mean) * count) / groups;
  // With a fraction, so that rounding in a sum cannot turn the answer.
  const threshold = total * random.pick([0.15, 0.3, 0.45, 0.6, 0.8, 1]) * 1.000_731;
  const compare = random.pick(['>', '>', '<', '>=', '<='] as const);
  const totalled = aggregate(op, series, { without: false, labels: kept });
  return binary(compare, totalled, number(threshold), random.chance(0.1));
}

/** Sums whose small terms only survive compensation. */
export function cancellingSum(random: Random): Expr {
  const metric = METRICS.find(({ cancelling }) => cancelling) ?? anyMetric(random);
  const grouping = { without: false, labels: random.pick([[], [], ['domain'], ['job'], ['domain', 'job']]) };
  const sum = aggregate('sum', select(random, metric), grouping);
  return random.chance(0.3) ? call('abs', sum) : sum;
}

export function perSeriesPlain(random: Random, metric: Metric): Vector {
  const chosen = select(random, metric);
  const expr = metric.kind === 'gauge' ? chosen : call('rate', range(chosen, windowMs(random)));
  return { expr, labels: ['domain', ...metric.labels], scale: metric.scale, whole: false, metric };
}

const AGGREGATES: readonly (readonly [number, AggregateOp])[] = [
  [7, 'sum'],
  [6, 'avg'],
  [4, 'count'],
  [3, 'min'],
  [3, 'max'],
  [1, 'group'],
  [0.2, 'stddev'],
  [0.2, 'stdvar'],
];

/** What overflows nowhere. */
const EXTREME_AGGREGATES: readonly (readonly [number, AggregateOp])[] = [
  [4, 'avg'],
  [1, 'sum'],
  [1, 'count'],
  [1, 'min'],
  [1, 'max'],
];

function aggregateOf(random: Random, over: Vector, kept: readonly string[]): Vector {
  const op = random.weighted(over.metric.extreme ? EXTREME_AGGREGATES : AGGREGATES);
  const expr = aggregate(op, over.expr, groupingOf(random, over, kept));
  const members = kept.includes('instance') ? 2 : 6;
  const scale =
    { sum: over.scale * members, count: members, group: 1, stdvar: over.scale ** 2 }[op as string] ?? over.scale;
  const whole = op === 'count' || op === 'group' || (over.whole && ['sum', 'min', 'max'].includes(op));
  return { ...over, expr, labels: kept, scale, whole };
}

/** `by` the kept labels or, where all labels may be named, `without` the others. */
function groupingOf(random: Random, over: Vector, kept: readonly string[]): Grouping {
  const left = over.labels.filter((label) => !kept.includes(label));
  const canExclude = over.metric.hidden === undefined;
  if (canExclude && random.chance(0.25)) return { without: true, labels: left };
  return { without: false, labels: kept };
}
