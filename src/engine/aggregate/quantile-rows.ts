import { isHistogramAt } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { Aggregate } from '../../promql/ast.ts';
import { rangeOf } from './aggregate-parameter.ts';
import { ignoredInAggregation, invalidQuantile } from '../annotations.ts';
import type { Evaluation } from '../evaluation.ts';
import { groupingOf } from './groups.ts';
import { innerSpan } from './inner-span.ts';
import { quantileOf } from './quantile-of.ts';
import { anyPresent, type Row, type RowSink } from '../rows.ts';
import { spend } from '../usage.ts';

/** `quantile`: at each step the phi-quantile of the floats of each group. */
export function quantileRows(node: Aggregate, evaluation: Evaluation, sink: RowSink): void {
  const { usage, notes } = evaluation;
  const phis = evaluation.scalar(node.param!);
  const groups = membersOf(node, evaluation);
  noteParameters(node, phis, evaluation);
  const values = new Float64Array(phis.length);
  const present = new Uint8Array(phis.length);
  let scratch = new Float64Array(0);
  let leftOut = false;
  for (const { labels, members } of groups) {
    const cells = members.length * Math.min(STEPS_AT_ONCE, phis.length);
    if (scratch.length < cells) scratch = new Float64Array(cells);
    for (let from = 0; from < phis.length; from += STEPS_AT_ONCE) {
      const to = Math.min(phis.length, from + STEPS_AT_ONCE);
      spend(usage, members.length * (to - from) * CELL_WORK);
      const counts = new Uint32Array(to - from);
      for (const row of members) leftOut = gather(row, from, to, scratch, members.length, counts) || leftOut;
      for (let step = from; step < to; step++) {
        const start = (step - from) * members.length;
        const count = counts[step - from]!;
        present[step] = count > 0 ? 1 : 0;
        if (count > 0) values[step] = quantileOf(phis[step]!, scratch.subarray(start, start + count));
      }
    }
    if (anyPresent(present)) sink({ labels, values, present, dropsName: dropsNameAtLast(members, present) });
  }
  if (leftOut) notes.add(ignoredInAggregation(node.op, innerSpan(node.expr)));
}

/** A cache line of each column: reading step by step would fetch the same line again and again. */
const STEPS_AT_ONCE = 8;

/** Finding a quantile costs so much for each value, in cells. */
const CELL_WORK = 4;

interface Members {
  readonly labels: Labels;
  readonly members: Row[];
}

function membersOf(node: Aggregate, evaluation: Evaluation): Iterable<Members> {
  const grouping = groupingOf(node);
  const groups = new Map<string, Members>();
  for (const row of evaluation.collect(node.expr)) {
    const key = grouping.key(row.labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels: grouping.labels(row.labels), members: [row] });
    else group.members.push(row);
  }
  return groups.values();
}

/**
 * Puts the floats of steps [from, to) behind those of the rows before, which have `room` for each step; true when there were
 * histograms among them.
 */
function gather(
  { values, present, histograms }: Row,
  from: number,
  to: number,
  scratch: Float64Array,
  room: number,
  counts: Uint32Array,
): boolean {
  let sawHistogram = false;
  for (let step = from; step < to; step++) {
    if (present[step] === 0) continue;
    if (isHistogramAt(histograms, step)) {
      sawHistogram = true;
      continue;
    }
    const column = step - from;
    scratch[column * room + counts[column]!] = values[step]!;
    counts[column]! += 1;
  }
  return sawHistogram;
}

function noteParameters(node: Aggregate, phis: Float64Array, { notes }: Evaluation): void {
  const { least, largest, hasNaN } = rangeOf(phis);
  const span = innerSpan(node.param!);
  if (hasNaN) notes.add(invalidQuantile(NaN, span));
  if (largest > 1) notes.add(invalidQuantile(largest, span));
  if (least < 0) notes.add(invalidQuantile(least, span));
}

/** As in Prometheus, the last step with a value decides for all. */
function dropsNameAtLast(members: readonly Row[], present: Uint8Array): boolean {
  const last = present.lastIndexOf(1);
  return members.some(
    (row) => row.dropsName === true && row.present[last] === 1 && !isHistogramAt(row.histograms, last),
  );
}
