import type { EgressClass } from '../../src/policy/egress-class.ts';
import { BY_SOME } from './federation-side.ts';
import { walk, type Node } from './grammar.ts';
import type { MayRefuse } from './judge.ts';
import { isAggregatedOnly } from './wrap.ts';

/** What a federation may refuse whose metrics are all of this class. */
export function refusalsOf(egressClass: EgressClass): MayRefuse {
  return egressClass === 'open'
    ? needsRawSamples
    : (node, reason) => (needsRawSamples(node, reason) || !isAggregatedOnly(node)) && OF_AGGREGATES.has(reason);
}

/** Why a metric of class aggregate does not leave its domain. */
const OF_AGGREGATES: ReadonlySet<string> = new Set([
  'range_vector',
  'series_parameter',
  'class_aggregate',
  'operator_not_permitted',
  'undecided',
  BY_SOME,
]);

/** Whether what a reason says is in a query: samples that would have to leave their domain. */
const needsRawSamples: MayRefuse = (node, reason) => {
  if (reason === 'range_vector') return isRangeVector(node);
  if (reason !== 'series_parameter') return false;
  return [...walk(node)].some(
    (part) =>
      part.kind === 'call' &&
      part.args.some(isRangeVector) &&
      part.args.some((arg) => !isRangeVector(arg) && [...walk(arg)].some(({ kind }) => kind === 'selector')),
  );
};

function isRangeVector(node: Node): boolean {
  if (node.kind === 'paren') return isRangeVector(node.expr);
  return node.kind === 'subquery' || (node.kind === 'selector' && node.range !== undefined);
}
