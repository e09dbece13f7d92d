import type { StepGrid } from '../../model/grid.ts';
import type { Fragment, Plan } from '../distribute.ts';
import { children, type Expr, type ValueType } from '../../promql/ast.ts';
import { isCoverage, typeOf } from '../../promql/check.ts';
import { printAggregateHead, printExpr, printOperator, printSubqueryTime } from '../../promql/print.ts';
import { keptLabels, labelsText } from './kept-labels.ts';

/** A node of an expression as a plan shows it. */
export interface PlanNode {
  readonly node: string;
  readonly type: ValueType;
  /** What labels its series may carry; missing where there are no series. */
  readonly labels?: string;
  /** The fragment whose merged answers stand here. */
  readonly fragment?: number;
  /** Whether domains are asked how complete it is, and nothing of its values. */
  readonly coverageOnly?: true;
  readonly parts?: readonly PlanNode[];
}

/** A plan: what each place is asked, and what is done with the answers. */
export interface PlanJson {
  readonly remainder: PlanNode;
  readonly fragments: readonly FragmentJson[];
  /** What is evaluated over raw series that all places hand over. */
  readonly rawReads: readonly string[];
}

export interface FragmentJson {
  /** See `Fragment`. */
  readonly answer: Fragment['answer'];
  /** Of a sketch's quantiles. */
  readonly relativeError?: number;
  readonly expr: string;
  readonly steps: GridJson;
  readonly tree: PlanNode;
}

/** What a place gives for a fragment, in words. */
export const ANSWER_WORDS: Readonly<Record<Fragment['answer'], string>> = {
  vector: 'the whole vector',
  partial: 'partial states, which are merged',
  sketch: 'sketches, which are merged',
  timed: 'the times of the samples',
};

/** Times are in ms. */
export interface GridJson {
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
}

export function planJson({ fragments, remainder, rawReads }: Plan): PlanJson {
  return {
    remainder: planNode(remainder),
    fragments: fragments.map(fragmentJson),
    rawReads: rawReads.map(({ expr }) => printExpr(expr)),
  };
}

export function fragmentJson(fragment: Fragment): FragmentJson {
  const { answer, expr, grid } = fragment;
  const sketched = answer === 'sketch' ? { relativeError: fragment.relativeError } : {};
  return { answer, ...sketched, expr: printExpr(expr), steps: gridJson(grid), tree: planNode(expr) };
}

export function gridJson({ startMs, stepMs, steps }: StepGrid): GridJson {
  return { startMs, stepMs, steps };
}

/** The tree of an expression as a plan shows it. */
export function planNode(expr: Expr): PlanNode {
  const type = typeOf(expr);
  const kept = type === 'vector' || type === 'matrix' ? { labels: labelsText(keptLabels(expr)) } : {};
  if (expr.kind === 'merged' && isCoverage(expr.of)) return { node: printExpr(expr.of), type, coverageOnly: true };
  if (expr.kind === 'merged') return { node: printExpr(expr.of), type, ...kept, fragment: expr.index };
  // A selector with its range is one thing to people.
  const inner = expr.kind === 'matrix' ? [] : children(expr);
  const own = { node: headOf(expr), type, ...kept };
  return inner.length === 0 ? own : { ...own, parts: inner.map(planNode) };
}

/** The node without what is below it. */
function headOf(expr: Expr): string {
  switch (expr.kind) {
    case 'aggregate':
      return printAggregateHead(expr).trim();
    case 'binary':
      return printOperator(expr);
    case 'call':
      return `${expr.func}()`;
    case 'unary':
      return expr.op;
    case 'paren':
      return '( )';
    case 'once':
      return 'once, for all steps';
    case 'subquery':
      return `subquery ${printSubqueryTime(expr)}`;
    default:
      return printExpr(expr);
  }
}

/** The lines of a tree, each behind `indent`. */
export function treeLines(root: PlanNode, indent: string): string[] {
  const lines: string[] = [];
  const add = (
    { node, type, labels, fragment, coverageOnly, parts = [] }: PlanNode,
    first: string,
    below: string,
  ): void => {
    const merged = fragment === undefined ? '' : `fragment ${fragment}: `;
    const asked = coverageOnly === true ? '; by domain, without its values' : '';
    const kept = labels === undefined ? asked : `; labels: ${labels}`;
    lines.push(`${first}${merged}${node}   [${type}${kept}]`);
    for (const [i, part] of parts.entries()) {
      const isLast = i === parts.length - 1;
      add(part, `${below}${isLast ? '└─ ' : '├─ '}`, `${below}${isLast ? '   ' : '│  '}`);
    }
  };
  add(root, indent, indent);
  return lines;
}
