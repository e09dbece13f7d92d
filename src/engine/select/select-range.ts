import { ComityError } from '../../base/errors.ts';
import type { SeriesColumns } from '../../model/series.ts';
import type { MatrixSelector } from '../../promql/ast.ts';
import { readSeries, type EvalContext } from '../context.ts';
import { readTimes } from './read-times.ts';
import { reachOf } from '../rollup/call.ts';
import { endsOf, interpolated } from '../rollup/extended.ts';
import { assertCells } from '../rows.ts';
import { withoutStale } from './samples.ts';

/**
 * A range vector at the first step: the samples of each series in (t - range, t], staleness markers left out, in no order
 * of series; under a modifier, with a sample at each end of that. Series without a sample are left out, and columns may be
 * views as the source's are. These are raw samples: for a domain's own people only. Throws `limit`, and `execution` for
 * histograms under a modifier.
 */
export function* selectRange(matrix: MatrixSelector, ctx: EvalContext): Iterable<SeriesColumns> {
  const { extended, matchers } = matrix.selector;
  const endMs = readTimes(matrix.selector, ctx).at(0);
  const startMs = endMs - matrix.rangeMs;
  const { beforeMs, afterMs } = reachOf(extended, ctx.lookbackMs);
  let cells = 0;
  for (const stored of readSeries(matchers, startMs - beforeMs + 1, endMs + afterMs, ctx)) {
    const within = withoutStale(stored);
    const { labels, times, values, histograms, startTimes } =
      extended === undefined ? within : extendedSamples(within, startMs, endMs, extended);
    if (times.length === 0) continue;
    cells += times.length;
    assertCells(cells);
    yield { labels, times, values, histograms, startTimes };
  }
}

/** The samples in between, and what there was at both ends. */
function extendedSamples(
  { labels, times, values, histograms }: SeriesColumns,
  startMs: number,
  endMs: number,
  extended: 'anchored' | 'smoothed',
): SeriesColumns {
  if (histograms !== undefined && histograms.layoutOf.some((layout) => layout >= 0)) {
    throw new ComityError('execution', `${extended} modifier is not supported with histograms`);
  }
  const isSmoothed = extended === 'smoothed';
  const ends = endsOf(times, 0, times.length, startMs, endMs, isSmoothed);
  if (ends === undefined) return { labels, times: new Float64Array(0), values: new Float64Array(0) };
  const { first, last } = ends;
  const isBefore = isSmoothed && times[first]! < startMs;
  const isAfter = isSmoothed && last > 0 && times[last]! > endMs;
  const left = isBefore ? interpolated(times, values, first, startMs, false) : values[first]!;
  const right = isAfter ? interpolated(times, values, last - 1, endMs, false) : values[last]!;
  const from = first + (times[first]! <= startMs ? 1 : 0);
  const to = last + (times[last]! >= endMs ? 0 : 1);
  return {
    labels,
    times: Float64Array.of(startMs, ...times.subarray(from, to), endMs),
    values: Float64Array.of(left, ...values.subarray(from, to), right),
  };
}
