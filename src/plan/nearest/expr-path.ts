import { children, type Expr, type Span, type VectorSelector } from '../../promql/ast.ts';
import { mapChildren } from '../../promql/map.ts';

/** The node that stands at `span` in the text of a tree: the outermost of them, or the smallest that holds it. */
export function nodeAt(root: Expr, span: Span): Expr {
  let best = root;
  const size = ({ start, end }: Span): number => end - start;
  const walk = (node: Expr): void => {
    const holds = node.span.start <= span.start && node.span.end >= span.end;
    if (holds && size(node.span) < size(best.span)) best = node;
    for (const child of children(node)) walk(child);
  };
  walk(root);
  return best;
}

/** The nodes above `target`, from its parent up to the root; undefined where the tree does not have it. */
export function nodesAbove(root: Expr, target: Expr): Expr[] | undefined {
  if (root === target) return [];
  for (const child of children(root)) {
    const above = nodesAbove(child, target);
    if (above !== undefined) return [...above, root];
  }
  return undefined;
}

/** The tree with some of its nodes, known by identity, replaced. What lies below a replaced node stays as the new one has it. */
export function replaced(root: Expr, by: ReadonlyMap<Expr, Expr>): Expr {
  const other = by.get(root);
  if (other !== undefined) return other;
  return mapChildren(root, (child) => replaced(child, by));
}

/** The tree with every selector changed, those of ranges too. */
export function mapSelectors(root: Expr, change: (selector: VectorSelector) => VectorSelector): Expr {
  if (root.kind === 'vector') return change(root);
  if (root.kind === 'matrix') return { ...root, selector: change(root.selector) };
  return mapChildren(root, (child) => mapSelectors(child, change));
}

/** Every selector of a tree, in the order of the text. */
export function selectorsIn(root: Expr): VectorSelector[] {
  return root.kind === 'vector' ? [root] : children(root).flatMap(selectorsIn);
}
