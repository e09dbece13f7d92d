import { ComityError, toComityError } from '../base/errors.ts';
import type { EvalContext } from '../engine/context.ts';
import { evaluate } from '../engine/evaluate.ts';
import type { SeriesColumns } from '../model/series.ts';
import type { Source } from '../model/source.ts';
import type { RawRead } from '../plan/distribute.ts';
import type { SeriesRead, ShardRow } from './shard.ts';

/**
 * What an evaluation of these expressions would read: found out by evaluating them over nothing, so that only the engine
 * knows which times its functions look at.
 */
export function seriesReads(
  rawReads: readonly RawRead[],
  ctx: Omit<EvalContext, 'source' | 'merged' | 'grid'>,
  fragments: number,
): SeriesRead[] {
  const reads = new Map<string, SeriesRead>();
  const source: Source = {
    select(matchers, fromMs, toMs) {
      const read: SeriesRead = { answer: 'series', matchers, fromMs, toMs };
      reads.set(keyOf(read), read);
      return [];
    },
    series: () => [],
  };
  const merged = Array.from({ length: fragments }, () => []);
  for (const { expr, grid } of rawReads) {
    try {
      evaluate(expr, { ...ctx, source, merged, grid });
    } catch (error) {
      // An error that hangs on the data shows when it is evaluated over the data.
      if (toComityError(error).code !== 'execution') throw error;
    }
  }
  return [...reads.values()];
}

/** A source over what the shards answered to reads. */
export function rawSource(reads: readonly SeriesRead[], rows: readonly (readonly ShardRow[])[]): Source {
  const byKey = new Map(reads.map((read, i) => [keyOf(read), rows[i]!]));
  return {
    *select(matchers, fromMs, toMs) {
      const found = byKey.get(keyOf({ matchers, fromMs, toMs }));
      if (found === undefined) throw new ComityError('internal', 'the shards were not asked for these series');
      for (const row of found) yield seriesOf(row);
    },
    series: () => [],
  };
}

function seriesOf({ labels, columns, histograms }: ShardRow): SeriesColumns {
  const [times, values, startTimes] = columns.fields as [Float64Array, Float64Array, Float64Array];
  return { labels, times, values, histograms, startTimes };
}

function keyOf({ matchers, fromMs, toMs }: Pick<SeriesRead, 'matchers' | 'fromMs' | 'toMs'>): string {
  return JSON.stringify([fromMs, toMs, matchers.map(({ name, op, value }) => [name, op, value])]);
}
