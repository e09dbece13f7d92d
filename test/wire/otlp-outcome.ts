import { toComityError } from '../../src/base/errors.ts';
import type { Batch } from '../../src/model/batch.ts';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsKey } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';
import type { Translation } from '../../src/wire/otlp/translation.ts';

/** Everything that a translation says, fit for a comparison; of one that throws, its error. */
export function outcomeOf(translate: () => Translation): unknown {
  let translation: Translation;
  try {
    translation = translate();
  } catch (error) {
    const { code, message } = toComityError(error);
    return { code, message };
  }
  const { adds, taken, rejected, streams } = translation;
  const batch = translation.build('digest');
  return {
    adds,
    taken,
    rejected: { ...rejected, reasons: [...rejected.reasons] },
    streams,
    delivery: batch.delivery,
    rows: [...batch.times].map((_, row) => describeRow(batch, row)),
    exemplars: batch.exemplars.map((exemplar) => ({
      ...exemplar,
      series: labelsKey(batch.series[exemplar.series]!.labels),
    })),
    metadata: batch.metadata,
  };
}

/** One row in one line. */
function describeRow(batch: Batch, row: number): string {
  const labels = labelsKey(batch.series[batch.seriesOf[row]!]!.labels);
  const value = isHistogramAt(batch.histograms, row)
    ? describeHistogram(histogramAt(batch.histograms, row))
    : isStaleAt(batch.values, row)
      ? 'stale'
      : number(batch.values[row]!);
  const start = batch.startTimes?.[row] ?? 0;
  const continues = batch.continues?.[row] ?? 0;
  return `${labels} ${value} at ${batch.times[row]} since ${start} mode ${batch.modes[row]} continues ${continues}`;
}

export function describeHistogram({
  layout,
  hint,
  count,
  sum,
  zeroCount,
  positive,
  negative,
}: NativeHistogram): string {
  const { schema, zeroThreshold, bounds } = layout;
  const buckets = [layout.positive, positive, layout.negative, negative, bounds].map((part) => `[${part.join(' ')}]`);
  return `${schema}/${zeroThreshold} hint ${hint} count ${count} sum ${number(sum)} zero ${zeroCount} ${buckets.join(' ')}`;
}

function number(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
