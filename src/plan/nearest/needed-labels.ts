import { COMPARISON_OPS, SET_OPS, type Aggregate, type Binary, type Call, type Expr } from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';
import { keptLabels } from '../explain/kept-labels.ts';

/** Labels of a vector's series that what stands above it looks at. */
export interface NeededLabels {
  readonly labels: readonly string[];
  /** Whether a match or a scalar settles which they are, so that none besides may be there. */
  readonly isSettled: boolean;
}

/** Aggregations that pick among series and leave them as they are. */
const PICKING: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio']);

export function isReducing({ op }: Aggregate): boolean {
  return !PICKING.has(op);
}

/** The labels that `node` must keep for the nodes above it (parent first) to mean what they do. */
export function neededLabels(node: Expr, above: readonly Expr[]): NeededLabels {
  const needed = new Set<string>();
  /** Labels that something on the way up makes anew. */
  const made = new Set<string>();
  const need = (labels: Iterable<string>): void => {
    for (const label of labels) if (!made.has(label)) needed.add(label);
  };
  let isSettled = false;
  let below = node;
  for (const parent of above) {
    if (parent.kind === 'aggregate') {
      if (!parent.without) need(parent.grouping);
      if (isReducing(parent) && below === parent.expr) break;
    } else if (parent.kind === 'call') {
      if (parent.func === 'scalar') {
        isSettled = true;
        break;
      }
      const { read, written } = labelsOfCall(parent);
      for (const label of written) made.add(label);
      for (const label of written) if (!read.includes(label)) needed.delete(label);
      for (const label of read) needed.add(label);
    } else if (parent.kind === 'binary' && parent.matching !== undefined) {
      const match = labelsOfMatch(parent, below);
      need(match.labels);
      if (match.isSettled) isSettled = true;
      if (match.isLast) break;
      for (const label of parent.matching.include) made.add(label);
    }
    below = parent;
  }
  return { labels: [...needed], isSettled };
}

function labelsOfCall({ func, args }: Call): { read: readonly string[]; written: readonly string[] } {
  const texts = args.map((arg) => (arg.kind === 'string' ? arg.value : ''));
  switch (func) {
    case 'label_replace':
      return { read: [texts[3]!].filter((label) => label !== ''), written: [texts[1]!] };
    case 'label_join':
      return { read: texts.slice(3), written: [texts[1]!] };
    case 'sort_by_label':
    case 'sort_by_label_desc':
      return { read: texts.slice(1), written: [] };
    case 'histogram_quantile':
    case 'histogram_fraction':
    case 'histogram_quantiles':
      // Native histograms do not mind a label that none of them has.
      return { read: ['le'], written: [] };
    default:
      return { read: [], written: [] };
  }
}

interface MatchLabels {
  readonly labels: readonly string[];
  readonly isSettled: boolean;
  /** Whether the labels of this side end here: what is above sees those of the other side, or the matched ones only. */
  readonly isLast: boolean;
}

function labelsOfMatch({ op, matching, left, right }: Binary, below: Expr): MatchLabels {
  const { on, labels, include, card } = matching!;
  const other = below === left ? right : left;
  if (SET_OPS.has(op)) {
    const kept = keptLabels(other);
    const matched = on ? labels : op !== 'or' && kept.of === 'only' ? [...kept.labels] : [];
    return { labels: matched, isSettled: false, isLast: op !== 'or' && below === right };
  }
  if (typeOf(other) !== 'vector') return { labels: [], isSettled: false, isLast: false };
  const isMany = card === 'many-to-one' ? below === left : card === 'one-to-many' && below === right;
  if (on) {
    const isOne = card !== 'one-to-one' && !isMany;
    // A filter keeps the labels of its left side, whatever it was matched on.
    const isLast = isOne || (card === 'one-to-one' && !COMPARISON_OPS.has(op));
    return { labels: isOne ? [...labels, ...include] : labels, isSettled: !isMany, isLast: isLast || below === right };
  }
  const kept = keptLabels(other);
  const isKnown = kept.of === 'only';
  return {
    labels: isKnown ? [...kept.labels].filter((l) => !labels.includes(l)) : [],
    isSettled: isKnown && !isMany,
    isLast: false,
  };
}
