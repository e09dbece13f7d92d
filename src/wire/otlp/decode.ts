import { decodeJson } from './json.ts';
import type { ExportMetricsServiceRequest, ExportTraceServiceRequest } from './messages.ts';
import { decodeProtobuf } from './protobuf.ts';
import { METRICS_REQUEST, TRACE_REQUEST, type MessageSchema } from './schema.ts';

/** The two encodings of OTLP over HTTP. */
export type OtlpFormat = 'protobuf' | 'json';

/**
 * Decodes the body of POST /v1/metrics. Throws `bad_data` with a byte offset or the path of a field, `body_too_large`
 * when it has more elements than one request may.
 */
export function decodeMetricsRequest(body: Uint8Array, format: OtlpFormat): ExportMetricsServiceRequest {
  return decode(METRICS_REQUEST, body, format) as unknown as ExportMetricsServiceRequest;
}

/** Decodes the body of POST /v1/traces; the errors are those of `decodeMetricsRequest`. */
export function decodeTraceRequest(body: Uint8Array, format: OtlpFormat): ExportTraceServiceRequest {
  return decode(TRACE_REQUEST, body, format) as unknown as ExportTraceServiceRequest;
}

function decode(schema: MessageSchema, body: Uint8Array, format: OtlpFormat): Record<string, unknown> {
  return format === 'json' ? decodeJson(schema, body) : decodeProtobuf(schema, body);
}
