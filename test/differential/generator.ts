import type { Expr } from '../../src/promql/ast.ts';
import { aggregated, cancellingSum, filteredTotal, nested, reshaped } from './aggregations.ts';
import { INTERVAL_MS, SPAN_MS, START_MS } from './dataset.ts';
import { ambiguous, joined, setOperation } from './joins.ts';
import { anyMetric, openMetric, perSeries, select, windowMs } from './leaves.ts';
import { METRICS } from './metrics.ts';
import { wideExpr } from './wide.ts';
import type { Random } from '../random.ts';
import { aggregate, call, match, number, oneToOne, range } from '../../src/federationtest/tree.ts';

/** When a query is evaluated: at one time, or at the steps of a range. Milliseconds. */
export type When =
  | { readonly kind: 'instant'; readonly timeMs: number }
  | { readonly kind: 'range'; readonly startMs: number; readonly endMs: number; readonly stepMs: number };

export interface Case {
  readonly expr: Expr;
  readonly when: When;
}

/** What a run asks: the usual and, as often, what needs an engine at the hub, features or native histograms. */
export function generateAny(random: Random): Case {
  return random.chance(0.5) ? generateCase(random) : { expr: wideExpr(random), when: anyTime(random) };
}

/** One random query and its times. Equal seeds give equal cases. */
export function generateCase(random: Random): Case {
  const expr = random.weighted<() => Expr>([
    [24, () => aggregated(random).expr],
    [16, () => reshaped(random).expr],
    [13, () => perSeries(random, openMetric(random)).expr],
    [9, () => histogramQuantile(random)],
    [9, () => joined(random)],
    [7, () => nested(random).expr],
    [6, () => topk(random)],
    [5, () => setOperation(random)],
    [4, () => cancellingSum(random)],
    [6, () => filteredTotal(random)],
    [1.5, () => ambiguous(random)],
    [1.5, () => forbidden(random)],
  ])();
  return { expr, when: anyTime(random) };
}

function anyTime(random: Random): When {
  return random.chance(0.45) ? instant(random) : steps(random);
}

function instant(random: Random): When {
  return { kind: 'instant', timeMs: moment(random, 0.05, 1.02) };
}

function steps(random: Random): When {
  const startMs = moment(random, -0.02, 0.7);
  const stepMs = random.pick([INTERVAL_MS, 30_000, 60_000, 60_000, 120_000, 300_000, 37_000, 13_700, 91_250]);
  // The end need not be a step: `@ end()` means it, and not the last step.
  const beyond = random.chance(0.4) ? random.int(1, stepMs - 1) : 0;
  return { kind: 'range', startMs, endMs: startMs + stepMs * random.int(0, 24) + beyond, stepMs };
}

/** A time within the data, mostly on the scrape interval and sometimes a millisecond beside it. */
function moment(random: Random, from: number, to: number): number {
  const onGrid = START_MS + Math.floor((SPAN_MS * random.float(from, to)) / INTERVAL_MS) * INTERVAL_MS;
  return (
    onGrid +
    random.weighted([
      [7, 0],
      [1, 1],
      [1, -1],
      [2, random.int(1, INTERVAL_MS)],
    ])
  );
}

function histogramQuantile(random: Random): Expr {
  const metric = METRICS.find(({ kind }) => kind === 'histogram') ?? anyMetric(random);
  const kept = random.subset(['domain', ...metric.labels], random.pick([0, 0.3, 0.5]));
  const func = random.pick(['rate', 'rate', 'increase']);
  const per = call(func, range(select(random, metric, '_bucket'), windowMs(random)));
  const buckets = aggregate('sum', per, { without: false, labels: ['le', ...kept] });
  const quantile = call('histogram_quantile', number(random.pick([0, 0.1, 0.5, 0.9, 0.95, 0.99, 1])), buckets);
  return random.weighted<() => Expr>([
    [6, () => quantile],
    [1, () => aggregate(random.pick(['max', 'avg']), quantile, { without: false, labels: random.subset(kept, 0.5) })],
    [1, () => match('*', quantile, aggregate('sum', per, { without: false, labels: kept }), oneToOne(false, []))],
  ])();
}

function topk(random: Random): Expr {
  const over = random.chance(0.6) ? perSeries(random, openMetric(random)) : aggregated(random);
  const kept = random.chance(0.3) ? random.subset(over.labels, 0.3) : [];
  const op = random.pick(['topk', 'topk', 'bottomk'] as const);
  return aggregate(op, over.expr, { without: false, labels: kept }, number(random.int(1, 4)));
}

/** What a policy refuses: bare series of an aggregate metric, labels that may not leave, a sealed metric. */
function forbidden(random: Random): Expr {
  const aggregateOnly = METRICS.filter((metric) => metric.class === 'aggregate' && metric.kind !== 'histogram');
  const hidden = METRICS.filter((metric) => metric.hidden !== undefined);
  return random.weighted<() => Expr>([
    [1, () => perSeries(random, random.pick(aggregateOnly)).expr],
    [
      1,
      () => {
        const metric = random.pick(hidden);
        return aggregate('sum', select(random, metric), { without: false, labels: metric.hidden ?? [] });
      },
    ],
    [
      1,
      () =>
        aggregate('quantile', select(random, random.pick(aggregateOnly)), { without: false, labels: [] }, number(0.5)),
    ],
  ])();
}
