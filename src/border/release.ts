import { setImmediate } from 'node:timers/promises';
import { ComityError, toComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { startUsage, type EvalContext, type Usage } from '../engine/context.ts';
import { aggregateGroups, evaluate } from '../engine/evaluate.ts';
import { labelValue, METRIC_NAME } from '../model/labels.ts';
import type { Source } from '../model/source.ts';
import type { ColumnsRow } from '../plan/columns-codec.ts';
import type { Fragment } from '../plan/distribute.ts';
import {
  encodeErrorAnswer,
  encodeLabelsAnswer,
  encodeQueryAnswer,
  encodeStatusAnswer,
  type DomainStatus,
  type FragmentAnswer,
  type FragmentQuery,
  type LabelsQuery,
  type Refusal,
} from '../plan/frames.ts';
import { checkFragment, checkLabels, checkMatchers } from '../policy/check.ts';
import type { Policy } from '../policy/document.ts';
import { seal, type Released } from './released.ts';

/** What the border decides by. */
export interface Border {
  readonly policy: Policy;
  readonly source: Source;
  status(): DomainStatus;
}

/**
 * Answers a hub's fragments: for each, the policy's check of the tree, the evaluation, then the policy's check of every
 * label set that would leave. A fragment that fails is answered with a refusal; the others are answered all the same.
 * Between fragments others of the process get their turn.
 */
export async function releaseQuery(query: FragmentQuery, border: Border): Promise<Released> {
  const usage = startUsage(Date.now() + Math.min(query.timeLeftMs, LIMITS.answerMs));
  const fragments: FragmentAnswer[] = [];
  for (const fragment of query.fragments) {
    fragments.push(answerFragment(fragment, query, border, usage));
    await setImmediate();
  }
  return seal('query', encodeQueryAnswer({ status: border.status(), fragments }, query.fragments));
}

/** Label names or the values of one label, as far as the policy permits them, of metrics that are not sealed. */
export function releaseLabels(query: LabelsQuery, border: Border): Released {
  const { policy, source } = border;
  const status = border.status();
  const forbidden =
    query.name !== '' && !policy.permitsLabel(query.name)
      ? ({ code: 'label_not_permitted', name: query.name } as const)
      : query.selectors.map((matchers) => checkMatchers(matchers, policy)).find((refusal) => refusal !== undefined);
  if (forbidden !== undefined) return seal('labels', encodeLabelsAnswer({ status, refusal: forbidden }));

  const found = new Set<string>();
  const limit = Math.min(query.limit || LIMITS.labelValues, LIMITS.labelValues);
  for (const matchers of query.selectors.length === 0 ? [[]] : query.selectors) {
    if (found.size >= limit) break;
    for (const labels of source.series(matchers, query.fromMs, query.toMs)) {
      if (found.size >= limit) break;
      if (policy.classOf(labelValue(labels, METRIC_NAME)) === 'sealed') continue;
      if (query.name === '') addPermittedNames(found, labels, policy);
      else if (labelValue(labels, query.name) !== '') found.add(labelValue(labels, query.name));
    }
  }
  return seal('labels', encodeLabelsAnswer({ status, values: [...found].sort() }));
}

/** The heartbeat: what `DomainStatus` has and nothing more. */
export function releaseStatus(border: Border): Released {
  return seal('status', encodeStatusAnswer(border.status()));
}

/** The code of an error, without its words: they could tell of the data. */
export function releaseError(error: ComityError): Released {
  return seal('error', encodeErrorAnswer(error.code));
}

function answerFragment(fragment: Fragment, query: FragmentQuery, border: Border, usage: Usage): FragmentAnswer {
  const { policy, source } = border;
  const { grid, lookbackMs } = query;
  try {
    const refusal = checkFragment(fragment, policy, ({ matchers }) => source.series(matchers, -Infinity, Infinity));
    if (refusal !== undefined) return { refusal };
    const ctx: EvalContext = { grid, lookbackMs, source: guarded(source, policy), merged: [], usage, scope: 'part' };
    const rows = fragmentRows(fragment, ctx);
    for (const row of rows) {
      const leak = checkLabels(row.labels, policy);
      if (leak !== undefined) return { refusal: leak };
    }
    return { rows };
  } catch (error) {
    return { refusal: evaluationRefusal(toComityError(error)) };
  }
}

/** A second lock: should the check of the tree ever miss a sealed metric, its samples are not read all the same. */
function guarded(source: Source, policy: Policy): Source {
  const sealedNames = new Map<string, boolean>();
  const isSealed = (name: string): boolean => {
    let sealed = sealedNames.get(name);
    if (sealed === undefined) {
      sealed = policy.classOf(name) === 'sealed';
      sealedNames.set(name, sealed);
    }
    return sealed;
  };
  return {
    series: (matchers, fromMs, toMs) => source.series(matchers, fromMs, toMs),
    *select(matchers, fromMs, toMs) {
      for (const series of source.select(matchers, fromMs, toMs)) {
        if (isSealed(labelValue(series.labels, METRIC_NAME)))
          throw new ComityError('refused', 'a sealed metric was selected');
        yield series;
      }
    },
  };
}

function fragmentRows(fragment: Fragment, ctx: EvalContext): readonly ColumnsRow[] {
  if (fragment.answer === 'partial') return aggregateGroups(fragment.expr, ctx).list();
  const value = evaluate(fragment.expr, ctx);
  if (value.kind !== 'vector') throw new ComityError('unsupported', 'unsupported: a fragment must be a vector');
  return value.rows.map(({ labels, values, present }) => ({ labels, columns: { present, fields: [values] } }));
}

/** An error of evaluation leaves as its code: its message may hold label values. Our own faults stay errors. */
function evaluationRefusal(error: ComityError): Refusal {
  switch (error.code) {
    case 'refused':
      return { code: 'class_sealed', name: '' };
    case 'execution':
    case 'undecided':
    case 'limit':
    case 'timeout':
    case 'unsupported':
      return { code: error.code, name: '' };
    default:
      throw error;
  }
}

function addPermittedNames(found: Set<string>, labels: readonly string[], policy: Policy): void {
  for (let i = 0; i < labels.length; i += 2) if (policy.permitsLabel(labels[i]!)) found.add(labels[i]!);
}
