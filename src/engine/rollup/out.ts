import { histogramBuilder, type HistogramBuilder } from '../../model/growing-histograms.ts';
import { cellsOf, type HistogramColumns } from '../../model/histogram.ts';
import type { RollupOut } from './call.ts';
import { assertCells } from '../rows.ts';

/** Results with what is left of them for the row that they make. */
export interface OwnedOut extends RollupOut {
  /** Forgets the histograms; numbers and presence are written anew for each series. */
  clear(): void;
  columns(): HistogramColumns | undefined;
}

export function startOut(steps: number): OwnedOut {
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  let picked: HistogramColumns | undefined;
  let builder: HistogramBuilder | undefined;
  let cells = 0;
  return {
    values,
    present,
    clear() {
      picked = undefined;
      builder = undefined;
      cells = 0;
    },
    set(step, histogram) {
      cells += cellsOf(histogram.layout);
      assertCells(cells);
      builder ??= histogramBuilder(steps);
      builder.set(step, histogram);
      present[step] = 1;
    },
    setAll(columns) {
      picked = columns;
    },
    columns: () => picked ?? builder?.build(steps),
  };
}
