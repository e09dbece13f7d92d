import type { OtlpFormat } from './decode.ts';
import { encodeMessage } from './schema.ts';

export type OtlpSignal = 'metrics' | 'traces';

/** The Content-Type of each format. */
export const CONTENT_TYPES: Readonly<Record<OtlpFormat, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

const RESPONSES = {
  metrics: {
    typeName: 'opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceResponse',
    rejected: 'rejectedDataPoints',
  },
  traces: {
    typeName: 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse',
    rejected: 'rejectedSpans',
  },
} as const;

/**
 * The body of a 200. With nothing rejected and no message it is the empty response; with a message alone it is a
 * warning (https://opentelemetry.io/docs/specs/otlp/#partial-success).
 */
export function encodeSuccess(
  signal: OtlpSignal,
  format: OtlpFormat,
  outcome: { readonly rejected: number; readonly message: string },
): Buffer {
  const { typeName, rejected } = RESPONSES[signal];
  const partial = outcome.rejected > 0 || outcome.message !== '';
  if (format === 'json') {
    // 64-bit integers are strings in protobuf's JSON.
    const partialSuccess = { [rejected]: String(outcome.rejected), errorMessage: outcome.message };
    return Buffer.from(JSON.stringify(partial ? { partialSuccess } : {}));
  }
  const partialSuccess = { [rejected]: outcome.rejected, errorMessage: outcome.message };
  return Buffer.from(encodeMessage(typeName, partial ? { partialSuccess } : {}));
}

/** The body of an error: google.rpc.Status. `code` is a gRPC status code. */
export function encodeStatus(format: OtlpFormat, code: number, message: string): Buffer {
  const status = { code, message };
  return Buffer.from(format === 'json' ? JSON.stringify(status) : encodeMessage('google.rpc.Status', status));
}
