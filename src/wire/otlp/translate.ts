import { addCustomBucketsPoint, addExponentialPoint } from './native-histogram.ts';
import { addHistogramPoint } from './classic-histogram.ts';
import { metricFamily, type PointKind } from './family.ts';
import { endResource, intake, translationOf, type Intake } from './intake.ts';
import type { DataPoint, ExportMetricsServiceRequest, Metric } from './messages.ts';
import type { PointContext } from './point-context.ts';
import { addNumberPoint, addSummaryPoint } from './points.ts';
import { DEFAULT_PROMOTED, resourceContext, type ResourceContext } from './resource.ts';
import type { TranslateOptions, Translation } from './translation.ts';

export interface MetricsOptions extends TranslateOptions {
  /** Resource attributes that become labels of every series; `DEFAULT_PROMOTED` when left out. */
  readonly promoteResourceAttributes?: readonly string[] | undefined;
  /** Whether explicit histograms become native ones with custom buckets instead of classic ones. */
  readonly convertHistogramsToNhcb?: boolean | undefined;
}

/**
 * OTLP metrics as Prometheus 3's own OTLP receiver stores them by default, with the domain label added. A point that
 * cannot be stored is rejected with a reason and leaves the others alone:
 * - gauges and cumulative sums and summaries become samples; a flagged point ends its series with a staleness marker;
 * - explicit histograms become classic `_bucket`, `_sum` and `_count`, exponential ones native histograms;
 * - delta sums and histograms become rows that add to what is stored;
 * - the other attributes of the resource become `target_info`.
 */
export function translateMetrics(
  request: ExportMetricsServiceRequest,
  options: MetricsOptions,
  nowMs: number,
): Translation {
  const gathered = intake(nowMs);
  const promote = options.promoteResourceAttributes ?? DEFAULT_PROMOTED;
  for (const part of request.resourceMetrics) {
    const resource = resourceContext(part.resource, options, promote);
    for (const scope of part.scopeMetrics) {
      for (const metric of scope.metrics) translateMetric(gathered, metric, resource, options);
    }
    endResource(gathered, resource);
  }
  return translationOf(gathered);
}

function translateMetric(gathered: Intake, metric: Metric, resource: ResourceContext, options: MetricsOptions): void {
  const each = <P extends DataPoint>(
    kind: PointKind,
    points: readonly P[],
    temporality: number | undefined,
    add: (context: PointContext, point: P) => void,
    isMonotonic = false,
  ): void => {
    if (points.length === 0) return;
    const { name, description, unit } = metric;
    const family = metricFamily({ name, description, unit, kind, temporality, isMonotonic });
    if (family.fault !== undefined) {
      const { reason, detail } = family.fault;
      gathered.rejected.add(reason, `${family.shownName}: ${detail}`, points.length);
      return;
    }
    const context: PointContext = { intake: gathered, admission: options.admission, resource, family };
    for (const point of points) add(context, point);
  };

  const { gauge, sum, histogram, exponentialHistogram, summary } = metric;
  if (gauge !== undefined) each('gauge', gauge.dataPoints, undefined, addNumberPoint);
  if (sum !== undefined) each('sum', sum.dataPoints, sum.aggregationTemporality, addNumberPoint, sum.isMonotonic);
  if (histogram !== undefined) {
    const add = options.convertHistogramsToNhcb === true ? addCustomBucketsPoint : addHistogramPoint;
    each('histogram', histogram.dataPoints, histogram.aggregationTemporality, add);
  }
  if (exponentialHistogram !== undefined) {
    const { dataPoints, aggregationTemporality } = exponentialHistogram;
    each('exponential', dataPoints, aggregationTemporality, addExponentialPoint);
  }
  if (summary !== undefined) each('summary', summary.dataPoints, undefined, addSummaryPoint);
}
