import { children, type Expr, type Span } from '../../promql/ast.ts';

/**
 * Nodes of a tree that goes over the wire are known by their preorder index: the root is 0, then come the nodes below it as
 * `children` gives them. In a tree that was decoded it is `span.start`. Parentheses do not travel and do not
 * count.
 */
export function preorder(expr: Expr): Expr[] {
  const nodes: Expr[] = [];
  const walk = (node: Expr): void => {
    if (node.kind !== 'paren') nodes.push(node);
    for (const child of children(node)) walk(child);
  };
  walk(expr);
  return nodes;
}

/** Where the node with this preorder index stands in the text of the tree; the root's place for an index that none has. */
export function spanOfNode(expr: Expr, index: number): Span {
  return preorder(expr)[index]?.span ?? expr.span;
}

export function nodesIn(expr: Expr): number {
  return preorder(expr).length;
}
