import { longer } from '../../base/columns.ts';
import { ComityError } from '../../base/errors.ts';
import { formatFloat } from '../../base/numbers.ts';
import { histogramText } from '../../model/histogram-text.ts';
import { histogramAt, isHistogramAt } from '../../model/histogram.ts';
import { dropLabels, labelsKey, METRIC_NAME, withLabel, type Labels } from '../../model/labels.ts';
import type { Aggregate } from '../../promql/ast.ts';
import { quoteString } from '../../promql/literal.ts';
import type { Evaluation } from '../evaluation.ts';
import { groupingOf } from './groups.ts';
import { assertCells, type RowSink } from '../rows.ts';
import { stringArgument } from '../calls/string-arguments.ts';
import { spend, type Usage } from '../usage.ts';

/** `count_values`: at each step how many samples of each group have each value, with the value as a label. */
export function countValuesRows(node: Aggregate, evaluation: Evaluation, sink: RowSink): void {
  const { usage, grid } = evaluation;
  const label = stringArgument(node.param!);
  if (label === '' || !label.isWellFormed()) {
    throw new ComityError('execution', `invalid label name ${quoteString(label)}`);
  }
  // Where the value's label is aggregated away, all values of a group count together.
  const isKept = !node.without || (label !== METRIC_NAME && !node.grouping.includes(label));
  const grouping = groupingOf(node);
  const valueLabel = new Set([label]);
  const groups = new Map<string, Group>();
  const counts: Count[] = [];
  const seen = startSeen();

  function groupOf(labels: Labels): Group {
    const rest = grouping.labels(dropLabels(labels, valueLabel));
    const key = labelsKey(rest);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { labels: rest, byValue: new Map() }));
    return group;
  }

  function indexOf({ labels, byValue }: Group, value: number | string): number {
    let index = byValue.get(value);
    if (index === undefined) {
      index = counts.push({ labels, value, seen: 0 }) - 1;
      byValue.set(value, index);
      assertCells(counts.length);
    }
    return index;
  }

  evaluation.rows(node.expr, ({ labels, values, present, histograms }) => {
    const group = groupOf(labels);
    let last: number | undefined;
    let index = 0;
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 0) continue;
      if (!isKept) {
        index = indexOf(group, '');
      } else if (isHistogramAt(histograms, step)) {
        index = indexOf(group, histogramText(histogramAt(histograms, step)));
        last = undefined;
      } else if (last === undefined || !Object.is(values[step], last)) {
        // Values often stay as they are from step to step.
        last = values[step]!;
        index = indexOf(group, Object.is(last, -0) ? '-0' : last);
      }
      counts[index]!.seen += 1;
      see(seen, index, step);
    }
  });
  emit(counts, seen, grid.steps, usage, sink, (rest, value) => {
    if (!isKept) return rest;
    return withLabel(rest, label, typeof value === 'number' ? plainText(value) : value);
  });
}

interface Group {
  /** Without the label of the value. */
  readonly labels: Labels;
  /** Value -> index of its count. A float stands for itself, but a negative zero is `-0`; a histogram is its text. */
  readonly byValue: Map<number | string, number>;
}

/** One value of one group. */
interface Count {
  readonly labels: Labels;
  readonly value: number | string;
  /** Samples that have it, over all steps. */
  seen: number;
}

/** Which counts there are and at which steps, sample by sample: most values of a measurement are seen at one step only. */
interface Seen {
  counts: Uint32Array;
  steps: Uint32Array;
  used: number;
}

const FIRST_SAMPLES = 1024;

function startSeen(): Seen {
  return { counts: new Uint32Array(FIRST_SAMPLES), steps: new Uint32Array(FIRST_SAMPLES), used: 0 };
}

function see(seen: Seen, count: number, step: number): void {
  if (seen.used === seen.counts.length) {
    assertCells(seen.used * 2);
    seen.counts = longer(seen.counts, new Uint32Array(seen.used * 2));
    seen.steps = longer(seen.steps, new Uint32Array(seen.used * 2));
  }
  seen.counts[seen.used] = count;
  seen.steps[seen.used++] = step;
}

function emit(
  counts: readonly Count[],
  seen: Seen,
  steps: number,
  usage: Usage,
  sink: RowSink,
  labelsOf: (labels: Labels, value: number | string) => Labels,
): void {
  const ends = new Uint32Array(counts.length);
  let total = 0;
  for (const [index, count] of counts.entries()) {
    ends[index] = total;
    total += count.seen;
  }
  const stepsOf = new Uint32Array(total);
  for (let i = 0; i < seen.used; i++) stepsOf[ends[seen.counts[i]!]!++] = seen.steps[i]!;
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  for (const [index, { labels, value, seen: samples }] of counts.entries()) {
    spend(usage, steps);
    values.fill(0);
    present.fill(0);
    for (let at = ends[index]! - samples; at < ends[index]!; at++) {
      values[stepsOf[at]!]! += 1;
      present[stepsOf[at]!] = 1;
    }
    sink({ labels: labelsOf(labels, value), values, present });
  }
}

/** A float as Go's `%f` writes it with as many digits as it takes: never with an exponent. */
function plainText(value: number): string {
  if (!Number.isFinite(value)) return formatFloat(value);
  const text = String(value);
  const exponentAt = text.indexOf('e');
  if (exponentAt < 0) return text;
  const [, sign, digits] = /^(-?)([\d.]+)e/.exec(text) as unknown as [string, string, string];
  const exponent = Number(text.slice(exponentAt + 1));
  const [whole, fraction = ''] = digits.split('.') as [string, string?];
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${whole}${fraction}`;
  return `${sign}${whole}${fraction.padEnd(exponent, '0')}`;
}
