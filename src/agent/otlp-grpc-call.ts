import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { ERRORS } from '../base/errors.ts';
import { encodeRetryStatus, encodeSuccess, GRPC_CODES, grpcCodeOf, type GrpcCode } from '../wire/otlp/reply.ts';
import type { OtlpCore } from './otlp-core.ts';
import { contentOf, frameMessage, readMessage } from './otlp-grpc-message.ts';
import type { Signal } from './receiver.ts';
import { ENCODINGS, encodingOf, toReceiverError, type BodyBudget } from './request-body.ts';

/**
 * Answers one call of OTLP over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc): both Export methods, messages
 * plain or compressed. The rules are those of OTLP over HTTP; errors after which a sender may send again are UNAVAILABLE
 * with a RetryInfo. Never rejects.
 *
 * This is the server's half of gRPC for unary calls, on Node's HTTP/2: grpc-js reads and decompresses a message on its own
 * before it tells anyone of it, so that nothing could bound what the calls hold together.
 */
export async function answerCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  otlp: OtlpCore,
  budget: BodyBudget,
): Promise<void> {
  const refused = headers[':method'] === 'POST' ? (isGrpc(headers['content-type']) ? undefined : 415) : 405;
  if (refused !== undefined) return end(stream, { ':status': refused });
  const signal = SIGNALS.get(headers[':path'] ?? '');
  if (signal === undefined) {
    const text = 'only Export of the MetricsService and of the TraceService is here; logs are not received';
    return fail(stream, 'UNIMPLEMENTED', text);
  }
  const held = { bytes: 0 };
  let code: GrpcCode = 'OK';
  try {
    const framed = await readMessage(stream, budget, readTimeoutMs(headers['grpc-timeout']), held);
    const content = contentOf(framed, encodingOf(header(headers['grpc-encoding'])));
    const outcome = await otlp.receive('otlp_grpc', signal, content, 'protobuf');
    succeed(stream, encodeSuccess(signal, 'protobuf', outcome));
  } catch (thrown) {
    const error = toReceiverError(thrown, (fault) => otlp.fault(fault));
    // Whoever left is told nothing, and asked for nothing that could be counted.
    if (error.code === 'canceled') return;
    code = grpcCodeOf(error);
    fail(stream, code, error.message, ERRORS[error.code].retryable);
  } finally {
    budget.release(held.bytes);
  }
  otlp.answered('otlp_grpc', signal, code);
}

/** Tells a call that nothing can be taken now. */
export function turnAway(stream: ServerHttp2Stream, message: string): void {
  fail(stream, 'UNAVAILABLE', message, true);
}

const SIGNALS: ReadonlyMap<string, Signal> = new Map([
  ['/opentelemetry.proto.collector.metrics.v1.MetricsService/Export', 'metrics'],
  ['/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'traces'],
]);

/** A message must have arrived within this, as a request over HTTP must. */
const READ_TIMEOUT_MS = 30_000;

/** A sender that takes no answer is given up after this. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Bytes of an error's text: clients bound the headers that it goes in. */
const MESSAGE_CHARS = 2_048;

const REPLY_HEADERS = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': ENCODINGS.join(','),
} as const;

function isGrpc(contentType: string | undefined): boolean {
  return /^application\/grpc(\+proto)?\s*(;|$)/i.test(contentType ?? '');
}

/** What is left of the sender's own patience (`5S`, `100m`), and never more than ours. */
function readTimeoutMs(timeout: string | string[] | undefined): number {
  const match = /^(\d{1,8})([HMSmun])$/.exec(header(timeout) ?? '');
  if (match === null) return READ_TIMEOUT_MS;
  const unitMs = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }[match[2]!] ?? 1;
  return Math.min(Math.ceil(Number(match[1]) * unitMs), READ_TIMEOUT_MS);
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}

function succeed(stream: ServerHttp2Stream, message: Buffer): void {
  if (isGone(stream)) return;
  stream.respond(REPLY_HEADERS, { waitForTrailers: true });
  stream.once('wantTrailers', () => {
    if (!isGone(stream)) stream.sendTrailers({ 'grpc-status': String(GRPC_CODES.OK) });
  });
  stream.end(frameMessage(message));
  giveUpLater(stream);
}

function fail(stream: ServerHttp2Stream, code: GrpcCode, text: string, retryable = false): void {
  const message = text.length > MESSAGE_CHARS ? `${text.slice(0, MESSAGE_CHARS)}…` : text;
  end(stream, {
    ...REPLY_HEADERS,
    'grpc-status': String(GRPC_CODES[code]),
    'grpc-message': percentEncoded(message),
    ...(retryable ? { 'grpc-status-details-bin': encodeRetryStatus(code, message).toString('base64') } : {}),
  });
}

/** An answer of headers only, which may come before the end of the request. */
function end(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  if (isGone(stream)) return;
  // What still comes is thrown away, and the sender is told to stop.
  stream.resume();
  stream.respond(headers, { endStream: true });
  if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  giveUpLater(stream);
}

function isGone(stream: ServerHttp2Stream): boolean {
  return stream.destroyed || stream.closed;
}

function giveUpLater(stream: ServerHttp2Stream): void {
  const timer = setTimeout(() => stream.destroy(), ANSWER_TIMEOUT_MS).unref();
  stream.once('close', () => clearTimeout(timer));
}

/** As gRPC has it: bytes of UTF-8 that are no printable ASCII, and the percent sign. */
function percentEncoded(text: string): string {
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[^ -$&-~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
