import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import { labelsKey, type Labels } from '../model/labels.ts';
import { spend, type Usage } from './usage.ts';
import { copyHistograms, hasHistogram, histogramsIn, joinHistograms } from './histogram-rows.ts';

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
}

/**
 * Takes a vector row by row. The columns are only valid until the call returns: the producer uses them again, so an
 * aggregation never holds series x steps. A producer leaves out rows with nothing present. What cannot compute with
 * histograms takes its rows through `floatsOnly`. A sink must not look round (see `spend`): upstream a selector may hold
 * columns of its source.
 */
export type RowSink = (
  labels: Labels,
  values: Float64Array,
  present: Uint8Array,
  histograms: HistogramColumns | undefined,
) => void;

/** Runs a producer and keeps copies of its rows. Throws `limit` past `LIMITS.cellsPerVector`. */
export function collectRows(produce: (sink: RowSink) => void): Row[] {
  const rows: Row[] = [];
  let cells = 0;
  produce((labels, values, present, histograms) => {
    const kept = copyHistograms(present, histograms);
    cells += values.length + (kept?.cells.length ?? 0);
    assertCells(cells);
    rows.push({ labels, values: values.slice(), present: present.slice(), histograms: kept });
  });
  return rows;
}

/**
 * A sink for what cannot compute with native histograms: a row that has one is refused by name rather than taken for the
 * floats that stand in their place. `what` is the function, operator or aggregation.
 */
export function floatsOnly(what: string, sink: RowSink): RowSink {
  return (labels, values, present, histograms) => {
    if (hasHistogram(present, histograms)) throw histogramsIn(what);
    sink(labels, values, present, undefined);
  };
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
 * Rows that may come to share a label set (their metric names were dropped), put together where they are never present
 * at the same step. Throws `execution` where they are, or, when `strict`, at any two rows of one label set: Prometheus
 * looks at whole series after functions of ranges and step by step after functions of instants.
 */
export function mergeEqualRows(strict: boolean, usage: Usage): { sink: RowSink; drain(sink: RowSink): void } {
  const rows = new Map<string, JoinedRow>();
  let cells = 0;
  return {
    sink(labels, values, present, histograms) {
      const key = labelsKey(labels);
      const row = rows.get(key);
      if (row === undefined) {
        const kept = copyHistograms(present, histograms);
        cells += values.length + (kept?.cells.length ?? 0);
        assertCells(cells);
        rows.set(key, { labels, values: values.slice(), present: present.slice(), histograms: kept });
        return;
      }
      for (let i = 0; i < present.length; i++) {
        if (present[i] === 0) continue;
        if (strict || row.present[i] === 1) throw sameLabelSet();
        row.values[i] = values[i]!;
        row.present[i] = 1;
      }
      if (histograms !== undefined) row.histograms = joinHistograms(row.histograms, histograms, present);
    },
    drain(sink) {
      for (const row of rows.values()) {
        spend(usage, row.values.length);
        sink(row.labels, row.values, row.present, row.histograms);
      }
    },
  };
}

interface JoinedRow extends Row {
  histograms: HistogramColumns | undefined;
}

export function sameLabelSet(): ComityError {
  return new ComityError('execution', 'vector cannot contain metrics with the same labelset');
}
