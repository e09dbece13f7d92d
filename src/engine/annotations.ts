import type { Span } from '../promql/ast.ts';
import { noteLevel, type HistogramOperation, type NoteArgument, type NoteCode, type SampleType } from './note-codes.ts';
import type { Note } from './notes.ts';

function note(code: NoteCode, span: Span, ...args: readonly NoteArgument[]): Note {
  return { level: noteLevel(code), code, args, span };
}

export function invalidQuantile(quantile: number, span: Span): Note {
  return note('invalid_quantile', span, quantile);
}

export function invalidRatio(ratio: number, to: number, span: Span): Note {
  return note('invalid_ratio', span, ratio, to);
}

export function badBucketLabel(metric: string, label: string, span: Span): Note {
  return note('bad_bucket_label', span, metric, label);
}

export function mixedFloatsHistograms(metric: string, span: Span): Note {
  return note('mixed_floats_histograms', span, metric);
}

export function mixedFloatsHistogramsInAggregation(span: Span): Note {
  return note('mixed_floats_histograms_in_aggregation', span);
}

export function mixedClassicNative(metric: string, span: Span): Note {
  return note('mixed_classic_native', span, metric);
}

export function nativeNotCounter(metric: string, span: Span): Note {
  return note('native_not_counter', span, metric);
}

export function nativeNotGauge(metric: string, span: Span): Note {
  return note('native_not_gauge', span, metric);
}

export function mixedExponentialCustom(metric: string, span: Span): Note {
  return note('mixed_exponential_custom', span, metric);
}

export function incompatibleBucketLayout(operator: string, span: Span): Note {
  return note('incompatible_bucket_layout', span, operator);
}

export function sortInRangeQuery(span: Span): Note {
  return note('sort_in_range_query', span);
}

export function counterResetCollision(operation: HistogramOperation, span: Span): Note {
  return note('counter_reset_collision', span, operation);
}

export function startTimeOverlap(metric: string, span: Span): Note {
  return { ...note('start_time_overlap', span, metric), detail: { kind: 'overlap', samples: 1 } };
}

export function possibleNonCounter(metric: string, span: Span): Note {
  return note('possible_non_counter', span, metric);
}

export function possibleNonCounterType(metric: string, type: string, span: Span): Note {
  return note('possible_non_counter_type', span, metric, type);
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
  const detail = { fromMs: timeMs, toMs: timeMs, leastBound, mostBound, mostDifference, samples: 1 };
  return { ...note('forced_monotonicity', span, metric), detail: { kind: 'monotonicity', ...detail } };
}

export function incompatibleTypes(left: SampleType, operator: string, right: SampleType, span: Span): Note {
  return note('incompatible_types', span, left, operator, right);
}

export function ignoredInAggregation(aggregation: string, span: Span): Note {
  return note('ignored_in_aggregation', span, aggregation);
}

export function ignoredInMixedRange(metric: string, span: Span): Note {
  return note('ignored_in_mixed_range', span, metric);
}

export function quantileIsNaN(metric: string, span: Span): Note {
  return note('quantile_is_nan', span, metric);
}

export function quantileIsSkewed(metric: string, span: Span): Note {
  return note('quantile_is_skewed', span, metric);
}

export function fractionHasNaN(metric: string, span: Span): Note {
  return note('fraction_has_nan', span, metric);
}

export function customBoundsReconciled(operation: HistogramOperation, span: Span): Note {
  return note('custom_bounds_reconciled', span, operation);
}
