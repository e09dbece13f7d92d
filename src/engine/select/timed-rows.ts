import type { VectorSelector } from '../../promql/ast.ts';
import type { EvalContext } from '../context.ts';
import { assertCells, type Row } from '../rows.ts';
import { readTimes } from './read-times.ts';
import { selectSampleTimes } from './sample-times.ts';

/**
 * The series of an instant selector, metric names included, with the times of their samples (ms) as values; NaN where the
 * sample is a native histogram. It is what info() asks of series that lie elsewhere.
 */
export function timedRows(selector: VectorSelector, ctx: EvalContext): readonly Row[] {
  const read = readTimes(selector, ctx);
  const range = [read.firstMs - ctx.lookbackMs + 1, read.lastMs] as const;
  const rows: Row[] = [];
  selectSampleTimes(selector, read, range, ctx, ({ labels, present, times, isHistogram }) => {
    const values = times.map((timeMs, step) => (isHistogram[step] === 1 ? NaN : timeMs));
    rows.push({ labels, present: present.slice(), values });
    assertCells(rows.length * present.length * 2);
  });
  return rows;
}
