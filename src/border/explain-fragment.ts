import { gridEnd } from '../model/grid.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Permission } from '../plan/frames/explain-codec.ts';
import { preorder } from '../plan/frames/preorder.ts';
import { checkRows } from '../policy/check.ts';
import type { Policy } from '../policy/document.ts';
import { selectedRules } from '../policy/selected-metrics.ts';
import type { Aggregate, Expr, MatrixSelector, VectorSelector } from '../promql/ast.ts';
import { largeGroups } from './answer-fragment.ts';
import { checkCountable, guardedGroups, withoutSmallGroups } from './min-series.ts';
import type { Prepared } from './prepare.ts';
import { checkTree, type Request } from './request.ts';
import { selectedByFragment } from './selected.ts';

/**
 * The rules that let a fragment out, and how many series it draws on: for each selector what a `count` of its series would
 * say at the last step, as far as the policy lets such a count out.
 */
export async function explainFragment({ fragment }: Prepared, request: Request): Promise<Permission> {
  const { policy } = request;
  const nodes = preorder(fragment.expr);
  let series = 0;
  for (const count of countFragments(fragment, nodes)) {
    const { refusal } = await checkTree(count, request);
    if (refusal !== undefined || checkCountable(count.expr, policy) !== undefined) continue;
    const guarded = guardedGroups(count.expr, policy);
    const evaluated = withoutSmallGroups(count, guarded);
    const selected = selectedByFragment(count, policy);
    const { rows } = await largeGroups({ fragment: count, selected, evaluated, guarded, hasLooked: false }, request);
    if (checkRows(rows, policy) !== undefined) continue;
    for (const { columns } of rows) series += columns.fields[0]![0]!;
  }
  return { rules: releaseRules(nodes, policy), series };
}

type ReleaseRule = Permission['rules'][number];

/** The rules of the policy that let the metrics of these nodes out; `metric` is empty for one that is not spelt out. */
function releaseRules(nodes: readonly Expr[], policy: Policy): readonly ReleaseRule[] {
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
function countFragments(
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
