import type { SeriesColumns } from '../model/series.ts';
import type { MatrixSelector } from '../promql/ast.ts';
import { readSeries, type EvalContext } from './context.ts';
import { assertCells } from './rows.ts';
import { withoutStale } from './samples.ts';
import { readTimes } from './read-times.ts';

/**
 * A range vector at the first step: the samples of each series in (t - range, t], staleness markers left out, in no order
 * of series. Series without a sample are left out, and columns may be views as the source's are. These are raw samples: for
 * a domain's own people only. Throws `limit`.
 */
export function* selectRange(matrix: MatrixSelector, ctx: EvalContext): Iterable<SeriesColumns> {
  const endMs = readTimes(matrix.selector, ctx).at(0);
  const startMs = endMs - matrix.rangeMs;
  let cells = 0;
  for (const stored of readSeries(matrix.selector.matchers, startMs + 1, endMs, ctx)) {
    const { labels, times, values, histograms } = withoutStale(stored);
    if (times.length === 0) continue;
    cells += times.length;
    assertCells(cells);
    yield { labels, times, values, histograms };
  }
}
