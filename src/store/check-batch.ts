import { ComityError } from '../base/errors.ts';
import { ADD_ONCE, type Batch } from '../model/batch.ts';

/** Throws `bad_data` when the columns of a batch do not fit together. */
export function checkBatch(batch: Batch): void {
  const rows = batch.times.length;
  checkLength('values', batch.values, rows);
  checkLength('seriesOf', batch.seriesOf, rows);
  checkLength('modes', batch.modes, rows);
  checkLength('histograms', batch.histograms?.layoutOf, rows);
  checkLength('startTimes', batch.startTimes, rows);
  checkLength('continues', batch.continues, rows);
  const { seriesOf, modes, series } = batch;
  for (let row = 0; row < rows; row++) {
    if (seriesOf[row]! >= series.length) {
      throw new ComityError('bad_data', `row ${row} of a batch names series ${seriesOf[row]}, of ${series.length}`);
    }
    if (modes[row]! > ADD_ONCE) {
      throw new ComityError('bad_data', `row ${row} of a batch has the unknown mode ${modes[row]}`);
    }
  }
  for (const [i, exemplar] of batch.exemplars.entries()) {
    if (!(exemplar.series >= 0 && exemplar.series < series.length)) {
      throw new ComityError(
        'bad_data',
        `exemplar ${i} of a batch names series ${exemplar.series}, of ${series.length}`,
      );
    }
  }
}

function checkLength(name: string, column: { readonly length: number } | undefined, rows: number): void {
  if (column === undefined || column.length === rows) return;
  throw new ComityError(
    'bad_data',
    `a batch's columns must have one length; times has ${rows} and ${name} has ${column.length}`,
  );
}
