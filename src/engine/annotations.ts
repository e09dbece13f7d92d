import { formatShort } from '../base/numbers.ts';
import type { Span } from '../promql/ast.ts';
import type { Note } from './notes.ts';

/*
 * The annotations of Prometheus (https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview), word for word:
 * clients and tests compare them.
 */

function warning(text: string, span: Span): Note {
  return { level: 'warning', text: `PromQL warning: ${text}`, span };
}

function info(text: string, span: Span): Note {
  return { level: 'info', text: `PromQL info: ${text}`, span };
}

const quoted = (text: string): string => JSON.stringify(text);

/** Texts that name the metric only where it is known. */
function ofMetric(text: string, metric: string): string {
  return metric === '' ? text : `${text} for metric name ${quoted(metric)}`;
}

export function invalidQuantile(quantile: number, span: Span): Note {
  return warning(`quantile value should be between 0 and 1, got ${formatShort(quantile)}`, span);
}

export function invalidRatio(ratio: number, to: number, span: Span): Note {
  const got = `got ${formatShort(ratio)}, capping to ${formatShort(to)}`;
  return warning(`ratio value should be between -1 and 1, ${got}`, span);
}

export function badBucketLabel(metric: string, label: string, span: Span): Note {
  return warning(ofMetric(`bucket label "le" is missing or has a malformed value of ${quoted(label)}`, metric), span);
}

export function mixedFloatsHistograms(metric: string, span: Span): Note {
  return warning(`encountered a mix of histograms and floats for metric name ${quoted(metric)}`, span);
}

export function mixedFloatsHistogramsInAggregation(span: Span): Note {
  return warning('encountered a mix of histograms and floats for aggregation', span);
}

export function mixedClassicNative(metric: string, span: Span): Note {
  return warning(ofMetric('vector contains a mix of classic and native histograms', metric), span);
}

export function nativeNotCounter(metric: string, span: Span): Note {
  return warning(`this native histogram metric is not a counter: ${quoted(metric)}`, span);
}

export function nativeNotGauge(metric: string, span: Span): Note {
  return warning(`this native histogram metric is not a gauge: ${quoted(metric)}`, span);
}

export function mixedExponentialCustom(metric: string, span: Span): Note {
  const mix = 'vector contains a mix of histograms with exponential and custom buckets schemas';
  return warning(`${mix} for metric name ${quoted(metric)}`, span);
}

export function incompatibleBucketLayout(operator: string, span: Span): Note {
  return warning(`incompatible bucket layout encountered for binary operator ${operator}`, span);
}

export function sortInRangeQuery(span: Span): Note {
  return warning('sort is ineffective for range queries since results are always ordered by labels', span);
}

export function counterResetCollision(operation: HistogramOperation, span: Span): Note {
  return warning(`conflicting counter resets during histogram ${operation}`, span);
}

export function startTimeOverlap(metric: string, span: Span): Note {
  const text = `sample has start time that overlaps with previous sample timestamp for metric ${quoted(metric)}`;
  return { ...warning(text, span), detail: { kind: 'overlap', samples: 1 } };
}

export function possibleNonCounter(metric: string, span: Span): Note {
  const name = `name does not end in _total/_sum/_count/_bucket: ${quoted(metric)}`;
  return info(`metric might not be a counter, ${name}`, span);
}

export function possibleNonCounterType(metric: string, type: string, span: Span): Note {
  const label = `__type__ label is not set to "counter" or "histogram", got ${quoted(type)}: ${quoted(metric)}`;
  return info(`metric might not be a counter, ${label}`, span);
}

/** Buckets whose counts fell at `timeMs`: the least and the largest bound of them, and by how much at the most. */
export function forcedMonotonicity(
  metric: string,
  span: Span,
  timeMs: number,
  leastBound: number,
  mostBound: number,
  mostDifference: number,
): Note {
  const text =
    'input to histogram_quantile needed to be fixed for monotonicity ' +
    '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)';
  const detail = { fromMs: timeMs, toMs: timeMs, leastBound, mostBound, mostDifference, samples: 1 };
  return { ...info(ofMetric(text, metric), span), detail: { kind: 'monotonicity', ...detail } };
}

export function incompatibleTypes(left: SampleType, operator: string, right: SampleType, span: Span): Note {
  const text = 'incompatible sample types encountered for binary operator';
  return info(`${text} ${quoted(operator)}: ${left} ${operator} ${right}`, span);
}

export function ignoredInAggregation(aggregation: string, span: Span): Note {
  return info(`ignored histogram in ${aggregation} aggregation`, span);
}

export function ignoredInMixedRange(metric: string, span: Span): Note {
  const mix = 'a range containing both floats and histograms';
  return info(`ignored histograms in ${mix} for metric name ${quoted(metric)}`, span);
}

export function quantileIsNaN(metric: string, span: Span): Note {
  return info(ofMetric('input to histogram_quantile has NaN observations, result is NaN', metric), span);
}

export function quantileIsSkewed(metric: string, span: Span): Note {
  return info(ofMetric('input to histogram_quantile has NaN observations, result is skewed higher', metric), span);
}

export function fractionHasNaN(metric: string, span: Span): Note {
  const text = 'input to histogram_fraction has NaN observations, which are excluded from all fractions';
  return info(ofMetric(text, metric), span);
}

export function customBoundsReconciled(operation: HistogramOperation, span: Span): Note {
  return info(`mismatched custom buckets were reconciled during ${operation}`, span);
}

export type HistogramOperation = 'addition' | 'subtraction' | 'aggregation';
export type SampleType = 'float' | 'histogram';
