import { compareLabels } from '../../model/labels.ts';
import type { Row } from '../rows.ts';
import { comparedWithLooks, type Usage } from '../usage.ts';

/** The indices of rows in the order of their labels: what picks among equals by it does not hang on how they came. */
export function labelOrder(rows: readonly Row[], usage: Usage): number[] {
  const order = rows.map((_row, index) => index);
  const compare = comparedWithLooks((a: number, b: number) => compareLabels(rows[a]!.labels, rows[b]!.labels), usage);
  // Rows often come in order.
  if (!order.every((index) => index === 0 || compare(index - 1, index) <= 0)) order.sort(compare);
  return order;
}
