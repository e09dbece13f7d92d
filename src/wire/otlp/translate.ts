import { LIMITS } from '../../base/limits.ts';
import { batchBuilder, type BatchBuilder } from '../../model/batch-builder.ts';
import type { Batch } from '../../model/batch.ts';
import { isTooLong, resourceLabels, type ResourceLabels, type Stream, type TranslateOptions } from './attributes.ts';
import type { DataPoint, ExportMetricsServiceRequest, Metric, ResourceMetrics } from './messages.ts';
import { metricName, type NameKind } from './names.ts';
import { nanosToMs } from './numbers.ts';
import { addHistogramPoint, addNumberPoint, addSummaryPoint, modeOf, type PointContext } from './points.ts';
import { quoted, rejections, type PointRejectReason, type Rejected, type Rejections } from './rejections.ts';
import { targetInfo, type TargetInfo } from './target-info.ts';

export interface Translation {
  readonly batch: Batch;
  /** Data points or spans that are in the batch; one histogram point is many rows. */
  readonly taken: number;
  readonly rejected: Rejected;
  /** The producers that had at least one point or span taken. */
  readonly streams: readonly Stream[];
}

/**
 * OTLP metrics as Prometheus 3's own OTLP receiver stores them by default, with the domain label added. A point that
 * cannot be stored is rejected with a reason and leaves the others alone:
 * - gauges and cumulative sums and summaries become samples; a flagged point ends its series with a staleness marker;
 * - explicit histograms become classic `_bucket`, `_sum` and `_count`;
 * - delta sums and histograms become rows that add to what is stored;
 * - the other attributes of the resource become `target_info`.
 */
export function translateMetrics(request: ExportMetricsServiceRequest, options: TranslateOptions): Translation {
  const walk: Walk = {
    builder: batchBuilder(),
    rejected: rejections(),
    futureEndMs: options.nowMs + LIMITS.futureMs,
    taken: 0,
  };
  const streams = new Map<string, Stream>();
  const info = targetInfo(walk.builder, walk.rejected);
  for (const part of request.resourceMetrics) {
    const resource = resourceLabels(part.resource, options);
    if (translateResource(walk, part, resource, info)) {
      const { job, instance } = resource;
      streams.set(JSON.stringify([job, instance]), { job, instance });
    }
  }
  return {
    batch: walk.builder.build(),
    taken: walk.taken,
    rejected: walk.rejected.build(),
    streams: [...streams.values()],
  };
}

interface Walk {
  readonly builder: BatchBuilder;
  readonly rejected: Rejections;
  readonly futureEndMs: number;
  taken: number;
}

/** Whether any point of the resource was taken. */
function translateResource(walk: Walk, part: ResourceMetrics, resource: ResourceLabels, info: TargetInfo): boolean {
  let earliestMs = Infinity;
  let latestMs = -Infinity;
  for (const scope of part.scopeMetrics) {
    for (const metric of scope.metrics) {
      translateMetric(walk, metric, resource, (timeMs) => {
        walk.taken++;
        earliestMs = Math.min(earliestMs, timeMs);
        latestMs = Math.max(latestMs, timeMs);
      });
    }
  }
  if (latestMs === -Infinity) return false;
  info.add(resource, earliestMs, latestMs);
  return true;
}

function translateMetric(walk: Walk, metric: Metric, resource: ResourceLabels, taken: (timeMs: number) => void): void {
  const { builder, rejected } = walk;
  const rejectAll = (points: readonly DataPoint[], reason: PointRejectReason, text: string): void => {
    if (points.length > 0) rejected.add(reason, `metric ${quoted(metric.name)}: ${text}`, points.length);
  };
  const each = <P extends DataPoint>(
    points: readonly P[],
    kind: NameKind,
    mode: number | undefined,
    add: (context: PointContext, point: P, timeMs: number) => boolean,
  ): void => {
    if (mode === undefined) {
      rejectAll(points, 'bad_temporality', 'the aggregation temporality must be delta (1) or cumulative (2)');
      return;
    }
    const name =
      isTooLong(metric.name) || isTooLong(metric.unit) ? undefined : metricName(metric.name, metric.unit, kind);
    if (name === undefined || isTooLong(`${name}_bucket`)) {
      rejectAll(points, 'bad_metric_name', `name and unit make no metric name of at most ${LIMITS.labelBytes} bytes`);
      return;
    }
    const reject = (reason: PointRejectReason, text: string): void => {
      rejected.add(reason, `metric ${quoted(metric.name)}: ${text}`);
    };
    const context: PointContext = { builder, resource, name, mode, reject };
    for (const point of points) {
      const timeMs = timeOf(walk, point, reject);
      if (timeMs !== undefined && add(context, point, timeMs)) taken(timeMs);
    }
  };

  if (metric.gauge !== undefined) each(metric.gauge.dataPoints, 'gauge', modeOf(undefined), addNumberPoint);
  if (metric.sum !== undefined) {
    const { dataPoints, isMonotonic, aggregationTemporality } = metric.sum;
    each(dataPoints, isMonotonic ? 'counter' : 'other', modeOf(aggregationTemporality), addNumberPoint);
  }
  if (metric.histogram !== undefined) {
    const { dataPoints, aggregationTemporality } = metric.histogram;
    each(dataPoints, 'other', modeOf(aggregationTemporality), addHistogramPoint);
  }
  if (metric.summary !== undefined) each(metric.summary.dataPoints, 'other', modeOf(undefined), addSummaryPoint);
  if (metric.exponentialHistogram !== undefined) {
    const text = 'exponential histograms are not stored; configure explicit buckets at the sender';
    rejectAll(metric.exponentialHistogram.dataPoints, 'exponential_histogram', text);
  }
}

function timeOf(
  walk: Walk,
  point: DataPoint,
  reject: (reason: PointRejectReason, text: string) => void,
): number | undefined {
  if (point.timeUnixNano === 0n) {
    reject('no_timestamp', 'timeUnixNano is 0');
    return undefined;
  }
  const timeMs = nanosToMs(point.timeUnixNano);
  if (timeMs > walk.futureEndMs) {
    reject('too_far_in_future', `timeUnixNano ${point.timeUnixNano} is more than ${LIMITS.futureMs} ms ahead`);
    return undefined;
  }
  return timeMs;
}
