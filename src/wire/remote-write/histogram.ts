import { LIMITS } from '../../base/limits.ts';
import { GAUGE, RESET_UNKNOWN, SCHEMA_MAX, type HistogramLayout, type NativeHistogram } from '../../model/histogram.ts';
import { isStaleAt } from '../../model/series.ts';
import type { Cursor } from './cursor.ts';
import { rawHistogram, readHistogram, type RawHistogram } from './histogram-message.ts';
import { countBuckets, histogramFault, schemaFault, spanIndexes, type Buckets } from './histogram-rules.ts';

/** A native histogram off the wire. It and its columns are used again by the next one. */
export interface WireHistogram {
  readonly timeMs: number;
  /** 0 where it is unknown. */
  readonly startMs: number;
  /** A staleness marker, in the sum. */
  readonly stale: boolean;
  /** Why it cannot be taken; undefined for a valid one, and for a staleness marker. */
  readonly fault: string | undefined;
  readonly histogram: NativeHistogram;
}

/** Reads the message from the cursor to `end`. `before` is a layout that it is likely to have, to be shared. */
export type HistogramReader = (cursor: Cursor, end: number, before: HistogramLayout | undefined) => WireHistogram;

/**
 * Reads histogram messages of remote write 1.0 and 2.0, which are alike, and checks them as Prometheus does
 * (model/histogram/histogram.go, Validate).
 */
export function histogramReader(): HistogramReader {
  const raw = rawHistogram();
  const positive = scratchBuckets();
  const negative = scratchBuckets();

  return (cursor, end, before) => {
    readHistogram(cursor, end, raw);
    const { timeMs, startMs } = raw;
    if (isStaleAt(raw.sum, 0)) return { timeMs, startMs, stale: true, fault: undefined, histogram: NO_HISTOGRAM };
    const fault = faultOf(raw, positive, negative);
    if (fault !== undefined) return { timeMs, startMs, stale: false, fault, histogram: NO_HISTOGRAM };
    const layout = layoutOf(raw, positive, negative, before);
    const histogram: NativeHistogram = {
      layout,
      hint: raw.hint >= RESET_UNKNOWN && raw.hint <= GAUGE ? raw.hint : RESET_UNKNOWN,
      count: raw.isFloat ? raw.countFloat : raw.countInt,
      // Any other NaN is a plain one.
      sum: Number.isNaN(raw.sum[0]) ? NaN : raw.sum[0]!,
      zeroCount: raw.isFloat ? raw.zeroCountFloat : raw.zeroCountInt,
      positive: positive.counts.subarray(0, positive.length),
      negative: negative.counts.subarray(0, negative.length),
    };
    return { timeMs, startMs, stale: false, fault: undefined, histogram };
  };
}

const NO_HISTOGRAM: NativeHistogram = {
  layout: {
    schema: 0,
    zeroThreshold: 0,
    positive: new Int32Array(0),
    negative: new Int32Array(0),
    bounds: new Float64Array(0),
  },
  hint: RESET_UNKNOWN,
  count: 0,
  sum: 0,
  zeroCount: 0,
  positive: new Float64Array(0),
  negative: new Float64Array(0),
};

function faultOf(raw: RawHistogram, positive: Buckets, negative: Buckets): string | undefined {
  if (raw.tooLarge) {
    return `more than ${LIMITS.bucketsPerHistogram} buckets or ${LIMITS.boundsPerHistogram} custom bounds`;
  }
  const fault =
    schemaFault(raw) ??
    spanIndexes(raw.positive, raw.isFloat, positive) ??
    spanIndexes(raw.negative, raw.isFloat, negative);
  if (fault !== undefined) return fault;
  countBuckets(raw.positive, raw.isFloat, positive);
  countBuckets(raw.negative, raw.isFloat, negative);
  return histogramFault(raw, positive, negative);
}

function layoutOf(
  raw: RawHistogram,
  positive: Buckets,
  negative: Buckets,
  before: HistogramLayout | undefined,
): HistogramLayout {
  // Prometheus's schemas beyond 8 are known, and reduced to 8 when they are received.
  const schema = Math.min(raw.schema, SCHEMA_MAX);
  if (
    before !== undefined &&
    before.schema === schema &&
    before.zeroThreshold === raw.zeroThreshold &&
    startsWith(positive.indexes, positive.length, before.positive) &&
    startsWith(negative.indexes, negative.length, before.negative) &&
    startsWith(raw.bounds, raw.boundCount, before.bounds)
  ) {
    return before;
  }
  return {
    schema,
    zeroThreshold: raw.zeroThreshold,
    positive: positive.indexes.slice(0, positive.length),
    negative: negative.indexes.slice(0, negative.length),
    bounds: raw.bounds.slice(0, raw.boundCount),
  };
}

function startsWith(column: Int32Array | Float64Array, length: number, expected: Int32Array | Float64Array): boolean {
  if (length !== expected.length) return false;
  for (let i = 0; i < length; i++) if (column[i] !== expected[i]) return false;
  return true;
}

function scratchBuckets(): Buckets {
  const size = LIMITS.bucketsPerHistogram;
  return { indexes: new Int32Array(size), counts: new Float64Array(size), length: 0 };
}
