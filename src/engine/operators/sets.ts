import type { Binary } from '../../promql/ast.ts';
import type { Evaluation } from '../evaluation.ts';
import { anyPresent, mergeEqualRows, type Row, type RowSink } from '../rows.ts';
import { signatureOf, type Signature } from './signature.ts';
import { spend } from '../usage.ts';

/** `and`, `or` and `unless`, step by step; presence is all they look at, so histograms pass as they are. */
export function setRows(node: Binary, evaluation: Evaluation, sink: RowSink): void {
  const left = evaluation.collect(node.left);
  const right = evaluation.collect(node.right);
  const signature = signatureOf(node.matching!);
  if (node.op !== 'or') return filterRows(left, right, signature, node.op === 'and' ? 1 : 0, evaluation, sink);
  // A label set can come from one side at some steps and from the other at others.
  const merged = mergeEqualRows(false, evaluation.usage);
  for (const row of left) merged.sink(row);
  filterRows(right, left, signature, 0, evaluation, merged.sink);
  merged.drain(sink);
}

/** What it takes to make a key of a label set, in cells. */
const LABELS_WORK = 128;

/** The rows where those of the other side have the signature (1) or have it not (0). */
function filterRows(
  rows: readonly Row[],
  others: readonly Row[],
  signature: Signature,
  wanted: 0 | 1,
  { grid: { steps }, usage }: Evaluation,
  sink: RowSink,
): void {
  const presence = new Map<string, Uint8Array>();
  for (const { labels, present } of others) {
    spend(usage, LABELS_WORK + steps);
    const key = signature.key(labels);
    const mask = presence.get(key);
    if (mask === undefined) presence.set(key, present.slice());
    else for (let step = 0; step < steps; step++) mask[step]! |= present[step]!;
  }
  for (const row of rows) {
    spend(usage, LABELS_WORK + steps);
    const mask = presence.get(signature.key(row.labels));
    if (mask === undefined) {
      if (wanted === 0) sink(row);
      continue;
    }
    const present = row.present.slice();
    for (let step = 0; step < steps; step++) if (mask[step] !== wanted) present[step] = 0;
    if (anyPresent(present)) sink({ ...row, present });
  }
}
