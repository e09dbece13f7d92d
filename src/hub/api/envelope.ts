import type { FastifyInstance, FastifyReply } from 'fastify';
import { ComityError, toComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { coverageHeaders, type Coverage } from '../../coverage/coverage.ts';
import { IncompleteError } from '../query.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Sends `{"status":"success","data":…}`; `data` is JSON text. A missing part is told as the first and as the last warning:
 * Grafana's panel header shows only the last, other clients only the first.
 */
export function sendSuccess(
  reply: FastifyReply,
  data: string,
  coverage?: Coverage,
  warnings: readonly string[] = [],
): FastifyReply {
  if (coverage !== undefined) reply.headers(coverageHeaders(coverage));
  const notices = warnings.length === 1 ? [warnings[0], warnings[0]] : warnings;
  const suffix = notices.length === 0 ? '' : `,"warnings":${JSON.stringify(notices)}`;
  return reply.type(JSON_TYPE).send(`{"status":"success","data":${data}${suffix}}`);
}

/** Errors of this scope in Prometheus's envelope, with its words for their types. */
export function prometheusErrors(app: FastifyInstance, onFault: (error: ComityError) => void): void {
  app.setErrorHandler((raw, _request, reply) => {
    const error = toApiError(raw);
    if (error.code === 'internal') onFault(error);
    const envelope: Record<string, unknown> = { status: 'error', errorType: error.errorType, error: error.message };
    if (error instanceof IncompleteError) {
      envelope['data'] = { coverage: error.coverage };
      reply.headers(coverageHeaders(error.coverage));
    }
    return reply.code(error.status).type(JSON_TYPE).send(JSON.stringify(envelope));
  });
}

/** Form bodies become URLSearchParams; anything else is refused by its type. */
export function acceptForms(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: LIMITS.expressionChars * 4 },
    (_request, body, done) => done(null, new URLSearchParams(body as string)),
  );
}

function toApiError(raw: unknown): ComityError {
  const status = (raw as { statusCode?: number }).statusCode;
  const message = raw instanceof Error ? raw.message : String(raw);
  if (raw instanceof ComityError) return raw;
  if (status === 413) return new ComityError('body_too_large', message);
  if (status === 415) return new ComityError('unsupported_media_type', 'send application/x-www-form-urlencoded');
  if (status !== undefined && status >= 400 && status < 500) return new ComityError('bad_data', message);
  return toComityError(raw);
}
