import { ComityError } from '../base/errors.ts';
import { labelsKey } from '../model/labels.ts';
import type { Aggregate } from '../promql/ast.ts';
import { groupLabels } from './groups.ts';
import type { Row, RowSink } from './rows.ts';

/**
 * `topk` and `bottomk`: at each step the k largest (smallest) values of each group, with the labels of their series. NaN
 * comes last. `k` holds the parameter at each step.
 */
export function topkRows(node: Aggregate, k: Float64Array, rows: readonly Row[], sink: RowSink): void {
  const labelsOfGroup = groupLabels(node);
  const groups = new Map<string, number[]>();
  rows.forEach((row, index) => {
    const key = labelsKey(labelsOfGroup(row.labels));
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [index]);
    else members.push(index);
  });
  const chosen = rows.map((row) => new Uint8Array(row.present.length));
  for (let step = 0; step < k.length; step++) {
    const limit = wholeNumber(k[step]!);
    if (limit < 1) continue;
    for (const members of groups.values()) {
      const candidates = members.filter((index) => rows[index]!.present[step] === 1);
      candidates.sort((a, b) => rank(node.op, rows[a]!.values[step]!, rows[b]!.values[step]!));
      for (const index of candidates.slice(0, limit)) chosen[index]![step] = 1;
    }
  }
  const order = rows.map((_row, index) => index);
  // An instant answer is ordered by value; a range answer is ordered by labels when it is written.
  if (k.length === 1) order.sort((a, b) => rank(node.op, rows[a]!.values[0]!, rows[b]!.values[0]!));
  for (const index of order) {
    if (chosen[index]!.includes(1)) sink(rows[index]!.labels, rows[index]!.values, chosen[index]!);
  }
}

function rank(op: Aggregate['op'], a: number, b: number): number {
  if (a !== a) return b !== b ? 0 : 1;
  if (b !== b) return -1;
  if (a === b) return 0;
  return a > b === (op === 'topk') ? -1 : 1;
}

function wholeNumber(k: number): number {
  if (Number.isNaN(k)) throw new ComityError('execution', 'Parameter value is NaN');
  if (Math.abs(k) >= 2 ** 63) throw new ComityError('execution', `Scalar value ${k} overflows int64`);
  return Math.trunc(k);
}
