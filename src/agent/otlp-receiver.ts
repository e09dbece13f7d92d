import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ComityError, ERRORS, toComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Appended, Batch } from '../model/batch.ts';
import { spanMetrics } from '../trace/span-metrics.ts';
import type { Stream } from '../wire/otlp/attributes.ts';
import { decodeMetricsRequest, decodeTraceRequest, type OtlpFormat } from '../wire/otlp/decode.ts';
import { CONTENT_TYPES, encodeStatus, encodeSuccess, type OtlpSignal } from '../wire/otlp/reply.ts';
import { translateMetrics, type Translation } from '../wire/otlp/translate.ts';
import { boundBodies, checkEncoding, decompress, formatOf } from './otlp-body.ts';

export interface OtlpReceiverDeps {
  /** Stores a batch. Synchronous, and durable when it returns; when it throws, nothing of the batch may be stored. */
  append(batch: Batch): Appended;
  /** Told which producers were heard, after their rows are stored. */
  onStreams(signal: OtlpSignal, streams: readonly Stream[], nowMs: number): void;
  readonly domain: string;
  readonly domainLabel: string;
  /** Resource attributes that become labels of every series; the default list when left out. */
  readonly promote?: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Bytes of bodies held at once; `LIMITS.bodyBytesAtOnce` when left out. */
  readonly bodyBytesAtOnce?: number | undefined;
  readonly counters?: OtlpCounters | undefined;
}

/** What the receiver reports about itself. */
export interface OtlpCounters {
  /** An answered request, with its HTTP status. */
  answered(signal: OtlpSignal, status: number): void;
  /** Data points or spans that were stored or were known already. */
  accepted(signal: OtlpSignal, count: number): void;
  /** Data points, spans or rows that were left out, by reason. */
  rejected(signal: OtlpSignal, reason: string, count: number): void;
}

/**
 * OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp): POST /v1/metrics and /v1/traces, as protobuf or
 * JSON, plain or gzipped. Nothing is answered with 200 before `append` has returned. Points that cannot be stored are
 * counted in `partial_success` and do not fail their request; a request that cannot be read gets 4xx and must not be sent
 * again; 429 and 503 carry Retry-After. Spans are kept as their metrics only.
 */
export async function otlpReceiver(app: FastifyInstance, deps: OtlpReceiverDeps): Promise<void> {
  // A scope of its own, so that body parsers and the error format are those of OTLP for these paths only.
  await app.register(async (scope) => {
    takeRawBodies(scope);
    boundBodies(scope, deps.bodyBytesAtOnce ?? LIMITS.bodyBytesAtOnce);
    scope.setErrorHandler((error, request, reply) => sendError(request, reply, toReceiverError(request, error)));
    addSignal(scope, deps, 'metrics');
    addSignal(scope, deps, 'traces');
    scope.all(LOGS_PATH, { onRequest: async (request, reply) => sendNoLogs(request, reply) }, neverReached);
  });
}

const LOGS_PATH = '/v1/logs';
const OTHER_METHODS = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** After this many seconds a sender may try again; SDKs and the Collector back off by themselves from there. */
const RETRY_AFTER_SECONDS = 5;

function addSignal(scope: FastifyInstance, deps: OtlpReceiverDeps, signal: OtlpSignal): void {
  const url = `/v1/${signal}`;
  scope.post(url, {
    bodyLimit: LIMITS.bodyBytes,
    onRequest: async (request) => {
      // Before the body is read: a sender of the wrong type learns it without sending 16 MB.
      formatOf(request.headers['content-type']);
      checkEncoding(request.headers['content-encoding']);
    },
    onResponse: async (_request, reply) => deps.counters?.answered(signal, reply.statusCode),
    handler: async (request, reply) => receive(deps, signal, request, reply),
  });
  scope.route({
    method: OTHER_METHODS,
    url,
    onRequest: async (request, reply) => {
      reply.header('allow', 'POST');
      return sendStatus(request, reply, 405, GRPC_CODES.unimplemented, `${request.method} is not allowed, use POST`);
    },
    handler: neverReached,
  });
}

function receive(
  deps: OtlpReceiverDeps,
  signal: OtlpSignal,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const format = formatOf(request.headers['content-type']);
  const raw = request.body instanceof Buffer ? request.body : Buffer.alloc(0);
  const body = decompress(raw, request.headers['content-encoding']);
  const nowMs = deps.now();
  const translation = translate(deps, signal, body, format, nowMs);
  const appended = store(deps, translation.batch, request);
  const outcome = outcomeOf(translation, appended);
  report(deps, signal, translation, appended, nowMs, request);
  return reply
    .code(200)
    .header('content-type', CONTENT_TYPES[format])
    .send(encodeSuccess(signal, format, outcome));
}

