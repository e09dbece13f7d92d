import type { Batch } from '../../src/model/batch.ts';
import { cellsOf, FLOAT_ROW } from '../../src/model/histogram.ts';
import { compareLabels, labelsFrom } from '../../src/model/labels.ts';
import type { Random } from '../random.ts';

/** A decoder under test. */
export interface FuzzTarget {
  readonly name: string;
  /** An input that the decoder takes; mutations start from it. */
  valid(random: Random): Uint8Array;
  /** Decodes. Throws a `ComityError` for an input that is not taken; any other error is a finding. */
  decode(input: Uint8Array): void;
  /** Whether what `valid` makes may be refused now and then. */
  readonly mayRefuseValid?: boolean;
}

/** Throws unless a batch is one that the store could take: whatever came in, this must hold. */
export function assertBatch(batch: Batch): void {
  const rows = batch.times.length;
  for (const column of [batch.seriesOf, batch.values, batch.modes, batch.startTimes, batch.continues]) {
    if (column !== undefined && column.length !== rows) throw new Error('columns of different lengths');
  }
  for (const { labels } of batch.series) {
    const pairs: [string, string][] = [];
    for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!]);
    if (compareLabels(labels, labelsFrom(pairs)) !== 0) {
      throw new Error(`a label set is out of order, doubled or has empty values: ${JSON.stringify(labels)}`);
    }
  }
  for (let row = 0; row < rows; row++) {
    if (batch.seriesOf[row]! >= batch.series.length) throw new Error(`row ${row} is of no series`);
    if (!Number.isInteger(batch.times[row]!)) throw new Error(`row ${row} has the time ${batch.times[row]}`);
  }
  for (const { series, value, timeMs } of batch.exemplars) {
    if (series >= batch.series.length) throw new Error('an exemplar of no series');
    if (typeof value !== 'number' || !Number.isSafeInteger(timeMs)) throw new Error('an exemplar without a time');
  }
  const { histograms } = batch;
  if (histograms === undefined) return;
  for (let row = 0; row < rows; row++) {
    const at = histograms.layoutOf[row]!;
    if (at === FLOAT_ROW) continue;
    const layout = histograms.layouts[at];
    if (layout === undefined) throw new Error(`row ${row} has no layout`);
    if (histograms.starts[row]! + cellsOf(layout) > histograms.cells.length) throw new Error(`row ${row} has no cells`);
    for (const indexes of [layout.positive, layout.negative, layout.bounds]) {
      for (let i = 1; i < indexes.length; i++) {
        if (!(indexes[i]! > indexes[i - 1]!)) throw new Error(`row ${row} has buckets out of order`);
      }
    }
  }
}
