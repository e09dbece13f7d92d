import { ComityError } from '../base/errors.ts';
import { formatFloat } from '../base/numbers.ts';
import { compareLabels } from '../model/labels.ts';
import type { Aggregate } from '../promql/ast.ts';
import { comparedWithLooks, spend, type Usage } from './usage.ts';
import { groupingOf } from './groups.ts';
import type { Row, RowSink } from './rows.ts';

/**
 * `topk` and `bottomk`: at each step the k largest (smallest) values of each group, with the labels of their series. NaN
 * comes last, and equal values are in the order of their labels. `k` holds the parameter at each step.
 */
export function topkRows(node: Aggregate, k: Float64Array, rows: readonly Row[], usage: Usage, sink: RowSink): void {
  if (k.every((limit) => limit < 1)) return;
  assertWhole(k);
  const grouping = groupingOf(node);
  const groups = new Map<string, number[]>();
  rows.forEach((row, index) => {
    spend(usage, GROUP_WORK);
    const key = grouping.key(row.labels);
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [index]);
    else members.push(index);
  });
  const chosen = rows.map((row) => new Uint8Array(row.present.length));
  for (let step = 0; step < k.length; step++) {
    const limit = Math.trunc(k[step]!);
    if (limit < 1) continue;
    const isWorse = (a: number, b: number): boolean =>
      (rank(node.op, rows[a]!.values[step]!, rows[b]!.values[step]!) ||
        compareLabels(rows[a]!.labels, rows[b]!.labels)) > 0;
    for (const members of groups.values()) {
      spend(usage, members.length);
      const present = members.filter((index) => rows[index]!.present[step] === 1);
      for (const index of present.length <= limit ? present : best(present, limit, isWorse, usage))
        chosen[index]![step] = 1;
    }
  }
  const order = rows.map((_row, index) => index).filter((index) => chosen[index]!.includes(1));
  // An instant answer is ordered by value; a range answer is ordered by labels when it is written.
  if (k.length === 1) {
    const byValue = (a: number, b: number): number =>
      rank(node.op, rows[a]!.values[0]!, rows[b]!.values[0]!) || compareLabels(rows[a]!.labels, rows[b]!.labels);
    order.sort(comparedWithLooks(byValue, usage));
  }
  for (const index of order) sink(rows[index]!.labels, rows[index]!.values, chosen[index]!, undefined);
}

/** What it takes to find the group of a row, in cells. */
const GROUP_WORK = 128;

/** Prometheus looks at the parameters of all steps before any. */
function assertWhole(k: Float64Array): void {
  if (k.includes(NaN)) throw new ComityError('execution', 'Parameter value is NaN');
  const under = k.find((limit) => limit <= -(2 ** 63));
  if (under !== undefined) throw new ComityError('execution', `Scalar value ${formatFloat(under)} underflows int64`);
  const over = k.find((limit) => limit >= 2 ** 63);
  if (over !== undefined) throw new ComityError('execution', `Scalar value ${formatFloat(over)} overflows int64`);
}

/** The `limit` best of more candidates, in no order: a heap of that size with its worst on top. */
function best(
  candidates: readonly number[],
  limit: number,
  isWorse: (a: number, b: number) => boolean,
  usage: Usage,
): number[] {
  const heap = candidates.slice(0, limit);
  for (let at = Math.floor(limit / 2) - 1; at >= 0; at--) siftDown(heap, at, isWorse);
  for (let i = limit; i < candidates.length; i++) {
    spend(usage, 1);
    if (!isWorse(heap[0]!, candidates[i]!)) continue;
    heap[0] = candidates[i]!;
    siftDown(heap, 0, isWorse);
  }
  return heap;
}

function siftDown(heap: number[], start: number, isWorse: (a: number, b: number) => boolean): void {
  const moved = heap[start]!;
  let at = start;
  for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && isWorse(heap[child + 1]!, heap[child]!)) child++;
    if (!isWorse(heap[child]!, moved)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = moved;
}

function rank(op: Aggregate['op'], a: number, b: number): number {
  if (a !== a) return b !== b ? 0 : 1;
  if (b !== b) return -1;
  if (a === b) return 0;
  return a > b === (op === 'topk') ? -1 : 1;
}
