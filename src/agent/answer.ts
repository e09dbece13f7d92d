import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ComityError, RETRY_AFTER_SECONDS, toComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { readTraceparent, traceIdOf } from '../base/traceparent.ts';
import type { Border } from '../border/border.ts';
import type { Asked, Consumer } from '../border/consumer.ts';
import { releaseError } from '../border/release-error.ts';
import { releaseExemplars, releaseLabels, releaseMetadata, releaseSeries } from '../border/release-lists.ts';
import { releaseExplain, releaseLedger, releaseQuery, releaseStatus } from '../border/release.ts';
import { openReleased, type AnswerKind, type Released } from '../border/released.ts';
import { decodeQueryRequest } from '../plan/frames/query-codec.ts';
import { decodeExemplarsRequest } from '../plan/frames/exemplars-codec.ts';
import { decodeLabelsRequest } from '../plan/frames/labels-codec.ts';
import { decodeLedgerRequest } from '../plan/frames/ledger-codec.ts';
import { decodeMetadataRequest } from '../plan/frames/metadata-codec.ts';
import { decodeSeriesRequest } from '../plan/frames/series-codec.ts';
import { decodeStatusRequest } from '../plan/frames/status-codec.ts';
import { whileConnected } from '../api/while-connected.ts';
import { bearerOf } from './bearer.ts';
import type { LoadGate } from './load-gate.ts';
import { ShedError } from './shed-error.ts';

export interface FederationDeps {
  readonly border: Border;
  /** Where queries wait for their turn; all are answered at once when left out. */
  readonly gate?: LoadGate | undefined;
  /** Who may ask, each by a bearer token. */
  readonly consumers: readonly ConsumerToken[];
  /** Told what went over the border, in bytes as sent. */
  onReleased(kind: AnswerKind, bytes: number): void;
  /** `traceId`: of the hub's trace, where it named one. */
  onFault(error: ComityError, traceId: string | undefined): void;
}

/** Who may ask, and by what secret it is known. */
export interface ConsumerToken extends Consumer {
  readonly token: string;
}

const FEDERATION_TYPE = 'application/x-protobuf';

/** Answers shorter than this are sent as they are: compressing them saves nothing. */
const COMPRESS_BYTES_MIN = 512;

const compress = promisify(zstdCompress);

/**
 * The federation endpoint, the only way out of a domain: POST /federation/v1/query, /explain, /labels, /series, /metadata,
 * /exemplars, /status and /ledger with messages of proto/federation.proto. A hub that hangs up stops its query. Whatever a
 * handler returns must be a `Released` that the border made; anything else, errors included, is replaced by a 500 with no
 * content.
 */
