import protobuf from 'protobufjs';
import { RETRY_AFTER_SECONDS, ERRORS, type ComityError } from '../../base/errors.ts';
import type { OtlpFormat } from './decode.ts';
import { encodeMessage } from './schema.ts';

export type OtlpSignal = 'metrics' | 'traces';

/** The Content-Type of each format. */
export const CONTENT_TYPES: Readonly<Record<OtlpFormat, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** The gRPC status codes that are used here (https://grpc.io/docs/guides/status-codes/), by the names of gRPC. */
export const GRPC_CODES = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

export type GrpcCode = keyof typeof GRPC_CODES;

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

/** What is told of a request that was stored, in part or as a whole. */
export interface Outcome {
  /** Data points or spans that were left out. */
  readonly rejected: number;
  /** For people; empty when there is nothing to say. */
  readonly message: string;
}

/**
 * The body of a 200. With nothing rejected and no message it is the empty response; with a message alone it is a
 * warning (https://opentelemetry.io/docs/specs/otlp/#partial-success).
 */
export function encodeSuccess(signal: OtlpSignal, format: OtlpFormat, outcome: Outcome): Buffer {
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

/** The gRPC code that says the same as an error to a sender of OTLP: what helps to send again, and only that, is retryable. */
export function grpcCodeOf(error: ComityError): GrpcCode {
  if (ERRORS[error.code].retryable) return 'UNAVAILABLE';
  if (error.code === 'body_too_large') return 'RESOURCE_EXHAUSTED';
  if (error.code === 'unsupported_media_type') return 'UNIMPLEMENTED';
  return error.status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL';
}

/** The body of an error over HTTP: google.rpc.Status. */
export function encodeStatus(format: OtlpFormat, code: GrpcCode, message: string): Buffer {
  const status = { code: GRPC_CODES[code], message };
  return Buffer.from(format === 'json' ? JSON.stringify(status) : encodeMessage('google.rpc.Status', status));
}

/** google.rpc.Status with a google.rpc.RetryInfo of `RETRY_AFTER_SECONDS` among its details, as protobuf. */
export function encodeRetryStatus(code: GrpcCode, message: string): Buffer {
  const { Writer } = protobuf;
  // RetryInfo.retry_delay, a Duration, whose field 1 are seconds.
  const retryInfo = Writer.create().uint32(0x0a).fork().uint32(0x08).int64(RETRY_AFTER_SECONDS).ldelim().finish();
  const status = Writer.create().uint32(0x08).int32(GRPC_CODES[code]).uint32(0x12).string(message);
  // Status.details, an Any of type_url and value.
  status.uint32(0x1a).fork();
  status.uint32(0x0a).string('type.googleapis.com/google.rpc.RetryInfo').uint32(0x12).bytes(retryInfo);
  return Buffer.from(status.ldelim().finish());
}
