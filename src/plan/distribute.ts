import { infoSelector } from '../engine/calls/info-selector.ts';
import { readsSeries } from '../engine/scalar.ts';
import { subqueryGrid } from '../engine/select/subquery.ts';
import { firstStep, type QueryGrid, type StepGrid } from '../model/grid.ts';
import { isPartialOp } from '../partial/algebra.ts';
import { children, type Aggregate, type Call, type Expr, type VectorSelector } from '../promql/ast.ts';
import { isCoverage, typeOf } from '../promql/check.ts';
import { mapChildren } from '../promql/map.ts';
import { printExpr } from '../promql/print.ts';
import { domainRule, type DomainRuleOptions } from './domain.ts';
import { isSketched, keepsPlace, LABEL_WRITERS, type PlaceRule } from './keeps.ts';
import { normalise } from './normalise.ts';
import { PlanRefusal } from './refusal.ts';

/**
 * The piece of a query that every place (a domain, a shard) answers over its own steps: a whole vector, an aggregation's
 * partial state, a sketch of `quantile` whose values are within `relativeError` of the truth, or the times of a selector's
 * samples (see `timedRows`).
 */
export type Fragment = { readonly grid: StepGrid } & (
  | { readonly answer: 'vector'; readonly expr: Expr }
  | { readonly answer: 'partial'; readonly expr: Aggregate }
  | { readonly answer: 'sketch'; readonly expr: Aggregate; readonly relativeError: number }
  | { readonly answer: 'timed'; readonly expr: VectorSelector }
);

/** A query split in two: what each place is asked, and what whoever asks makes of the merged answers. */
export interface Plan {
  readonly fragments: readonly Fragment[];
  /** What `coverage()` in the query asks about; nothing of these is evaluated. */
  readonly coverages: readonly CoverageLeaf[];
  /** The asker's part; its `merged` leaves are the fragments' answers by index, and after those the coverages. */
  readonly remainder: Expr;
  /** Parts of the remainder that take raw samples: range vectors, and what must see single series. */
  readonly rawReads: readonly RawRead[];
}

/** The argument of a `coverage()`, and the steps that it is about. */
export interface CoverageLeaf {
  readonly expr: Expr;
  readonly grid: StepGrid;
}

/** An expression that reads series by itself, and the steps it is evaluated at. */
export interface RawRead {
  readonly expr: Expr;
  readonly grid: StepGrid;
}

/** How a hub splits the query with this text. */
interface DistributeOptions extends DomainRuleOptions {
  /** Errors point into it. */
  readonly text?: string | undefined;
}

/** Splits a checked expression between the hub and its domains. Throws `PlanRefusal` for what would need raw samples. */
export function distribute(expr: Expr, grid: QueryGrid, options: DistributeOptions): Plan {
  const plan = splitExpr(normalise(expr, grid, options.text), grid, domainRule(options));
  const [raw] = plan.rawReads;
  if (raw === undefined) return plan;
  throw new PlanRefusal(raw.expr, raw.expr.kind === 'call' ? 'series_parameter' : 'range_vector');
}

/**
 * Splits a normalised expression. Going down from the root, the largest piece that keeps the place runs whole inside each
 * place; an aggregation that drops it over such a piece runs in two levels; the rest stays with the asker. What is inside a
 * subquery is split on the subquery's own steps.
 */
