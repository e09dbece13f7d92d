import { LIMITS } from '../../base/limits.ts';
import type { SeriesHandle } from '../../model/batch.ts';
import type { Labels } from '../../model/labels.ts';
import { namedLabels } from './attributes.ts';
import { addExemplar, exemplarValue } from './exemplars.ts';
import { took } from './intake.ts';
import type { Exemplar, HistogramDataPoint } from './messages.ts';
import { rejectPoint, type PointContext, type PointTimes } from './point-context.ts';
import { addRow, admitted, baseLabels, pointTimes } from './points.ts';
import { plainDecimal } from './numbers.ts';

/** The series of one explicit histogram in the classic form. */
export interface ClassicSeries {
  readonly sum: SeriesHandle;
  readonly count: SeriesHandle;
  /** One for each of `bounds`, and one for +Inf. */
  readonly buckets: readonly SeriesHandle[];
}

/** The numbers of a point of an explicit histogram. */
export interface ExplicitPoint extends PointTimes {
  readonly count: number;
  readonly sum: number | undefined;
  /** Upper bounds of the buckets, ascending, without +Inf. */
  readonly bounds: ArrayLike<number>;
  /** Observations in each bucket; the one of +Inf, and others after the bounds, are not read. */
  readonly bucketCounts: ArrayLike<number>;
  /** How many of them there are: none, or one for each bound and more. */
  readonly buckets: number;
}

/** Adds `_sum` where there is one, `_count`, and one cumulative `_bucket` for each bound and for +Inf. */
export function addHistogramPoint(context: PointContext, point: HistogramDataPoint): void {
  const numbers = explicitPoint(context, point);
  if (numbers === undefined) return;
  const base = baseLabels(context, point.attributes, 2);
  if (base !== undefined) {
    addClassicRows(context, classicSeries(context, base, numbers.bounds), numbers, point.exemplars);
  }
}

/** The numbers of a point, unless it is rejected for them. */
export function explicitPoint(context: PointContext, point: HistogramDataPoint): ExplicitPoint | undefined {
  const times = pointTimes(context, point);
  if (times === undefined) return undefined;
  const { explicitBounds, bucketCounts } = point;
  const fault = boundsFault(explicitBounds) ?? countsFault(explicitBounds.length, bucketCounts.length);
  if (fault !== undefined) {
    rejectPoint(context, 'bad_histogram', fault);
    return undefined;
  }
  return {
    ...times,
    count: Number(point.count),
    sum: point.sum,
    bounds: explicitBounds.at(-1) === Infinity ? explicitBounds.slice(0, -1) : explicitBounds,
    bucketCounts: bucketCounts.map(Number),
    buckets: bucketCounts.length,
  };
}

export function classicSeries(context: PointContext, base: Labels, bounds: ArrayLike<number>): ClassicSeries {
  const { name } = context.family;
  const bucket = `${name}_bucket`;
  const buckets: SeriesHandle[] = [];
  for (let i = 0; i < bounds.length; i++) {
    buckets.push(admitted(context, namedLabels(base, bucket, 'le', plainDecimal(bounds[i]!))));
  }
  buckets.push(admitted(context, namedLabels(base, bucket, 'le', '+Inf')));
  return {
    sum: admitted(context, namedLabels(base, `${name}_sum`)),
    count: admitted(context, namedLabels(base, `${name}_count`)),
    buckets,
  };
}

export function addClassicRows(
  context: PointContext,
  series: ClassicSeries,
  point: ExplicitPoint,
  exemplars: readonly Exemplar[],
): void {
  const { builder } = context.intake;
  const { bounds, bucketCounts, timeMs, startMs, stale } = point;
  const bounded = point.buckets === 0 ? 0 : bounds.length;
  let nextExemplar = 0;
  builder.beginPoint();
  if (point.sum !== undefined) addRow(context, builder.series(series.sum), timeMs, startMs, stale, point.sum);
  addRow(context, builder.series(series.count), timeMs, startMs, stale, point.count);
  let below = 0;
  for (let i = 0; i < bounded; i++) {
    below += bucketCounts[i]!;
    const at = builder.series(series.buckets[i]!);
    addRow(context, at, timeMs, startMs, stale, below);
    // Exemplars come in the order of their values, as buckets do.
    while (nextExemplar < exemplars.length) {
      const exemplar = exemplars[nextExemplar]!;
      if ((exemplarValue(exemplar) ?? 0) > bounds[i]!) break;
      addExemplar(context, at, point, exemplar);
      nextExemplar++;
    }
  }
  const last = builder.series(series.buckets.at(-1)!);
  addRow(context, last, timeMs, startMs, stale, point.count);
  builder.endPoint();
  for (; nextExemplar < exemplars.length; nextExemplar++) addExemplar(context, last, point, exemplars[nextExemplar]!);
  took(context.intake, context.family, timeMs, stale);
}

/** What is wrong with the bounds of a histogram. */
export function boundsFault(bounds: ArrayLike<number>): string | undefined {
  if (bounds.length > LIMITS.boundsPerHistogram) {
    return `${bounds.length} explicitBounds, the limit is ${LIMITS.boundsPerHistogram}`;
  }
  for (let i = 0; i < bounds.length; i++) {
    const ascends = i === 0 ? !Number.isNaN(bounds[i]) : bounds[i]! > bounds[i - 1]!;
    if (!ascends) return `explicitBounds[${i}] is ${bounds[i]}, bounds must ascend`;
  }
  return undefined;
}

/** What is wrong with the number of a histogram's buckets. */
function countsFault(bounds: number, counts: number): string | undefined {
  if (counts === 0 || counts === bounds + 1) return undefined;
  return `${counts} bucketCounts do not fit ${bounds} explicitBounds, there must be one more`;
}
