import type { Permission } from '../plan/frames/explain-codec.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Policy } from '../policy/document.ts';
import { selectedRules } from '../policy/selected-metrics.ts';
import type { Aggregate, Expr, MatrixSelector, VectorSelector } from '../promql/ast.ts';
import { gridEnd } from '../model/grid.ts';

type ReleaseRule = Permission['rules'][number];

/** The rules of the policy that let the metrics of these nodes out; `metric` is empty for one that is not spelt out. */
export function releaseRules(nodes: readonly Expr[], policy: Policy): readonly ReleaseRule[] {
  const found = new Map<string, ReleaseRule>();
  for (const node of nodes) {
    if (node.kind !== 'vector') continue;
    for (const { metric, rule } of selectedRules(node, policy)) {
      found.set(JSON.stringify([metric, rule.rule]), { metric, class: rule.class, rule: rule.rule });
    }
  }
  return [...found.values()];
}

/** For each selector among the nodes of a fragment, one that counts its series at the fragment's last step. */
export function countFragments(
  { grid }: Fragment,
  nodes: readonly Expr[],
): readonly Extract<Fragment, { readonly answer: 'partial' }>[] {
  const ranged = new Map<Expr, MatrixSelector>();
  for (const node of nodes) if (node.kind === 'matrix') ranged.set(node.selector, node);
  const last = { startMs: gridEnd(grid), stepMs: grid.stepMs, steps: 1 };
  return nodes.flatMap((node) =>
    node.kind === 'vector' ? [{ answer: 'partial', expr: countOf(node, ranged.get(node)), grid: last }] : [],
  );
}

function countOf(selector: VectorSelector, range: MatrixSelector | undefined): Aggregate {
  const { span } = selector;
  const expr: Expr = range === undefined ? selector : { kind: 'call', func: 'present_over_time', args: [range], span };
  return { kind: 'aggregate', op: 'count', expr, without: false, grouping: [], span };
}