export function splitExpr(expr: Expr, grid: StepGrid, rule: PlaceRule): Plan {
  const fragments: Fragment[] = [];
  const coverages: CoverageLeaf[] = [];
  const indexOf = new Map<string, number>();
  const rawReads: RawRead[] = [];

  function leaf(fragment: Fragment, of: Expr = fragment.expr): Expr {
    const { answer, expr: asked, grid: on } = fragment;
    const key = [answer, gridKey(on), statsMarks(asked), printExpr(asked)].join(' ');
    let index = indexOf.get(key);
    if (index === undefined) {
      index = fragments.length;
      indexOf.set(key, index);
      fragments.push(fragment);
    } else {
      // What there is to say of equal parts is said of the last one.
      fragments[index] = fragment;
    }
    return { kind: 'merged', index, of, span: of.span };
  }

  function coverageLeaf(node: Call, on: StepGrid): Expr {
    const expr = node.args[0]!;
    const key = ['coverage', gridKey(on), printExpr(expr)].join(' ');
    let index = indexOf.get(key);
    if (index === undefined) {
      index = coverages.length;
      indexOf.set(key, index);
      coverages.push({ expr, grid: on });
    }
    return { kind: 'merged', index: -1 - index, of: node, span: node.span };
  }

  function raw(node: Expr, on: StepGrid): Expr {
    rawReads.push({ expr: node, grid: on });
    return node;
  }

  function split(node: Expr, on: StepGrid): Expr {
    if (!readsSeries(node)) return node;
    if (isCoverage(node)) return coverageLeaf(node, on);
    if (typeOf(node) === 'vector') {
      if (keepsPlace(node, rule) && !writesLabel(node, rule)) return leaf({ answer: 'vector', expr: node, grid: on });
      if (node.kind === 'aggregate' && keepsPlace(node.expr, rule)) {
        if (isPartialOp(node.op)) return leaf({ answer: 'partial', expr: node, grid: on });
        if (isSketched(node, rule)) {
          return leaf({ answer: 'sketch', expr: node, relativeError: rule.approx, grid: on });
        }
        if (rule.isOpen === true && picksFirst(node)) {
          return { ...node, expr: leaf({ answer: 'vector', expr: node, grid: on }) };
        }
      }
    }
    switch (node.kind) {
      case 'matrix':
        return raw(node, on);
      case 'subquery':
        return { ...node, expr: split(node.expr, subqueryGrid(node, on)) };
      case 'once':
        return { ...node, expr: split(node.expr, firstStep(on)) };
      case 'call':
        return splitCall(node, on);
      default:
        return mapChildren(node, (child) => split(child, on));
    }
  }

  function splitCall(node: Call, on: StepGrid): Expr {
    if (node.func === 'info') return splitInfo(node, on);
    const [first] = node.args;
    if (first !== undefined && (node.func === 'absent' || node.func === 'absent_over_time')) {
      const presence = presenceOf(node, first);
      if (keepsPlace(presence.expr, rule)) {
        return { ...node, args: [leaf({ answer: 'partial', expr: presence, grid: on }, first)] };
      }
    }
    // A function of a range vector reads it step by step.
    const whole = mapChildren(node, (child) => (child.kind === 'matrix' ? child : split(child, on)));
    return node.args.some(({ kind }) => kind === 'matrix') ? raw(whole, on) : whole;
  }

  /** info() joins series by labels that do not tell their place, and picks by the times of samples. */
  function splitInfo(node: Call, on: StepGrid): Expr {
    if (rule.isDomain !== true) return raw(node, on);
    const infos = leaf({ answer: 'timed', expr: infoSelector(node), grid: on });
    return { ...node, args: [split(node.args[0]!, on), infos] };
  }

  const whole = split(expr, grid);
  const remainder = coverages.length === 0 ? whole : behind(whole, fragments.length);
  return { remainder, fragments, coverages, rawReads };
}

/** The remainder with its coverages, which were counted down from -1, behind all fragments. */
function behind(remainder: Expr, fragments: number): Expr {
  if (remainder.kind === 'merged') {
    return remainder.index < 0 ? { ...remainder, index: fragments - 1 - remainder.index } : remainder;
  }
  return mapChildren(remainder, (child) => behind(child, fragments));
}

function gridKey({ startMs, stepMs, steps }: StepGrid): string {
  return `${startMs} ${stepMs} ${steps}`;
}

/** Which selectors read counts and sums alone, which the text of an expression does not show. */
function statsMarks(expr: Expr): string {
  const own = expr.kind === 'vector' ? String(Number(expr.statsOnly === true)) : '';
  return own + children(expr).map(statsMarks).join('');
}

/**
 * Whether an answer would carry a label that the domain's policy knows nothing of. The hub writes it as well, where nobody
 * need permit it.
 */
function writesLabel(node: Expr, { isDomain }: PlaceRule): boolean {
  return isDomain === true && node.kind === 'call' && LABEL_WRITERS.has(node.func);
}

/** Aggregations whose best are among the best of each place, as long as all places have the same parameter. */
function picksFirst({ op, param }: Aggregate): boolean {
  return (op === 'topk' || op === 'bottomk' || op === 'limitk') && param !== undefined && !readsSeries(param);
}

/** Whether the argument of absent() or absent_over_time() is there at all: all that it takes to answer. */
function presenceOf({ func, span }: Call, arg: Expr): Aggregate {
  const expr: Expr = func === 'absent' ? arg : { kind: 'call', func: 'present_over_time', args: [arg], span: arg.span };
  return { kind: 'aggregate', op: 'group', expr, without: false, grouping: [], span };
}
