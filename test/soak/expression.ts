import type { Random } from '../random.ts';
import { selectorOf, type Look, type Model, type Selection } from './model.ts';
import { BUCKETS, valueOf, type Kind, type Series } from './schedule.ts';

/** A query whose answer the model can tell: a function of each series, maybe put together over parts of them. */
export interface Expression {
  readonly text: string;
  readonly selection: Selection;
  /** Samples in (t - windowMs, t] decide about the value at t. */
  readonly windowMs: number;
  /** Undefined where there is no value. */
  ofSeries(samples: readonly Sample[], timeMs: number): number | undefined;
  /** By label `bucket`, or over everything; undefined when it is of each series. */
  readonly aggregate?: { readonly byBucket: boolean; of(values: readonly number[]): number } | undefined;
}

export interface Sample {
  readonly timeMs: number;
  readonly value: number;
  readonly isStale: boolean;
}

const LOOKBACK_MS = 5 * 60 * 1000;

const FLOAT_KINDS: readonly Kind[] = ['counter', 'gauge', 'churn', 'otlp_gauge', 'otlp_sum', 'delta'];

const OVER_TIME: Readonly<Record<string, (values: readonly number[]) => number>> = {
  count_over_time: (values) => values.length,
  sum_over_time: total,
  max_over_time: (values) => Math.max(...values),
  min_over_time: (values) => Math.min(...values),
  last_over_time: (values) => values.at(-1)!,
};

const AGGREGATES: Readonly<Record<string, (values: readonly number[]) => number>> = {
  sum: total,
  count: (values) => values.length,
  max: (values) => Math.max(...values),
  min: (values) => Math.min(...values),
};

/** A random expression. Sums are of eighths or whole numbers, so that they are exact in any order. */
export function randomExpression(random: Random, stepMs: number): Expression {
  const windowMs = stepMs * random.int(3, 30);
  const range = `[${windowMs}ms]`;
  const isRate = random.chance(0.3);
  const kind = isRate ? 'counter' : random.pick(FLOAT_KINDS);
  const selection = {
    kinds: [kind],
    buckets: random.chance(0.5) ? random.subset([...Array(BUCKETS).keys()], 0.4) : undefined,
  };
  // No bucket at all is as much a question as any.
  const selector =
    selection.buckets?.length === 0 ? selectorOf({ ...selection, buckets: [BUCKETS] }) : selectorOf(selection);
  let inner: Pick<Expression, 'text' | 'windowMs' | 'ofSeries'>;
  if (isRate) {
    const name = random.pick(['rate', 'increase']);
    inner = {
      text: `${name}(${selector}${range})`,
      windowMs,
      ofSeries: (samples, timeMs) => extrapolated(samples, timeMs, windowMs, name === 'rate'),
    };
  } else if (random.chance(0.5)) {
    const name = random.pick(Object.keys(OVER_TIME));
    inner = {
      text: `${name}(${selector}${range})`,
      windowMs,
      ofSeries: (samples) => {
        const values = samples.filter(({ isStale }) => !isStale).map(({ value }) => value);
        return values.length === 0 ? undefined : OVER_TIME[name]!(values);
      },
    };
  } else {
    inner = {
      text: selector,
      windowMs: LOOKBACK_MS,
      ofSeries(samples) {
        const last = samples.at(-1);
        return last === undefined || last.isStale ? undefined : last.value;
      },
    };
  }
  if (random.chance(0.5)) return { ...inner, selection };
  const name = random.pick(Object.keys(AGGREGATES));
  const byBucket = random.chance(0.6);
  return {
    ...inner,
    text: `${name}${byBucket ? ' by (bucket) ' : ''}(${inner.text})`,
    selection,
    aggregate: { byBucket, of: AGGREGATES[name]! },
  };
}

/**
 * The values of an expression at a time, by `series` or bucket, with what a deletion under way hides left out or not.
 * Undefined when it depends on what is not acknowledged.
 */
export function evaluate(
  model: Model,
  expression: Expression,
  timeMs: number,
  look: Look,
  deletes: boolean,
): ReadonlyMap<string, number> | undefined {
  const { selection, windowMs, ofSeries, aggregate } = expression;
  const { schedule } = model;
  const first = schedule.lasting[0]!;
  const fromMs = timeMs - windowMs + 1;
  const values = new Map<string, number>();
  const groups = new Map<string, number[]>();
  const fromRound = schedule.roundFrom(first, fromMs) - 1;
  const toRound = schedule.roundFrom(first, timeMs) + 1;
  for (const series of model.series(selection, fromRound, toRound)) {
    const samples = samplesOf(model, series, fromMs, timeMs, look, deletes);
    if (samples === undefined) return undefined;
    const value = ofSeries(samples, timeMs);
    if (value === undefined) continue;
    if (aggregate === undefined) {
      values.set(series.key, value);
      continue;
    }
    const group = aggregate.byBucket ? `b${series.bucket}` : '';
    const list = groups.get(group);
    if (list === undefined) groups.set(group, [value]);
    else list.push(value);
  }
  for (const [group, list] of groups) values.set(group, aggregate!.of(list));
  return values;
}

function samplesOf(
  model: Model,
  series: Series,
  fromMs: number,
  toMs: number,
  look: Look,
  deletes: boolean,
): readonly Sample[] | undefined {
  const samples: Sample[] = [];
  let isKnown = true;
  model.visit(series, fromMs, toMs, look, (round, timeMs, state, isStale) => {
    if (state === 'unacknowledged') isKnown = false;
    if (state === 'deleting' && deletes) return;
    samples.push({ timeMs, value: valueOf(model.schedule, series, round), isStale });
  });
  return isKnown ? samples : undefined;
}

/** Within a step and a tenth of the end of a window, a series is taken to go on to it. */
const REACH = 1.1;

/** As rate() and increase() are defined in Prometheus. */
function extrapolated(
  all: readonly Sample[],
  timeMs: number,
  windowMs: number,
  perSecond: boolean,
): number | undefined {
  const samples = all.filter(({ isStale }) => !isStale);
  if (samples.length < 2) return undefined;
  const first = samples[0]!;
  const last = samples.at(-1)!;
  let increase = last.value - first.value;
  for (let i = 1; i < samples.length; i++) {
    if (samples[i]!.value < samples[i - 1]!.value) increase += samples[i - 1]!.value;
  }
  const sampled = (last.timeMs - first.timeMs) / 1_000;
  const average = sampled / (samples.length - 1);
  let toStart = (first.timeMs - (timeMs - windowMs)) / 1_000;
  let toEnd = (timeMs - last.timeMs) / 1_000;
  if (toStart >= average * REACH) toStart = average / 2;
  if (increase > 0 && first.value >= 0) toStart = Math.min(toStart, sampled * (first.value / increase));
  if (toEnd >= average * REACH) toEnd = average / 2;
  const result = (increase * (sampled + toStart + toEnd)) / sampled;
  return perSecond ? result / (windowMs / 1_000) : result;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
