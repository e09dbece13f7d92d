import type { AggregateOp } from '../promql/ast.ts';
import { combinations } from './combine.ts';
import { DEFAULT_OPERATORS, stricterClass, type EgressClass } from './egress-class.ts';
import { globMeets } from './glob.ts';
import type { Said, Speaker } from './said.ts';

/** What a policy says of the metrics that a rule of it decides. */
export interface MetricRule {
  /** The glob of the rule that decided the class, with its layer where there are several; `default` where none did. */
  readonly rule: string;
  readonly class: EgressClass;
  /** The aggregations that let the metric out where its class is `aggregate`; `quantile` means a sketch. */
  readonly operators: ReadonlySet<AggregateOp>;
  /** Every group at every step needs so many contributing series; 1: all. */
  readonly minSeries: number;
}

const DEFAULT_CLASS: EgressClass = 'aggregate';
const DEFAULT_OPERATOR_SET: ReadonlySet<AggregateOp> = new Set<AggregateOp>(DEFAULT_OPERATORS);

/** What documents say together: of each field the strictest, and the default where all are silent. */
export function metRule(said: readonly Said[]): MetricRule {
  let egress: EgressClass | undefined;
  let operators: ReadonlySet<AggregateOp> | undefined;
  let minSeries = 1;
  for (const one of said) {
    if (one.class !== undefined) egress = egress === undefined ? one.class : stricterClass(egress, one.class);
    if (one.operators !== undefined) operators = operators?.intersection(one.operators) ?? one.operators;
    minSeries = Math.max(minSeries, one.minSeries ?? 1);
  }
  const decisive = said.find((one) => one.class !== undefined && one.class === egress);
  return {
    rule: nameOf(decisive, said.length > 1),
    class: egress ?? DEFAULT_CLASS,
    operators: operators ?? DEFAULT_OPERATOR_SET,
    minSeries,
  };
}

function nameOf(said: Said | undefined, hasSeveral: boolean): string {
  const rule = said?.rule ?? 'default';
  return hasSeveral && said !== undefined ? `${rule} (${said.layer})` : rule;
}

/**
 * The rules that could decide a metric whose name begins with `prefix`: each metric is decided by one of them. Where there are
 * too many to say, one that is as strict as all of them stands for them.
 */
export function metBelow(speakers: readonly Speaker[], prefix: string): readonly MetricRule[] {
  const found = combinations(speakers, prefix);
  if (found === undefined) return [strictest(speakers, prefix)];
  const rules = new Map<string, MetricRule>();
  for (const { said } of found) {
    const rule = metRule(said);
    rules.set(`${rule.rule} ${rule.class} ${rule.minSeries} ${[...rule.operators].sort().join()}`, rule);
  }
  return [...rules.values()];
}

/** One rule as strict as any that could decide; no single metric need be so restricted. */
function strictest(speakers: readonly Speaker[], prefix: string): MetricRule {
  const said = speakers.flatMap(({ rules }) => rules.filter(({ glob }) => globMeets(glob, prefix)));
  // Where some are silent, the defaults may decide.
  const silent = { layer: 'local', glob: '*', rule: undefined } as const;
  return metRule([...said, { ...silent, class: DEFAULT_CLASS, operators: DEFAULT_OPERATOR_SET }]);
}