function translate(
  deps: OtlpReceiverDeps,
  signal: OtlpSignal,
  body: Uint8Array,
  format: OtlpFormat,
  nowMs: number,
): Translation {
  const options = {
    domain: deps.domain,
    domainLabel: deps.domainLabel,
    nowMs,
    promoteResourceAttributes: deps.promote,
  };
  if (signal === 'metrics') return translateMetrics(decodeMetricsRequest(body, format), options);
  return spanMetrics(decodeTraceRequest(body, format), options);
}

const NOTHING_APPENDED: Appended = { stored: 0, repeated: 0, rejected: new Map() };

function store(deps: OtlpReceiverDeps, batch: Batch, request: FastifyRequest): Appended {
  if (batch.times.length === 0) return NOTHING_APPENDED;
  try {
    return deps.append(batch);
  } catch (error) {
    request.log.error({ err: error }, 'a batch could not be stored');
    // The reason may name files and tables, which are no business of a sender.
    throw new ComityError('unavailable', 'the batch could not be stored, nothing of it was kept. Send it again', {
      cause: error,
    });
  }
}

/** What is stored stays stored: a fault in here is logged and the sender still told of its success. */
function report(
  deps: OtlpReceiverDeps,
  signal: OtlpSignal,
  translation: Translation,
  appended: Appended,
  nowMs: number,
  request: FastifyRequest,
): void {
  try {
    if (translation.streams.length > 0) deps.onStreams(signal, translation.streams, nowMs);
    deps.counters?.accepted(signal, translation.taken - lostPoints(translation, appended));
    for (const [reason, count] of translation.rejected.reasons) deps.counters?.rejected(signal, reason, count);
    for (const [reason, count] of appended.rejected) deps.counters?.rejected(signal, reason, count);
  } catch (error) {
    request.log.error({ err: error }, 'streams or counters of a stored batch could not be noted');
  }
}

function outcomeOf(translation: Translation, appended: Appended): { rejected: number; message: string } {
  const { rejected } = translation;
  const parts = rejected.message === '' ? [] : [rejected.message];
  for (const [reason, count] of appended.rejected) parts.push(`${count} samples ${reason}`);
  return { rejected: rejected.count + lostPoints(translation, appended), message: parts.join('; ') };
}

/** The store counts rows and a histogram point has many, so its rejections are at most as many as there were points. */
function lostPoints(translation: Translation, appended: Appended): number {
  let rows = 0;
  for (const count of appended.rejected.values()) rows += count;
  return Math.min(translation.taken, rows);
}

function takeRawBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: LIMITS.bodyBytes }, (_request, body, done) => {
    done(null, body);
  });
}

/** gRPC status codes (https://grpc.io/docs/guides/status-codes/), as google.rpc.Status carries them. */
const GRPC_CODES = {
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

function toReceiverError(request: FastifyRequest, error: unknown): ComityError {
  if (error instanceof ComityError) return error;
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (status === 413) {
    return new ComityError('body_too_large', `the body has more than ${LIMITS.bodyBytes} bytes. Send smaller batches`);
  }
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new ComityError('bad_data', error instanceof Error ? error.message : String(error));
  }
  request.log.error({ err: error }, 'an OTLP request failed');
  return toComityError(error);
}

function sendError(request: FastifyRequest, reply: FastifyReply, error: ComityError): FastifyReply {
  if (ERRORS[error.code].retryable) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
  return sendStatus(request, reply, error.status, grpcCode(error.status), error.message);
}

function sendNoLogs(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const message = 'logs are not received here; send metrics to /v1/metrics and traces to /v1/traces';
  return sendStatus(request, reply, 404, GRPC_CODES.notFound, message);
}

/** Errors are in the request's format; where that is none of OTLP's, in JSON. */
function sendStatus(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  code: number,
  message: string,
): FastifyReply {
  let format: OtlpFormat = 'json';
  try {
    format = formatOf(request.headers['content-type']);
  } catch {
    // The reply says so already, or the method is the greater fault.
  }
  return reply
    .code(status)
    .header('content-type', CONTENT_TYPES[format])
    .send(encodeStatus(format, code, message));
}

function grpcCode(status: number): number {
  if (status === 413 || status === 429) return GRPC_CODES.resourceExhausted;
  if (status === 503) return GRPC_CODES.unavailable;
  return status < 500 ? GRPC_CODES.invalidArgument : GRPC_CODES.internal;
}

/** For routes whose hook has answered. */
async function neverReached(): Promise<void> {
  await Promise.resolve();
}
