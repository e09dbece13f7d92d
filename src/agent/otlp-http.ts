import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ComityError, ERRORS, RETRY_AFTER_SECONDS } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { OtlpFormat } from '../wire/otlp/decode.ts';
import { CONTENT_TYPES, encodeStatus, encodeSuccess, grpcCodeOf, type GrpcCode } from '../wire/otlp/reply.ts';
import type { OtlpCore } from './otlp-core.ts';
import type { Signal } from './receiver.ts';
import {
  boundBodies,
  decompress,
  ENCODINGS,
  encodingOf,
  neverReached,
  takeRawBodies,
  toReceiverError,
  type BodyBudget,
  type Encoding,
} from './request-body.ts';

/**
 * OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp): POST /v1/metrics and /v1/traces, as protobuf or
 * JSON, plain or compressed. Nothing is answered with 200 before it is stored. Points that cannot be stored are counted in
 * `partial_success` and do not fail their request; a request that cannot be read gets 4xx and must not be sent again; 503
 * carries Retry-After. Spans are kept as their metrics only.
 */
export async function otlpHttpReceiver(app: FastifyInstance, otlp: OtlpCore, budget: BodyBudget): Promise<void> {
  // A scope of its own, so that body parsers and the error format are those of OTLP for these paths only.
  await app.register(async (scope) => {
    takeRawBodies(scope);
    boundBodies(scope, budget);
    scope.setErrorHandler((error, request, reply) => sendError(request, reply, toReceiverError(error, otlp.fault)));
    addSignal(scope, otlp, 'metrics');
    addSignal(scope, otlp, 'traces');
    scope.all('/v1/logs', { onRequest: async (request, reply) => sendNoLogs(request, reply) }, neverReached);
  });
}

const OTHER_METHODS = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

function addSignal(scope: FastifyInstance, otlp: OtlpCore, signal: Signal): void {
  const url = `/v1/${signal}`;
  scope.post(url, {
    bodyLimit: LIMITS.bodyBytes,
    onRequest: async (request) => {
      // Before the body is read: a sender of the wrong type learns it without sending 16 MB.
      formatOf(request);
      requestEncoding(request);
    },
    onResponse: async (_request, reply) => otlp.answered('otlp_http', signal, String(reply.statusCode)),
    handler: async (request, reply) => {
      const format = formatOf(request);
      const raw = request.body instanceof Buffer ? request.body : Buffer.alloc(0);
      const outcome = await otlp.receive('otlp_http', signal, decompress(raw, requestEncoding(request)), format);
      return reply
        .code(200)
        .header('content-type', CONTENT_TYPES[format])
        .send(encodeSuccess(signal, format, outcome));
    },
  });
  scope.route({
    method: OTHER_METHODS,
    url,
    onRequest: async (request, reply) => {
      reply.header('allow', 'POST');
      return sendStatus(request, reply, 405, 'UNIMPLEMENTED', `${request.method} is not allowed, use POST`);
    },
    handler: neverReached,
  });
}

/** The format that the Content-Type names; parameters such as a charset are ignored. Throws 415. */
function formatOf({ headers }: FastifyRequest): OtlpFormat {
  const contentType = headers['content-type'] ?? '';
  const mediaType = contentType.split(';', 1)[0]!.trim().toLowerCase();
  for (const format of ['protobuf', 'json'] as const) if (mediaType === CONTENT_TYPES[format]) return format;
  throw new ComityError(
    'unsupported_media_type',
    `Content-Type must be ${CONTENT_TYPES.protobuf} or ${CONTENT_TYPES.json}, not ${JSON.stringify(contentType)}`,
  );
}

/** Throws 415. */
function requestEncoding({ headers }: FastifyRequest): Encoding {
  const header = headers['content-encoding'];
  const encoding = encodingOf(header);
  if (encoding !== undefined) return encoding;
  throw new ComityError(
    'unsupported_media_type',
    `Content-Encoding must be one of ${ENCODINGS.join(', ')}, not ${JSON.stringify(header)}`,
  );
}

function sendError(request: FastifyRequest, reply: FastifyReply, error: ComityError): FastifyReply {
  if (ERRORS[error.code].retryable) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
  // A wrong media type is a fault of the request here; over gRPC its code would be that of an unknown method.
  const code = error.code === 'unsupported_media_type' ? 'INVALID_ARGUMENT' : grpcCodeOf(error);
  return sendStatus(request, reply, error.status, code, error.message);
}

function sendNoLogs(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const message = 'logs are not received here; send metrics to /v1/metrics and traces to /v1/traces';
  return sendStatus(request, reply, 404, 'NOT_FOUND', message);
}

/** Errors are in the request's format; where that is none of OTLP's, in JSON. */
function sendStatus(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  code: GrpcCode,
  message: string,
): FastifyReply {
  let format: OtlpFormat = 'json';
  try {
    format = formatOf(request);
  } catch {
    // The reply says so already, or the method is the greater fault.
  }
  return reply
    .code(status)
    .header('content-type', CONTENT_TYPES[format])
    .send(encodeStatus(format, code, message));
}
