import type { BatchBuilder } from '../../model/batch-builder.ts';
import { ADD_ONCE, SET } from '../../model/batch.ts';
import type { Labels } from '../../model/labels.ts';
import { namedLabels, RESERVED, seriesLabels, type Reject, type ResourceLabels } from './attributes.ts';
import {
  FLAG_NO_RECORDED_VALUE,
  TEMPORALITY_CUMULATIVE,
  TEMPORALITY_DELTA,
  type DataPoint,
  type HistogramDataPoint,
  type NumberDataPoint,
  type SummaryDataPoint,
} from './messages.ts';
import { plainDecimal } from './numbers.ts';

/** What the points of one metric have in common. */
export interface PointContext {
  readonly builder: BatchBuilder;
  readonly resource: ResourceLabels;
  /** The metric's name in Prometheus, without the suffixes of histograms and summaries. */
  readonly name: string;
  /** How values join their series, as in `Batch.modes`. */
  readonly mode: number;
  readonly reject: Reject;
}

/** The mode for an aggregation temporality; undefined for one that is none. Kinds without one pass undefined. */
export function modeOf(temporality: number | undefined): number | undefined {
  if (temporality === undefined || temporality === TEMPORALITY_CUMULATIVE) return SET;
  return temporality === TEMPORALITY_DELTA ? ADD_ONCE : undefined;
}

/** Adds the sample of a gauge or sum. False after a rejection; the same holds for the functions below. */
export function addNumberPoint(context: PointContext, point: NumberDataPoint, timeMs: number): boolean {
  const value = point.asDouble ?? point.asInt;
  if (value === undefined && !isStale(point)) {
    context.reject('no_value', 'neither asDouble nor asInt is set');
    return false;
  }
  const base = baseLabels(context, point, 1);
  if (base === undefined) return false;
  row(context, point, timeMs)(namedLabels(base, context.name), Number(value ?? 0));
  return true;
}

/** Adds `_sum` where there is one, `_count`, and one cumulative `_bucket` for each bound and for +Inf. */
export function addHistogramPoint(context: PointContext, point: HistogramDataPoint, timeMs: number): boolean {
  const { explicitBounds: bounds, bucketCounts: counts, count } = point;
  const fault = histogramFault(bounds, counts.length);
  if (fault !== undefined) {
    context.reject('bad_histogram', fault);
    return false;
  }
  const base = baseLabels(context, point, 2);
  if (base === undefined) return false;
  const add = row(context, point, timeMs);
  if (point.sum !== undefined) add(namedLabels(base, `${context.name}_sum`), point.sum);
  add(namedLabels(base, `${context.name}_count`), Number(count));
  const bucket = `${context.name}_bucket`;
  let below = 0;
  for (let i = 0; i < bounds.length && i < counts.length; i++) {
    below += Number(counts[i]);
    // An explicit +Inf says what the last bucket, which every histogram has, says as well.
    if (bounds[i] !== Infinity) add(namedLabels(base, bucket, 'le', plainDecimal(bounds[i]!)), below);
  }
  add(namedLabels(base, bucket, 'le', '+Inf'), Number(count));
  return true;
}

/** Adds `_sum`, `_count` and one sample for each quantile. */
export function addSummaryPoint(context: PointContext, point: SummaryDataPoint, timeMs: number): boolean {
  const base = baseLabels(context, point, 2);
  if (base === undefined) return false;
  const add = row(context, point, timeMs);
  add(namedLabels(base, `${context.name}_sum`), point.sum);
  add(namedLabels(base, `${context.name}_count`), Number(point.count));
  for (const { quantile, value } of point.quantileValues) {
    add(namedLabels(base, context.name, 'quantile', plainDecimal(quantile)), value);
  }
  return true;
}

function baseLabels(context: PointContext, point: DataPoint, spare: number): Labels | undefined {
  return seriesLabels(point.attributes, context.resource, RESERVED, spare, context.reject);
}

function row(context: PointContext, point: DataPoint, timeMs: number): (labels: Labels, value: number) => void {
  const { builder, mode } = context;
  if (isStale(point)) return (labels) => builder.addStale(labels, timeMs);
  // A NaN off the wire may have the bits of a staleness marker, which only the flag is to set.
  return (labels, value) => builder.add(labels, timeMs, Number.isNaN(value) ? NaN : value, mode);
}

function isStale(point: DataPoint): boolean {
  return (point.flags & FLAG_NO_RECORDED_VALUE) !== 0;
}

function histogramFault(bounds: readonly number[], counts: number): string | undefined {
  if (counts !== 0 && counts !== bounds.length + 1) {
    return `${counts} bucketCounts do not fit ${bounds.length} explicitBounds, there must be one more`;
  }
  for (let i = 0; i < bounds.length; i++) {
    const ascends = i === 0 ? !Number.isNaN(bounds[i]) : bounds[i]! > bounds[i - 1]!;
    if (!ascends) return `explicitBounds[${i}] is ${bounds[i]}, bounds must ascend`;
  }
  return undefined;
}
