import { sharesOneName } from '../../engine/names.ts';
import { NOTES_MAX } from '../../engine/notes.ts';
import type { StepGrid } from '../../model/grid.ts';
import { coverageReads } from '../../plan/coverage-reads.ts';
import type { Fragment } from '../../plan/distribute.ts';
import type { AnswerRow } from '../../plan/frames/columns-codec.ts';
import { encodeFragment } from '../../plan/frames/fragment-codec.ts';
import { isStepwise } from '../../plan/stepwise.ts';
import type { PromqlFeatures } from '../../promql/features.ts';
import type { ColumnKey } from '../cache/columns-cache.ts';
import type { Segment } from '../cache/segments.ts';
import type { Steps } from '../cache/steps.ts';

/** A fragment as a column of steps, of which single ones may be asked. */
export interface Column {
  readonly fragment: Fragment;
  readonly key: ColumnKey;
  /** Those that the query wants, as the key counts them. */
  readonly steps: Steps;
  /** Whether its steps may be asked apart. */
  readonly maySplit: boolean;
  /**
   * Whether they may be kept as well. A single step is no use to a later query, which is about another time: a column of one,
   * as of an instant query, is asked anew.
   */
  readonly mayKeep: boolean;
}

export function columnOf(
  fragment: Fragment,
  { lookbackMs, features }: { readonly lookbackMs: number; readonly features: PromqlFeatures },
): Column {
  const { grid, expr } = fragment;
  const { stepMs } = grid;
  const startMs = ((grid.startMs % stepMs) + stepMs) % stepMs;
  // All that the agent is told of it but for which steps: the grid's phase and step stand for those.
  const encoded = encodeFragment({ ...fragment, grid: { startMs, stepMs, steps: 1 } });
  const on = Object.entries(features).flatMap(([name, isOn]) => (isOn ? [name] : []));
  const text = `${lookbackMs} ${on.join()} ${Buffer.from(encoded).toString('latin1')}`;
  const from = (grid.startMs - startMs) / stepMs;
  const maySplit = isStepwise(fragment, features);
  return {
    fragment,
    key: { text, startMs, stepMs, reads: coverageReads(expr, grid, lookbackMs).reads },
    steps: { from, to: from + grid.steps },
    maySplit,
    mayKeep: maySplit && grid.steps > 1,
  };
}

/** The grid of some of a column's steps; as it was asked for where it is all of them. */
export function gridOf({ fragment, key, steps }: Column, { from, to }: Steps): StepGrid {
  if (from === steps.from && to === steps.to) return fragment.grid;
  return { startMs: key.startMs + from * key.stepMs, stepMs: key.stepMs, steps: to - from };
}

/** The column with some of its steps alone. */
export function columnPart(column: Column, steps: Steps): Column {
  return { ...column, steps, fragment: { ...column.fragment, grid: gridOf(column, steps) } };
}

export function sameSteps(one: StepGrid, other: StepGrid): boolean {
  return one.startMs === other.startMs && one.stepMs === other.stepMs && one.steps === other.steps;
}

/**
 * Whether single steps of an answer say all that there is to say of them. What is said of histograms by the name of their
 * metric, or in numbers that add up over the steps, is about the steps together.
 */
export function isKeepable({ expr }: Fragment, { rows, notes }: Pick<Segment, 'rows' | 'notes'>): boolean {
  if (notes.length >= NOTES_MAX || notes.some(({ note }) => note.detail !== undefined)) return false;
  if (!rows.some(hasStates)) return true;
  if (rows.some(({ columns }) => columns.histograms !== undefined && columns.histograms.clashing.length > 0))
    return false;
  return expr.kind === 'aggregate' && sharesOneName(expr.expr);
}

function hasStates({ columns }: AnswerRow): boolean {
  return columns.histograms !== undefined;
}
