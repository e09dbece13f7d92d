import { quantile } from './calls.ts';
import { call, literal, quoted, type Aggregate, type Node } from './grammar.ts';
import type { Language } from './language.ts';
import { pickLabels, withDomain, type Scope, type Wanted } from './scope.ts';

/** The aggregations whose values do not hang on which of equals is taken. */
export function steadyAggregations({ aggregations }: Language): string[] {
  return [...aggregations.keys()].filter((op) => !RANKING.has(op));
}

/** They choose among series; which ones, is not always defined. */
export const RANKING: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk']);

/** An aggregation of a fitting vector. What a ranking leaves open must not decide about more than which series are shown. */
export function makeAggregate(scope: Scope, op: string, depth: number, wanted: Wanted, isRoot: boolean): Node {
  const { random, language } = scope;
  const ofWhat = wanted === 'any' ? random.pick(['float', 'float', 'histogram', 'any'] as const) : wanted;
  if ((op === 'sum' || op === 'avg') && ofWhat !== 'histogram' && random.chance(0.15)) {
    const expr: Node = { kind: 'selector', name: 'balance', matchers: [], time: {} };
    return {
      kind: 'aggregate',
      op,
      expr,
      grouping: { without: false, labels: random.pick([[], ['domain'], ['job']]) },
    };
  }
  const expr = scope.vector(ofWhat, depth - 1);
  const grouping = random.weighted<Aggregate['grouping']>([
    [3, undefined],
    [5, { without: false, labels: pickLabels(scope, 0.5) }],
    [2, { without: true, labels: pickLabels(scope, 0.4) }],
  ]);
  const made: Aggregate = { kind: 'aggregate', op, expr, ...(grouping === undefined ? {} : { grouping }) };
  if (language.aggregations.get(op) === undefined) return made;
  const whole: Aggregate = { ...made, param: parameter(scope, op) };
  // What a ranking leaves open must not decide about more than which series are shown.
  return RANKING.has(op) && !isRoot && random.chance(0.5) ? call('absent', whole) : whole;
}

function parameter(scope: Scope, op: string): Node {
  const { random } = scope;
  switch (op) {
    case 'count_values':
      return literal(quoted(random.pick(withDomain(scope, ['value', 'value', 'job', 'läbel.x', '', '__name__']))));
    case 'quantile':
      return quantile(scope);
    case 'limit_ratio':
      return literal(
        random.pick(['0.5', '-0.5', '0.1', '0.9', '-0.3', '-0.8', '0.7', '1', '0', '-1', '1.5', '-7', 'NaN']),
      );
    default:
      return random.weighted<() => Node>([
        [10, () => literal(random.int(1, 5))],
        [2, () => literal(random.pick(['0', '-1', '2.7', '1e18', 'NaN', 'Inf', '100']))],
        [1, () => scope.scalar(1)],
      ])();
  }
}