export function federationEndpoint(app: FastifyInstance, deps: FederationDeps): void {
  const { border, gate } = deps;
  const consumerOf = bearerOf(
    deps.consumers.map(({ token, name, jurisdiction }) => ({ token, value: { name, jurisdiction } })),
  );
  const consumers = new WeakMap<FastifyRequest, Consumer>();
  const cleared = new WeakMap<object, AnswerKind>();

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    FEDERATION_TYPE,
    { parseAs: 'buffer', bodyLimit: LIMITS.bodyBytes },
    (_request, body, done) => done(null, body),
  );
  app.addHook('onRequest', async (request) => {
    const consumer = consumerOf(request.headers.authorization);
    if (consumer === undefined) {
      throw new ComityError('unauthorized', 'the request carries no token of a consumer of this domain');
    }
    consumers.set(request, consumer);
  });
  const serialise = (payload: unknown): Buffer => {
    const { kind, bytes } = openReleased(payload);
    const copy = Buffer.from(bytes);
    cleared.set(copy, kind);
    return copy;
  };
  // Fastify serialises to buffers as well, only its types say string.
  const serializer = serialise as unknown as (payload: unknown) => string;
  app.setReplySerializer(serializer);
  // Payloads that need no serializer (buffers, strings, streams) would pass it by: only bytes it made may go on.
  app.addHook('onSend', async (request, reply, payload) => {
    const kind = payload instanceof Buffer ? cleared.get(payload) : undefined;
    if (kind === undefined || !(payload instanceof Buffer)) {
      const fault = new ComityError('not_released', `${request.url}: a reply was not released by the border`);
      deps.onFault(fault, traceIdIn(request));
      reply.code(500).removeHeader('content-type');
      return '';
    }
    const accepts = String(request.headers['accept-encoding'] ?? '').includes('zstd');
    const body = accepts && payload.length >= COMPRESS_BYTES_MIN ? await compress(payload) : payload;
    reply.header('content-type', FEDERATION_TYPE).header('content-length', body.length);
    if (body !== payload) reply.header('content-encoding', 'zstd');
    deps.onReleased(kind, body.length);
    return body;
  });
  app.setErrorHandler(async (error, request, reply) => {
    const known = toFederationError(error);
    if (known.status === 500) deps.onFault(known, traceIdIn(request));
    const retryAfter =
      known instanceof ShedError ? known.retryAfterSeconds : known.status === 503 ? RETRY_AFTER_SECONDS : undefined;
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
    const released = await releaseError(known, askedIn(request), border);
    // Named again because paths that do not exist are outside the reach of the one above.
    return reply.code(statusOf(known)).serializer(serializer).send(released);
  });
  app.setNotFoundHandler(() => {
    throw new ComityError('not_found', 'no such path');
  });

  function gated(reply: FastifyReply): Border {
    if (gate === undefined) return border;
    const sent = sentAnswer(reply);
    return { ...border, admit: (claim, signal) => gate.admit(claim, signal, sent) };
  }

  /** Undefined for a request without a token that is known: nothing that is said to it is written down. */
  function askedIn(request: FastifyRequest): Asked | undefined {
    const consumer = consumers.get(request);
    return consumer === undefined ? undefined : { body: bodyOf(request), consumer };
  }

  function asked(request: FastifyRequest): Asked {
    const known = askedIn(request);
    if (known === undefined) throw new ComityError('internal', 'a request got past the check of its token');
    return known;
  }

  app.post('/federation/v1/query', async (request, reply): Promise<Released> =>
    releaseQuery(decodeQueryRequest(bodyOf(request)), asked(request), gated(reply), whileConnected(reply)),
  );
  app.post('/federation/v1/explain', async (request, reply): Promise<Released> =>
    releaseExplain(decodeQueryRequest(bodyOf(request)), asked(request), gated(reply), whileConnected(reply)),
  );
  app.post('/federation/v1/labels', async (request, reply): Promise<Released> =>
    releaseLabels(decodeLabelsRequest(bodyOf(request)), asked(request), border, whileConnected(reply)),
  );
  app.post('/federation/v1/series', async (request, reply): Promise<Released> =>
    releaseSeries(decodeSeriesRequest(bodyOf(request)), asked(request), border, whileConnected(reply)),
  );
  app.post('/federation/v1/metadata', async (request, reply): Promise<Released> =>
    releaseMetadata(decodeMetadataRequest(bodyOf(request)), asked(request), border, whileConnected(reply)),
  );
  app.post('/federation/v1/exemplars', async (request, reply): Promise<Released> =>
    releaseExemplars(decodeExemplarsRequest(bodyOf(request)), asked(request), border, whileConnected(reply)),
  );
  app.post('/federation/v1/status', async (request): Promise<Released> =>
    releaseStatus(decodeStatusRequest(bodyOf(request)), asked(request), border),
  );
  app.post('/federation/v1/ledger', async (request): Promise<Released> =>
    releaseLedger(decodeLedgerRequest(bodyOf(request)), border),
  );
}

/**
 * Resolves when an answer has been handed to the system, or the connection is gone. One that nobody takes is cut off, as its
 * bytes are room that others wait for.
 */
function sentAnswer({ raw }: FastifyReply): Promise<void> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    raw.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    raw.once('prefinish', () => {
      timer = setTimeout(() => raw.destroy(), LIMITS.answerMs);
    });
  });
}

/** Of the caller's W3C trace context. */
function traceIdIn({ headers }: FastifyRequest): string | undefined {
  const trace = readTraceparent(headers['traceparent']);
  return trace === undefined ? undefined : traceIdOf(trace);
}

function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Buffer ? request.body : new Uint8Array(0);
}

/** A request of another version, or with something in it that this one does not know, is one that cannot be read. */
function statusOf({ code, status }: ComityError): number {
  return code === 'unsupported' ? 400 : status;
}

function toFederationError(error: unknown): ComityError {
  const status = (error as { statusCode?: number }).statusCode;
  if (error instanceof ComityError) return error;
  if (status === 413) return new ComityError('body_too_large', 'the body is too large');
  if (status === 415) return new ComityError('unsupported_media_type', `send ${FEDERATION_TYPE}`);
  if (status !== undefined && status >= 400 && status < 500) return new ComityError('bad_data', 'malformed request');
  return toComityError(error);
}
