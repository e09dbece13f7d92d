import { GAUGE, RESET_UNKNOWN, SCHEMA_MAX, type HistogramLayout, type NativeHistogram } from '../../model/histogram.ts';
import { isStaleAt } from '../../model/series.ts';
import { bucketRoom, bucketsFault, countOf, nativeHistogram, zeroCountOf } from '../native-histogram.ts';
import type { ProtoCursor } from '../proto-cursor.ts';
import { readHistogram, writeMessage } from './histogram-message.ts';
import { coarsen, schemaFault } from './histogram-rules.ts';

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
export type HistogramReader = (cursor: ProtoCursor, end: number, before: HistogramLayout | undefined) => WireHistogram;

/**
 * Reads histogram messages of remote write 1.0 and 2.0, which are alike, and checks them as Prometheus does
 * (model/histogram/histogram.go, Validate).
 */
export function histogramReader(): HistogramReader {
  const message = writeMessage();
  const positive = bucketRoom();
  const negative = bucketRoom();

  return (cursor, end, before) => {
    readHistogram(cursor, end, message);
    const { timeMs, startMs, schema, zeroThreshold, hint } = message;
    if (isStaleAt(message.sum, 0)) return { timeMs, startMs, stale: true, fault: undefined, histogram: NO_HISTOGRAM };
    const fault = schemaFault(message) ?? bucketsFault(message, false, positive, negative);
    if (fault !== undefined) return { timeMs, startMs, stale: false, fault, histogram: NO_HISTOGRAM };
    // Prometheus's schemas beyond 8 are known, and reduced to 8 when they are received.
    if (schema > SCHEMA_MAX) {
      coarsen(positive, schema - SCHEMA_MAX);
      coarsen(negative, schema - SCHEMA_MAX);
    }
    const numbers = {
      schema: Math.min(schema, SCHEMA_MAX),
      zeroThreshold,
      bounds: message.customBoundCount === 0 ? NO_BOUNDS : message.customBounds.subarray(0, message.customBoundCount),
      hint: hint >= RESET_UNKNOWN && hint <= GAUGE ? hint : RESET_UNKNOWN,
      count: countOf(message),
      sum: message.sum[0]!,
      zeroCount: zeroCountOf(message),
    };
    const histogram = nativeHistogram(numbers, positive, negative, before);
    return { timeMs, startMs, stale: false, fault: undefined, histogram };
  };
}

const NO_BOUNDS = new Float64Array(0);

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
