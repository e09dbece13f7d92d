import { partialOf } from '../../partial/algebra.ts';
import type { Fragment } from '../distribute.ts';
import { keptLabels } from './kept-labels.ts';

/** What an answer can come to: before it is made, only bounds are known. */
export interface AnswerEstimate {
  /** Rows with a label set each. */
  readonly rows: number;
  /** Rows x steps. */
  readonly cells: number;
  /** Of the values, before compression; labels come on top. */
  readonly bytes: number;
}

/** Of numbers as they are sent. */
const NUMBER_BYTES = 8;

/** Of a sketch's bin: its key and its count. */
const BIN_BYTES = 12;

/**
 * The most that the answer of a place to a fragment over `series` series holds, native histograms aside. How many groups an
 * aggregation makes is not known before, but there are no more than series, and one where nothing groups.
 */
export function estimateAnswer(fragment: Fragment, series: number): AnswerEstimate {
  const { of, labels } = keptLabels(fragment.expr);
  const isOne = of === 'only' && labels.size === 0;
  const rows = isOne ? Math.min(series, 1) : series;
  const cells = rows * fragment.grid.steps;
  // A group's sketch has no more bins than the group has series at that step.
  if (fragment.answer === 'sketch') return { rows, cells, bytes: series * fragment.grid.steps * BIN_BYTES };
  const fields = fragment.answer === 'partial' ? partialOf(fragment).fields.length : 1;
  return { rows, cells, bytes: cells * fields * NUMBER_BYTES };
}
