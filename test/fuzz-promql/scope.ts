import type { Random } from '../random.ts';
import type { Dataset, Metric } from './dataset.ts';
import type { Node } from './grammar.ts';
import type { Language } from './language.ts';
import type { Content } from './samples.ts';

/** What the samples of a wanted expression should be; `any` leaves it open. */
export type Wanted = 'counter' | 'gauge' | 'float' | 'histogram' | 'classic' | 'any';

/** What a query is generated from and for. */
export interface Scope {
  readonly random: Random;
  readonly data: Dataset;
  readonly language: Language;
  readonly when: When;
  /** An instant vector; `depth` is how many more operations it may hold. */
  vector(wanted: Wanted, depth: number): Node;
  scalar(depth: number): Node;
}

/** When a query is evaluated: at one time, or at the steps of a range. Milliseconds. */
export type When = { readonly lookbackMs?: number } & (
  | { readonly kind: 'instant'; readonly timeMs: number }
  | { readonly kind: 'range'; readonly startMs: number; readonly endMs: number; readonly stepMs: number }
);

const FITTING: Readonly<Record<Wanted, readonly Content[]>> = {
  counter: ['counter'],
  gauge: ['gauge'],
  float: ['counter', 'gauge', 'gauge', 'info'],
  histogram: ['histogram', 'gauge-histogram', 'histogram'],
  classic: ['classic'],
  any: ['counter', 'gauge', 'histogram', 'gauge-histogram', 'mixed', 'classic', 'info'],
};

/** A share of queries asks for what does not fit, as people do. */
const MISFITS = 0.04;

export function pickMetric({ random, data }: Scope, wanted: Wanted): Metric {
  const kind = random.chance(MISFITS) ? 'any' : wanted;
  // A series of both kinds of samples fits wherever either does.
  const content = random.chance(0.06) ? 'mixed' : random.pick(FITTING[kind]);
  const fitting = data.metrics.filter((metric) => metric.content === content);
  return random.pick(fitting);
}

/** Whether the domain label tells anything: then queries use it as any other, and more often. */
export function isSpread({ data }: Pick<Scope, 'data'>): boolean {
  return data.domains.length > 1;
}

/** Some of these, with the domain label where it tells anything. */
export function withDomain(scope: Pick<Scope, 'data'>, names: readonly string[]): readonly string[] {
  return isSpread(scope) ? [...names, 'domain'] : names;
}

/** What tells the targets of a metric apart; without the domain, which may be another target's, for some. */
export function targetLabels(scope: Scope): readonly string[] {
  const labels = ['job', 'instance'];
  return isSpread(scope) && scope.random.chance(0.6) ? [...labels, 'domain'] : labels;
}

/** Labels to group or match by: mostly those that all metrics have. */
export function pickLabels(scope: Scope, p: number): string[] {
  const { random, data } = scope;
  const some = random.subset(['job', 'instance'], p);
  if (isSpread(scope) && random.chance(0.35)) some.push('domain');
  if (random.chance(0.15)) some.push(random.pick([...data.values.keys(), '__name__', 'nothing']));
  return [...new Set(some)];
}
