/**
 * OTLP's messages as plain objects, the same whether they came as protobuf or as JSON. The fields are those of the
 * `.proto` files under `proto/opentelemetry`; a field that was not sent has proto3's default, an optional field or a
 * member of a oneof is `undefined` instead. Ids are lower-case hexadecimal.
 */

/** A 64-bit integer: a number where it is safe, otherwise a bigint. */
export type Int64 = number | bigint;

/** Nanoseconds since the Unix epoch; 0 means unknown. */
export type UnixNano = bigint;

export interface AnyValue {
  readonly stringValue: string | undefined;
  readonly boolValue: boolean | undefined;
  readonly intValue: Int64 | undefined;
  readonly doubleValue: number | undefined;
  readonly arrayValue: { readonly values: readonly AnyValue[] } | undefined;
  readonly kvlistValue: { readonly values: readonly KeyValue[] } | undefined;
  readonly bytesValue: Uint8Array | undefined;
}

export interface KeyValue {
  readonly key: string;
  readonly value: AnyValue | undefined;
}

export interface Resource {
  readonly attributes: readonly KeyValue[];
}

export interface InstrumentationScope {
  readonly name: string;
  readonly version: string;
  readonly attributes: readonly KeyValue[];
}

export interface ExportMetricsServiceRequest {
  readonly resourceMetrics: readonly ResourceMetrics[];
}

export interface ResourceMetrics {
  readonly resource: Resource | undefined;
  readonly scopeMetrics: readonly ScopeMetrics[];
  readonly schemaUrl: string;
}

export interface ScopeMetrics {
  readonly scope: InstrumentationScope | undefined;
  readonly metrics: readonly Metric[];
  readonly schemaUrl: string;
}

export interface Metric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly gauge: Gauge | undefined;
  readonly sum: Sum | undefined;
  readonly histogram: Histogram | undefined;
  readonly exponentialHistogram: ExponentialHistogram | undefined;
  readonly summary: Summary | undefined;
}

export interface Gauge {
  readonly dataPoints: readonly NumberDataPoint[];
}

export interface Sum {
  readonly dataPoints: readonly NumberDataPoint[];
  readonly aggregationTemporality: number;
  readonly isMonotonic: boolean;
}

export interface Histogram {
  readonly dataPoints: readonly HistogramDataPoint[];
  readonly aggregationTemporality: number;
}

export interface ExponentialHistogram {
  readonly dataPoints: readonly ExponentialHistogramDataPoint[];
  readonly aggregationTemporality: number;
}

export interface Summary {
  readonly dataPoints: readonly SummaryDataPoint[];
}

export const TEMPORALITY_DELTA = 1;
export const TEMPORALITY_CUMULATIVE = 2;

/** The bit of `flags` that says that a series ended and the point has no value. */
export const FLAG_NO_RECORDED_VALUE = 1;

export interface DataPoint {
  readonly attributes: readonly KeyValue[];
  readonly startTimeUnixNano: UnixNano;
  readonly timeUnixNano: UnixNano;
  readonly flags: number;
}

export interface NumberDataPoint extends DataPoint {
  readonly asDouble: number | undefined;
  readonly asInt: Int64 | undefined;
  readonly exemplars: readonly Exemplar[];
}

export interface HistogramDataPoint extends DataPoint {
  readonly count: Int64;
  readonly sum: number | undefined;
  readonly bucketCounts: readonly Int64[];
  readonly explicitBounds: readonly number[];
  readonly exemplars: readonly Exemplar[];
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface ExponentialHistogramDataPoint extends DataPoint {
  readonly count: Int64;
  readonly sum: number | undefined;
  readonly scale: number;
  readonly zeroCount: Int64;
  readonly positive: ExponentialBuckets | undefined;
  readonly negative: ExponentialBuckets | undefined;
  readonly exemplars: readonly Exemplar[];
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly zeroThreshold: number;
}

export interface ExponentialBuckets {
  readonly offset: number;
  readonly bucketCounts: readonly Int64[];
}

export interface SummaryDataPoint extends DataPoint {
  readonly count: Int64;
  readonly sum: number;
  readonly quantileValues: readonly { readonly quantile: number; readonly value: number }[];
}

export interface Exemplar {
  readonly filteredAttributes: readonly KeyValue[];
  readonly timeUnixNano: UnixNano;
  readonly asDouble: number | undefined;
  readonly asInt: Int64 | undefined;
  readonly spanId: string;
  readonly traceId: string;
}

export interface ExportTraceServiceRequest {
  readonly resourceSpans: readonly ResourceSpans[];
}

export interface ResourceSpans {
  readonly resource: Resource | undefined;
  readonly scopeSpans: readonly ScopeSpans[];
  readonly schemaUrl: string;
}

export interface ScopeSpans {
  readonly scope: InstrumentationScope | undefined;
  readonly spans: readonly Span[];
  readonly schemaUrl: string;
}

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: string;
  /** Empty for a root span. */
  readonly parentSpanId: string;
  readonly flags: number;
  readonly name: string;
  /** An index into `SPAN_KINDS`; senders may use numbers beyond it. */
  readonly kind: number;
  readonly startTimeUnixNano: UnixNano;
  readonly endTimeUnixNano: UnixNano;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  readonly status: SpanStatus | undefined;
}

export interface SpanEvent {
  readonly timeUnixNano: UnixNano;
  readonly name: string;
  readonly attributes: readonly KeyValue[];
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: string;
  readonly attributes: readonly KeyValue[];
  readonly flags: number;
}

export interface SpanStatus {
  readonly message: string;
  /** An index into `STATUS_CODES`. */
  readonly code: number;
}

/** Names of span kinds, by number. */
export const SPAN_KINDS = [
  'SPAN_KIND_UNSPECIFIED',
  'SPAN_KIND_INTERNAL',
  'SPAN_KIND_SERVER',
  'SPAN_KIND_CLIENT',
  'SPAN_KIND_PRODUCER',
  'SPAN_KIND_CONSUMER',
] as const;

/** Names of span status codes, by number. */
export const STATUS_CODES = ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'] as const;
