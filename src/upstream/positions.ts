import { children, type Expr, type Span } from '../promql/ast.ts';
import { ALL_FEATURES } from '../promql/features.ts';
import { parseExpr } from '../promql/parse.ts';

/** Finds the node of a tree at a place in its text, line and column as Prometheus writes them. */
export type SpanAt = (line: number, column: number) => Span;

/**
 * For a tree that was printed as `text`, whose spans say something else than where its nodes stand there. What stands
 * nowhere is said of the root.
 */
export function positionsIn(text: string, root: Expr): SpanAt {
  let starts: ReadonlyMap<number, Span> | undefined;
  return (line, column) => {
    starts ??= startsOf(text, root);
    const offset = Buffer.from(text)
      .subarray(0, column - 1)
      .toString().length;
    return (line === 1 ? starts.get(offset) : undefined) ?? root.span;
  };
}

function startsOf(text: string, root: Expr): ReadonlyMap<number, Span> {
  const starts = new Map<number, Span>();
  const walk = (written: Expr, node: Expr): void => {
    if (written.kind === 'paren') return walk(written.expr, node);
    if (node.kind === 'paren' || node.kind === 'once') return walk(written, node.expr);
    // Of nodes that start at one place the innermost is meant.
    starts.set(written.span.start, node.span);
    const parts = children(node);
    for (const [i, part] of children(written).entries()) if (parts[i] !== undefined) walk(part, parts[i]);
  };
  walk(parseExpr(text, ALL_FEATURES), root);
  return starts;
}
