import type { Expr } from '../../src/promql/ast.ts';
import { aggregated, perSeriesPlain } from './aggregations.ts';
import { compared, openMetric, perSeries, windowMs, type Vector } from './leaves.ts';
import { METRICS, type Metric } from './metrics.ts';
import type { Random } from '../random.ts';
import { aggregate, call, manyToMany, match, oneToOne, range, selector } from '../../src/federationtest/tree.ts';

/** Labels that many metrics share, so that two aggregations can meet on them. */
const SHARED_LABELS = ['domain', 'service', 'instance', 'job', 'zone'];

/** Two aggregations with an operator between them. */
export function joined(random: Random): Expr {
  const left = partner(random);
  const right = partner(random);
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const op = random.weighted([
    [4, '/'],
    [3, '+'],
    [3, '-'],
    [3, '*'],
    [1.5, '>'],
    [1.5, '<='],
    [0.6, '=='],
  ] as const);
  const returnBool = ['>', '<=', '=='].includes(op) && random.chance(0.4);
  return random.weighted<() => Expr>([
    [3, () => sameLabels(random, left, right, shared, op, returnBool)],
    [
      2,
      () =>
        match(op, byLabels(random, left, shared), byLabels(random, right, shared), oneToOne(true, shared), returnBool),
    ],
    [
      2,
      () => {
        // The right side has one series for each combination of the shared labels, so that many may meet it.
        const one = byLabels(random, right, shared);
        const matching = { card: 'many-to-one', on: true, labels: shared, include: [] } as const;
        return match(op, byLabels(random, left, left.labels), one, matching, returnBool);
      },
    ],
    [
      1,
      () => {
        const many = byLabels(random, right, right.labels);
        const matching = { card: 'one-to-many', on: true, labels: shared, include: [] } as const;
        return match(op, byLabels(random, left, shared), many, matching, returnBool);
      },
    ],
  ])();
}

export function setOperation(random: Random): Expr {
  const op = random.pick(['and', 'or', 'unless'] as const);
  if (random.chance(0.4)) {
    const left = perSeries(random, openMetric(random));
    const right = perSeries(random, openMetric(random));
    const shared = left.labels.filter((label) => right.labels.includes(label));
    const matching = random.chance(0.3) ? manyToMany(false, []) : manyToMany(true, random.subset(shared, 0.7));
    return match(op, left.expr, right.expr, matching);
  }
  const left = aggregated(random);
  const right = random.chance(0.5) ? compared(random, left) : aggregated(random);
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const matching = random.chance(0.5) ? manyToMany(false, []) : manyToMany(true, random.subset(shared, 0.7));
  return match(op, left.expr, right.expr, matching);
}

/** Open vectors that meet or merge on too few labels: mostly an error, which both sides must make of it. */
export function ambiguous(random: Random): Expr {
  const queue = perSeriesPlain(random, METRICS.find(({ name }) => name === 'queue_depth') ?? openMetric(random));
  const up = perSeriesPlain(random, METRICS.find(({ name }) => name === 'up') ?? openMetric(random));
  const both = selector([{ name: '__name__', op: '=~', value: 'cache_(hits|lookups)_total' }]);
  return random.weighted<() => Expr>([
    [1, () => match('+', queue.expr, up.expr, oneToOne(true, ['instance']))],
    [
      1,
      () => match('*', queue.expr, up.expr, { card: 'many-to-one', on: true, labels: ['instance'], include: ['job'] }),
    ],
    [1, () => match('-', up.expr, queue.expr, oneToOne(true, ['domain', 'instance']))],
    [1, () => both],
    [1, () => call('rate', range(both, windowMs(random)))],
    [1, () => aggregate('sum', both, { without: false, labels: ['__name__', 'domain'] })],
    [1, () => call('abs', both)],
  ])();
}

function sameLabels(
  random: Random,
  left: Vector,
  right: Vector,
  shared: readonly string[],
  op: '/' | '+' | '-' | '*' | '>' | '<=' | '==',
  returnBool: boolean,
): Expr {
  const extra = left.labels.filter((label) => !shared.includes(label));
  const one = byLabels(random, right, shared);
  if (extra.length > 0 && random.chance(0.5)) {
    const matching = { card: 'many-to-one', on: false, labels: extra, include: [] } as const;
    return match(op, byLabels(random, left, left.labels), one, matching, returnBool);
  }
  return match(op, byLabels(random, left, shared), one, oneToOne(false, []), returnBool);
}

/** What `joined` aggregates: a vector per series of a metric with finite, ordinary values. */
function partner(random: Random): Vector {
  const metric = random.weighted(
    METRICS.filter(({ extreme, cancelling, class: given }) => !extreme && !cancelling && given !== 'sealed').map(
      (each) => [each.weight, each] as const,
    ),
  );
  const vector = perSeriesPlain(random, metric.kind === 'histogram' ? histogramCount(metric) : metric);
  return { ...vector, labels: random.subset(vector.labels, 0.6).filter((label) => SHARED_LABELS.includes(label)) };
}

function histogramCount(metric: Metric): Metric {
  return { ...metric, name: `${metric.name}_count`, kind: 'counter' };
}

function byLabels(random: Random, vector: Vector, labels: readonly string[]): Expr {
  return aggregate(random.pick(['sum', 'sum', 'avg', 'max', 'count']), vector.expr, { without: false, labels });
}
