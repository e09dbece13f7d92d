import { LIMITS } from '../../base/limits.ts';
import { ADD_ONCE, SET, seriesHandle, type SeriesHandle } from '../../model/batch.ts';
import type { Labels } from '../../model/labels.ts';
import { namedLabels, seriesLabels, type Reject } from './attributes.ts';
import { addExemplars } from './exemplars.ts';
import { took } from './intake.ts';
import { FLAG_NO_RECORDED_VALUE, type DataPoint, type KeyValue, type NumberDataPoint } from './messages.ts';
import type { SummaryDataPoint, UnixNano } from './messages.ts';
import { nanosToMs, plainDecimal } from './numbers.ts';
import { rejectPoint, type PointContext, type PointTimes } from './point-context.ts';

/** The times of a point that was not rejected for them. */
export function pointTimes(context: PointContext, point: DataPoint): PointTimes | undefined {
  if (point.timeUnixNano === 0n) {
    rejectPoint(context, 'no_timestamp', 'timeUnixNano is 0');
    return undefined;
  }
  const timeMs = nanosToMs(point.timeUnixNano);
  if (timeMs > context.intake.futureEndMs) {
    const detail = `timeUnixNano ${point.timeUnixNano} is more than ${LIMITS.futureMs} ms ahead`;
    rejectPoint(context, 'too_far_in_future', detail);
    return undefined;
  }
  return { timeMs, startMs: startOf(point.startTimeUnixNano), stale: isStale(point) };
}

/** Adds the sample of a gauge or sum, unless it is rejected. */
export function addNumberPoint(context: PointContext, point: NumberDataPoint): void {
  const times = pointTimes(context, point);
  if (times === undefined) return;
  const value = point.asDouble ?? point.asInt;
  if (value === undefined && !times.stale) {
    rejectPoint(context, 'no_value', 'neither asDouble nor asInt is set');
    return;
  }
  const handle = metricSeries(context, point.attributes);
  if (handle === undefined) return;
  const series = context.intake.builder.series(handle);
  addRow(context, series, times.timeMs, times.startMs, times.stale, Number(value ?? 0));
  if (context.family.kind === 'sum') addExemplars(context, series, times, point.exemplars);
  took(context.intake, context.family, times.timeMs, times.stale, Number(value ?? 0));
}

/** Adds `_sum`, `_count` and one sample for each quantile. */
export function addSummaryPoint(context: PointContext, point: SummaryDataPoint): void {
  const times = pointTimes(context, point);
  if (times === undefined) return;
  const base = baseLabels(context, point.attributes, 2);
  if (base === undefined) return;
  const { builder } = context.intake;
  const { name } = context.family;
  const add = (labels: Labels, value: number): void => {
    const series = builder.series(admitted(context, labels));
    addRow(context, series, times.timeMs, times.startMs, times.stale, value);
  };
  builder.beginPoint();
  add(namedLabels(base, `${name}_sum`), point.sum);
  add(namedLabels(base, `${name}_count`), Number(point.count));
  for (const { quantile, value } of point.quantileValues) {
    add(namedLabels(base, name, 'quantile', plainDecimal(quantile)), value);
  }
  builder.endPoint();
  took(context.intake, context.family, times.timeMs, times.stale);
}

/** The series of a metric with one series a point. Undefined after a rejection. */
export function metricSeries(context: PointContext, attributes: readonly KeyValue[]): SeriesHandle | undefined {
  const base = baseLabels(context, attributes, 1);
  return base === undefined ? undefined : admitted(context, namedLabels(base, context.family.name));
}

/** The labels that all series of a point share, with room for `spare` more. Undefined after a rejection. */
export function baseLabels(context: PointContext, attributes: readonly KeyValue[], spare: number): Labels | undefined {
  const reject: Reject = (reason, detail) => rejectPoint(context, reason, detail);
  return seriesLabels(attributes, context.resource.labels, spare, reject);
}

export function admitted(context: PointContext, labels: Labels): SeriesHandle {
  return seriesHandle(context.admission.series(labels));
}

/** Adds one row of a point. */
export function addRow(
  { intake, family }: PointContext,
  series: number,
  timeMs: number,
  startMs: number,
  stale: boolean,
  value: number,
): void {
  if (stale) {
    intake.builder.stale(series, timeMs);
    return;
  }
  // A NaN off the wire may have the bits of a staleness marker, which only the flag is to set.
  const plain = value === value ? value : NaN;
  if (family.mode === SET) {
    intake.builder.sample(series, timeMs, plain, SET, startMs);
  } else {
    // The start of a delta is that of its interval. The counter that it is added to goes on.
    intake.adds = true;
    intake.builder.sample(series, timeMs, plain, ADD_ONCE);
  }
}

/** When a counter started, in ms; 0 where that is not known. */
function startOf(start: UnixNano): number {
  return start === 0n ? 0 : nanosToMs(start);
}

function isStale(point: DataPoint): boolean {
  return (point.flags & FLAG_NO_RECORDED_VALUE) !== 0;
}
