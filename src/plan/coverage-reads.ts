import { LIMITS } from '../base/limits.ts';
import { infoSelector } from '../engine/calls/info-selector.ts';
import { subqueryGrid } from '../engine/select/subquery.ts';
import type { StepGrid } from '../model/grid.ts';
import { METRIC_NAME } from '../model/labels.ts';
import { children, type Expr, type Subquery, type VectorSelector } from '../promql/ast.ts';
import { isCoverage } from '../promql/check.ts';
import type { CoverageQuestion, CoverageRead } from './frames/coverage-codec.ts';
import { selectorWindow } from './read-range.ts';

/** Which selectors count. */
export type CountsSelector = (selector: VectorSelector) => boolean;

/**
 * What the values of an expression draw on at each step of `grid`: a normalised expression, or the remainder of a plan, whose
 * fragments count as what they stand for. Equal reads are one, and so are those that overlap; past
 * `LIMITS.coverageReads` they are taken together as reads of any metric, which covers more and never less. What `coverage()`
 * asks about is not read.
 */
export function coverageReads(
  expr: Expr,
  grid: StepGrid,
  lookbackMs: number,
  counts: CountsSelector = () => true,
): CoverageQuestion {
  const reads = joined(readsOf(expr, { grid: () => grid, lookbackMs, counts }));
  return { grid, reads: reads.length > LIMITS.coverageReads ? coarse(reads) : reads };
}

/** The time up to which a question looks, at a step at `timeMs`; -Infinity where it looks at nothing. */
export function readUntil(reads: readonly CoverageRead[], timeMs: number): number {
  let untilMs = -Infinity;
  for (const { fixed, toMs } of reads) untilMs = Math.max(untilMs, fixed ? toMs : timeMs + toMs);
  return untilMs;
}

interface Around {
  /** The steps that an expression is evaluated at; made only where they are needed, as that may pass a limit. */
  grid(): StepGrid;
  readonly lookbackMs: number;
  readonly counts: CountsSelector;
}

function readsOf(expr: Expr, around: Around): readonly CoverageRead[] {
  switch (expr.kind) {
    case 'vector':
      return selectorReads(expr, around.lookbackMs, around);
    case 'matrix':
      return selectorReads(expr.selector, expr.rangeMs, around);
    case 'merged':
      return readsOf(expr.of, around);
    case 'subquery': {
      const inside = { ...around, grid: () => subqueryGrid(expr, around.grid()) };
      return readsOf(expr.expr, inside).map((read) => widened(read, expr));
    }
    case 'once':
      return readsOf(expr.expr, around).map((read) => (read.fixed ? read : atTime(read, around.grid().startMs)));
    case 'call':
      if (isCoverage(expr)) return [];
      if (expr.func === 'info') {
        return [...readsOf(expr.args[0]!, around), ...selectorReads(infoSelector(expr), around.lookbackMs, around)];
      }
      break;
    default:
  }
  return children(expr).flatMap((child) => readsOf(child, around));
}

function selectorReads(selector: VectorSelector, windowMs: number, { lookbackMs, counts }: Around): CoverageRead[] {
  if (!counts(selector)) return [];
  const { fromMs, toMs } = selectorWindow(selector, windowMs, lookbackMs);
  const read = { metric: metricOf(selector), fromMs, toMs, fixed: false };
  return [moved(read, selector)];
}

/** The metric that a selector spells out. No stream has one with a longer name than ingest takes. */
function metricOf({ matchers }: VectorSelector): string {
  const name = matchers.find((matcher) => matcher.name === METRIC_NAME && matcher.op === '=')?.value ?? '';
  return Buffer.byteLength(name) > LIMITS.labelBytes ? '' : name;
}

/** What is read at the steps of a subquery, which lie in its range before each step. */
function widened(read: CoverageRead, node: Subquery): CoverageRead {
  return read.fixed ? read : moved({ ...read, fromMs: read.fromMs - node.rangeMs }, node);
}

function moved(read: CoverageRead, { at, offsetMs }: Pick<Subquery, 'at' | 'offsetMs'>): CoverageRead {
  const back = { ...read, fromMs: read.fromMs - offsetMs, toMs: read.toMs - offsetMs };
  return at?.kind === 'time' ? atTime(back, at.ms) : back;
}

function atTime(read: CoverageRead, timeMs: number): CoverageRead {
  return { ...read, fromMs: timeMs + read.fromMs, toMs: timeMs + read.toMs, fixed: true };
}

/** In order of metric and time; what overlaps is one. */
function joined(reads: readonly CoverageRead[]): readonly CoverageRead[] {
  const sorted = reads.map(sendable).toSorted(inOrder);
  const out: CoverageRead[] = [];
  for (const read of sorted) {
    const last = out.at(-1);
    if (last?.metric === read.metric && last.fixed === read.fixed && read.fromMs <= last.toMs) {
      out[out.length - 1] = { ...last, toMs: Math.max(last.toMs, read.toMs) };
    } else out.push(read);
  }
  return out;
}

/** Times beyond all that can be are as good as the furthest that can. */
function sendable(read: CoverageRead): CoverageRead {
  const clamp = (ms: number): number => Math.min(FURTHEST_MS, Math.max(-FURTHEST_MS, ms));
  return { ...read, fromMs: clamp(read.fromMs), toMs: clamp(read.toMs) };
}

/** Leaves room for the time of a step. */
const FURTHEST_MS = 2 ** 51;

function inOrder(one: CoverageRead, other: CoverageRead): number {
  if (one.metric !== other.metric) return one.metric < other.metric ? -1 : 1;
  return Number(one.fixed) - Number(other.fixed) || one.fromMs - other.fromMs || one.toMs - other.toMs;
}

/** At most two reads, of any metric, that cover all of these. */
function coarse(reads: readonly CoverageRead[]): readonly CoverageRead[] {
  return [false, true].flatMap((fixed) => {
    const these = reads.filter((read) => read.fixed === fixed);
    if (these.length === 0) return [];
    const fromMs = these.reduce((least, read) => Math.min(least, read.fromMs), Infinity);
    const toMs = these.reduce((most, read) => Math.max(most, read.toMs), -Infinity);
    return [{ metric: '', fromMs, toMs, fixed }];
  });
}
