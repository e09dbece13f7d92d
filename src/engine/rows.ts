import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import { labelsKey, type Labels } from '../model/labels.ts';
import { spend, type Usage } from './usage.ts';
import { copyHistograms, joinHistograms } from './select/histogram-rows.ts';

/**
 * One series of a vector at the steps of the query, in columns: `values[i]` counts where `present[i]` is 1. NaN is a
 * value like any other, so presence has a column of its own. Where `histograms` has one at a present step, that is the
 * row's value there and the float says nothing.
 */
export interface Row {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms?: HistogramColumns | undefined;
  /** Whether the metric's name is to go at the end of the evaluation; see `PromqlFeatures.delayedNameRemoval`. */
  readonly dropsName?: boolean | undefined;
}

/**
 * Takes a vector row by row. The columns are only valid until the call returns: the producer uses them again, so an
 * aggregation never holds series x steps. A producer leaves out rows with nothing present. A sink must not look round (see
 * `spend`): upstream a selector may hold columns of its source.
 */
export type RowSink = (row: Row) => void;

/** Runs a producer and keeps copies of its rows. Throws `limit` past `LIMITS.cellsPerVector`. */
export function collectRows(produce: (sink: RowSink) => void): Row[] {
  const rows: Row[] = [];
  let cells = 0;
  produce((row) => {
    const kept = keptRow(row);
    cells += cellsIn(kept);
    assertCells(cells);
    rows.push(kept);
  });
  return rows;
}

/** A copy of a row that may be kept. */
function keptRow({ labels, values, present, histograms, dropsName }: Row): Row {
  const kept = copyHistograms(present, histograms);
  return { labels, values: values.slice(), present: present.slice(), histograms: kept, dropsName };
}

/** What a row holds, in numbers. */
function cellsIn({ values, histograms }: Row): number {
  return values.length + (histograms?.cells.length ?? 0);
}

export function assertCells(cells: number): void {
  if (cells > LIMITS.cellsPerVector) {
    throw new ComityError(
      'limit',
      `the query holds more than ${LIMITS.cellsPerVector} values (series x steps) at once. Aggregate, or raise the step`,
    );
  }
}

export function anyPresent(present: Uint8Array): boolean {
  return present.includes(1);
}

/**
 * Rows that may come to share a label set, put together where they are never present at the same step. Throws `execution`
 * where they are, or, when `strict`, at any two rows of one label set: Prometheus looks at whole series after functions of
 * ranges and step by step after functions of instants.
 */
export function mergeEqualRows(strict: boolean, usage: Usage): { sink: RowSink; drain(sink: RowSink): void } {
  const rows = new Map<string, JoinedRow>();
  let cells = 0;
  return {
    sink(row) {
      const key = labelsKey(row.labels);
      const joined = rows.get(key);
      if (joined !== undefined) {
        joinRow(joined, row, strict);
        return;
      }
      const kept = keptRow(row);
      cells += cellsIn(kept);
      assertCells(cells);
      rows.set(key, kept);
    },
    drain(sink) {
      for (const row of rows.values()) {
        spend(usage, row.values.length);
        sink(row);
      }
    },
  };
}

interface JoinedRow extends Row {
  histograms?: HistogramColumns | undefined;
}

function joinRow(into: JoinedRow, { values, present, histograms }: Row, strict: boolean): void {
  for (let i = 0; i < present.length; i++) {
    if (present[i] === 0) continue;
    if (strict || into.present[i] === 1) throw sameLabelSet();
    into.values[i] = values[i]!;
    into.present[i] = 1;
  }
  if (histograms !== undefined) into.histograms = joinHistograms(into.histograms, histograms, present);
}

export function sameLabelSet(): ComityError {
  return new ComityError('execution', 'vector cannot contain metrics with the same labelset');
}
