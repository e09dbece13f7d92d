import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, RETRY_AFTER_SECONDS, type ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { handleLabels, rejectedCount, type Appended, type Batch } from '../model/batch.ts';
import { METRIC_NAME, type Labels } from '../model/labels.ts';
import { remoteWriteDecoder, type DecodedWrite } from '../wire/remote-write/decode.ts';
import { checkSnappy, messageOf } from '../wire/remote-write/negotiate.ts';
import { snappyDecoder } from '../wire/snappy.ts';
import type { ReceiverDeps } from './receiver.ts';
import { boundBodies, neverReached, takeRawBodies, toReceiverError, type BodyBudget } from './request-body.ts';

/**
 * Prometheus remote write 1.0 and 2.0 (https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/): POST /api/v1/write.
 * 204 says that everything is stored. When something is left out the rest is stored, and the answer is 400 with a text,
 * so that the sender does not try again. What cannot be read gets 400, 413 or 415 and nothing of it is stored; 503 carries
 * Retry-After and means that nothing was stored either. Answers to 2.0 say in their headers what was written.
 *
 * A request that was stored whole is so again when it is sent again, because its answer was lost: the store knows its samples.
 *
 * Exemplars of a 1.0 request are kept where they can be and do not fail it, as in Prometheus: a sender would count all of
 * its samples as failed.
 */
export async function remoteWriteReceiver(app: FastifyInstance, deps: ReceiverDeps, budget: BodyBudget): Promise<void> {
  const decode = remoteWriteDecoder(deps);
  const snappy = snappyDecoder(LIMITS.decompressedBytes);
  // A scope of its own, so that body parsers and the error format are those of remote write for this path only.
  await app.register(async (scope) => {
    takeRawBodies(scope);
    boundBodies(scope, budget);
    scope.setErrorHandler((error, request, reply) =>
      sendError(
        request,
        reply,
        toReceiverError(error, (fault) => request.log.error({ err: fault }, 'a remote-write request failed')),
      ),
    );
    scope.post(PATH, {
      bodyLimit: LIMITS.bodyBytes,
      onRequest: async (request) => {
        // Before the body is read: a sender of the wrong type learns it without sending 16 MB.
        messageOf(request.headers['content-type']);
        checkSnappy(request.headers['content-encoding']);
      },
      onResponse: async (_request, reply) => {
        deps.counters.answered('remote_write', 'metrics', String(reply.statusCode));
      },
      handler: async (request, reply) => {
        const message = messageOf(request.headers['content-type']);
        const body = request.body instanceof Buffer ? request.body : Buffer.alloc(0);
        // No pause from here to `append`: the decompressed bytes are the decoder's, until its next call.
        const decoded = decode(message, snappy.decode(body));
        const appended = await deps.append(decoded.batch);
        report(deps, decoded, appended, request);
        const isV2 = message === 'io.prometheus.write.v2.Request';
        if (isV2) writtenHeaders(reply, decoded, appended);
        const faults = faultsOf(decoded, appended, isV2);
        if (faults.length > 0) return sendText(reply, 400, faults.join('; '));
        return reply.code(204).send();
      },
    });
    scope.route({
      method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url: PATH,
      onRequest: async (request, reply) => {
        return sendText(reply.header('allow', 'POST'), 405, `${request.method} is not allowed, use POST`);
      },
      handler: neverReached,
    });
  });
}

const PATH = '/api/v1/write';

/** What is stored stays stored: a fault in here is logged and the sender still told of its success. */
function report(deps: ReceiverDeps, decoded: DecodedWrite, appended: Appended, request: FastifyRequest): void {
  const { counters } = deps;
  try {
    if (decoded.streams.length > 0) deps.onStreams('metrics', decoded.streams, deps.now());
    counters.accepted('remote_write', 'metrics', appended.stored + appended.repeated);
    for (const [reason, { count }] of decoded.leftOut.reasons) {
      counters.rejected('remote_write', 'metrics', reason, count);
    }
    for (const [reason, { count }] of appended.rejected) counters.rejected('remote_write', 'metrics', reason, count);
    const exemplars = decoded.batch.exemplars.length - appended.exemplars;
    if (exemplars > 0) counters.rejected('remote_write', 'metrics', EXEMPLAR_NOT_KEPT, exemplars);
  } catch (error) {
    request.log.error({ err: error }, 'streams or counters of a stored batch could not be noted');
  }
}

/** The store does not take exemplars that are older than one that it has. */
const EXEMPLAR_NOT_KEPT = 'exemplar_out_of_order';

/** A text for each thing that was lost. */
function faultsOf({ batch, leftOut }: DecodedWrite, appended: Appended, isV2: boolean): string[] {
  const faults: string[] = [];
  for (const [reason, { count, first }] of leftOut.reasons) {
    if (reason === 'bad_exemplar' && !isV2) continue;
    faults.push(`${count} ${reason} (first: ${first})`);
  }
  for (const [reason, { count, firstRow }] of appended.rejected) {
    faults.push(`${count} ${reason} (first: ${rowText(batch, firstRow)})`);
  }
  const exemplars = batch.exemplars.length - appended.exemplars;
  if (isV2 && exemplars > 0) faults.push(`${exemplars} ${EXEMPLAR_NOT_KEPT}`);
  return faults;
}

/** Samples and histograms as the sender counts them: a staleness marker is what its series is. */
function writtenHeaders(reply: FastifyReply, decoded: DecodedWrite, appended: Appended): void {
  const points = appended.stored + appended.repeated;
  // When some points were rejected it is not known which; then markers count as histograms first.
  const rejected = rejectedCount(appended);
  const histograms = rejected === 0 ? decoded.histograms : appended.histograms + decoded.staleHistograms;
  const ofThem = Math.min(points, histograms);
  sendWritten(reply, points - ofThem, ofThem, appended.exemplars);
}

function sendWritten(reply: FastifyReply, samples: number, histograms: number, exemplars: number): void {
  reply.header('x-prometheus-remote-write-samples-written', String(samples));
  reply.header('x-prometheus-remote-write-histograms-written', String(histograms));
  reply.header('x-prometheus-remote-write-exemplars-written', String(exemplars));
}

function rowText(batch: Batch, row: number): string {
  const series = batch.series[batch.seriesOf[row] ?? -1];
  return `${seriesText(series === undefined ? [] : (handleLabels(series) ?? []))} at ${batch.times[row]} ms`;
}

/** Characters of a series in a message. */
const SERIES_CHARS = 300;

function seriesText(labels: Labels): string {
  let name = '';
  const matchers: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === METRIC_NAME) name = labels[i + 1]!;
    else matchers.push(`${labels[i]}=${JSON.stringify(labels[i + 1])}`);
  }
  const text = `${name}{${matchers.join(', ')}}`;
  return text.length > SERIES_CHARS ? `${text.slice(0, SERIES_CHARS)}…` : text;
}

function sendError(request: FastifyRequest, reply: FastifyReply, error: ComityError): FastifyReply {
  if (ERRORS[error.code].retryable) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
  if (isV2Request(request)) sendWritten(reply, 0, 0, 0);
  return sendText(reply, error.status, error.message);
}

function isV2Request(request: FastifyRequest): boolean {
  try {
    return messageOf(request.headers['content-type']) === 'io.prometheus.write.v2.Request';
  } catch {
    // The reply says so already.
    return false;
  }
}

function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('content-type', 'text/plain; charset=utf-8').send(`${text}\n`);
}
