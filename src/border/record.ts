import { METRIC_NAME, labelNames, type Labels } from '../model/labels.ts';
import { cellsBucket, minuteOf, type Decision, type FragmentRecord } from '../ledger/leaf.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import type { Selected } from './selected.ts';

/*
 * What the ledger is told of an answer: names, times and rounded counts. No matcher's value, no sample and no number of what
 * was left out is among it, since the hub reads it and an auditor may.
 */

/** Of one fragment, list or question. */
export function releasedRecord(selected: Selected, dimensions: Iterable<string>, cells: number): FragmentRecord {
  return {
    decision: 'released',
    ...asked(selected),
    dimensions: [...new Set(dimensions)].filter((name) => name !== METRIC_NAME).sort(),
    cells: cellsBucket(cells),
    ...ruledBy(selected),
  };
}

export function refusedRecord(selected: Selected, { code }: Refusal): FragmentRecord {
  return { decision: 'refused', reason: code, ...asked(selected), dimensions: [], cells: '0' };
}

/** Of what could not be read, so that nobody knows what it selects. */
export function unreadRecord({ code }: Refusal): FragmentRecord {
  const at = minuteOf(0);
  return {
    decision: 'refused',
    reason: code,
    metrics: [],
    operators: [],
    dimensions: [],
    from: at,
    to: at,
    step_seconds: 0,
    cells: '0',
  };
}

/** An answer without fragments tells the domain's status. */
export function decisionOf(records: readonly FragmentRecord[]): Decision {
  const refused = records.filter(({ decision }) => decision === 'refused').length;
  if (refused === 0) return 'released';
  return refused === records.length ? 'refused' : 'partly';
}

/** The names of the labels that rows carry. */
export function dimensionsOf(rows: Iterable<{ readonly labels: Labels }>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { labels } of rows) for (const name of labelNames(labels)) names.add(name);
  return names;
}

/** How many numbers of the data rows show: series or groups, x steps. */
export function cellsOf(rows: readonly AnswerRow[]): number {
  let cells = 0;
  for (const { columns } of rows) for (const bit of columns.present) cells += bit;
  return cells;
}

function asked({ metrics, operators, fromMs, toMs, stepMs }: Selected) {
  return { metrics, operators, from: minuteOf(fromMs), to: minuteOf(toMs), step_seconds: stepMs / 1000 };
}

function ruledBy({ rules }: Selected): Pick<FragmentRecord, 'class' | 'min_series'> {
  const aggregates = rules.filter((rule) => rule.class === 'aggregate');
  if (aggregates.length > 0) {
    return { class: 'aggregate', min_series: Math.max(...aggregates.map(({ minSeries }) => minSeries)) };
  }
  return rules.some((rule) => rule.class === 'open') ? { class: 'open' } : {};
}
