import type { Node } from './grammar.ts';
import type { When } from './scope.ts';

/** What the order of an answer's series means: their labels', their values', that of some labels, or nothing. */
export type Order =
  | { readonly by: 'labels' | 'values' | 'nothing' }
  | { readonly by: 'some labels'; readonly names: readonly string[] };

/** As PromQL defines it: a range is in the order of labels, an instant only where it was asked for one. */
export function orderOf(node: Node, when: When): Order {
  if (when.kind === 'range') return { by: 'labels' };
  if (node.kind === 'paren') return orderOf(node.expr, when);
  if (node.kind === 'aggregate') {
    // Groups come one after the other, in no order of their own.
    const isOneGroup = node.grouping === undefined || (!node.grouping.without && node.grouping.labels.length === 0);
    return { by: (node.op === 'topk' || node.op === 'bottomk') && isOneGroup ? 'values' : 'nothing' };
  }
  if (node.kind !== 'call') return { by: 'nothing' };
  if (node.func === 'sort' || node.func === 'sort_desc') return { by: 'values' };
  if (!node.func.startsWith('sort_by_label')) return { by: 'nothing' };
  const names = node.args
    .slice(1)
    .flatMap((name) => (name.kind === 'literal' ? [JSON.parse(name.text) as string] : []));
  return { by: 'some labels', names };
}
