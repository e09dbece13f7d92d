import { gridEnd } from '../model/grid.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { CoverageQuestion } from '../plan/frames/coverage-codec.ts';
import { preorder } from '../plan/frames/preorder.ts';
import { namedLabels } from '../policy/carried-labels.ts';
import type { Policy } from '../policy/document.ts';
import type { MetricRule } from '../policy/meet.ts';
import { selectedRules } from '../policy/selected-metrics.ts';
import type { Expr } from '../promql/ast.ts';

/** What is asked for, by names and times: for the record of the answer and for whoever may veto it. */
export interface Selected {
  /** Spelt out, in order; `*` for a selector that spells none, or where they are many. */
  readonly metrics: readonly string[];
  /** Aggregations, in order. */
  readonly operators: readonly string[];
  /** Labels that are grouped by, matched or read, in order. */
  readonly labels: readonly string[];
  /** Of the steps that are answered, in ms since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
  /** 0 where there are no steps. */
  readonly stepMs: number;
  /** The rules for all metrics that it can select. */
  readonly rules: readonly MetricRule[];
}

/** What a request for a list selects. */
export interface ListRange {
  readonly selectors: readonly (readonly Matcher[])[];
  readonly fromMs: number;
  readonly toMs: number;
}

export function selectedByFragment({ expr, grid }: Fragment, policy: Policy): Selected {
  const operators = new Set<string>();
  const labels = new Set<string>();
  const selectors: (readonly Matcher[])[] = [];
  for (const node of preorder(expr)) {
    if (node.kind === 'aggregate') operators.add(node.op);
    if (node.kind === 'vector') selectors.push(node.matchers);
    for (const label of labelsIn(node)) labels.add(label);
  }
  const { startMs: fromMs, stepMs } = grid;
  const times = { fromMs, toMs: gridEnd(grid), stepMs: grid.steps > 1 ? stepMs : 0 };
  return { ...metricsIn(selectors, policy), ...times, operators: inOrder(operators), labels: inOrder(labels) };
}

export function selectedByList({ selectors, fromMs, toMs }: ListRange, label: string, policy: Policy): Selected {
  const labels = new Set(label === '' ? [] : [label]);
  for (const matchers of selectors) for (const name of matchedNames(matchers)) labels.add(name);
  const asked = selectors.length === 0 ? [[]] : selectors;
  return { ...metricsIn(asked, policy), fromMs, toMs, stepMs: 0, operators: [], labels: inOrder(labels) };
}

/** `coverage` is not an aggregation, but the word for what is told of the streams behind some reads. */
export function selectedByCoverage({ grid, reads }: CoverageQuestion): Selected {
  const metrics = namesOf(new Set(reads.map(({ metric }) => (metric === '' ? ANY : metric))));
  const { startMs: fromMs, stepMs, steps } = grid;
  const times = { fromMs, toMs: gridEnd(grid), stepMs: steps > 1 ? stepMs : 0 };
  return { metrics, operators: ['coverage'], labels: [], ...times, rules: [] };
}

/** For a metric that is not spelt out. */
const ANY = '*';

/** More names than this are as good as all: a record says which metrics, not how a text lists them. */
const METRICS_MAX = 64;

function metricsIn(selectors: readonly (readonly Matcher[])[], policy: Policy): Pick<Selected, 'metrics' | 'rules'> {
  const names = new Set<string>();
  const rules = new Set<MetricRule>();
  for (const matchers of selectors) {
    for (const { metric, rule } of selectedRules({ matchers }, policy)) {
      names.add(metric === '' ? ANY : metric);
      rules.add(rule);
    }
  }
  return { metrics: namesOf(names), rules: [...rules] };
}

function namesOf(names: ReadonlySet<string>): readonly string[] {
  return names.size > METRICS_MAX ? [ANY] : inOrder(names);
}

function labelsIn(node: Expr): Iterable<string> {
  switch (node.kind) {
    case 'vector':
      return matchedNames(node.matchers);
    case 'aggregate':
      return node.grouping;
    case 'binary':
      return [...(node.matching?.labels ?? []), ...(node.matching?.include ?? [])];
    case 'call':
      return namedLabels(node);
    default:
      return [];
  }
}

function matchedNames(matchers: readonly Matcher[]): readonly string[] {
  return matchers.map(({ name }) => name).filter((name) => name !== METRIC_NAME);
}

function inOrder(names: Iterable<string>): readonly string[] {
  return [...names].sort();
}
