import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ComityError, toComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { PromqlError, renderCaret } from '../promql/parse-error.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

/** What stands beside an error in its envelope, and the headers that say so. */
export interface ErrorDetail {
  readonly data: object;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends `data`, JSON text, as `successText` puts it. */
export function sendData(
  reply: FastifyReply,
  data: string,
  warnings: readonly string[] = [],
  infos: readonly string[] = [],
  beside: Readonly<Record<string, string>> = {},
): FastifyReply {
  return reply.type(JSON_TYPE).send(successText(data, warnings, infos, beside));
}

/** Sends an envelope that was made elsewhere with `successText`, in UTF-8. */
export function sendEnvelope(reply: FastifyReply, envelope: Uint8Array): FastifyReply {
  return reply.type(JSON_TYPE).send(Buffer.from(envelope.buffer, envelope.byteOffset, envelope.byteLength));
}

/**
 * `{"status":"success","data":…}` with the warnings and infos if there are any; `data` is JSON text, and so is what stands
 * beside it by name.
 */
export function successText(
  data: string,
  warnings: readonly string[] = [],
  infos: readonly string[] = [],
  beside: Readonly<Record<string, string>> = {},
): string {
  const list = (name: string, texts: readonly string[]): string =>
    texts.length === 0 ? '' : `,"${name}":${JSON.stringify(texts)}`;
  const others = Object.entries(beside).map(([name, json]) => `,"${name}":${json}`);
  return `{"status":"success","data":${data}${others.join('')}${list('warnings', warnings)}${list('infos', infos)}}`;
}

/**
 * Errors of this scope in Prometheus's envelope, with its words for their types: also for paths that are none, and for
 * methods that a path does not have. To be called before any route is added.
 */
export function sendErrors(
  app: FastifyInstance,
  onFault: (error: ComityError, request: FastifyRequest) => void,
  detailOf: (error: ComityError) => ErrorDetail | undefined = () => undefined,
): void {
  app.setErrorHandler((raw, request, reply) => {
    const error = toApiError(raw);
    if (error.code === 'internal') onFault(error, request);
    const envelope: Record<string, unknown> = { status: 'error', errorType: error.errorType, error: error.message };
    const detail = detailOf(error) ?? placeOf(error);
    if (detail !== undefined) {
      envelope['data'] = { ...NO_RESULT, ...detail.data };
      reply.headers(detail.headers);
    }
    return reply.code(error.status).type(JSON_TYPE).send(JSON.stringify(envelope));
  });
  const routes: Route[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ segments: url.split('/'), methods: [method].flat() });
  });
  app.setNotFoundHandler((request, reply) => {
    const segments = request.url.split('?', 1)[0]!.split('/');
    const methods = new Set(routes.filter((route) => fits(route, segments)).flatMap((route) => route.methods));
    if (methods.size === 0) throw new ComityError('not_found', 'there is nothing at this path');
    const allowed = [...methods].sort().join(', ');
    const error = `method ${request.method} is not allowed here; use ${allowed}`;
    const body = JSON.stringify({ status: 'error', errorType: 'bad_data', error });
    return reply.code(405).header('allow', allowed).type(JSON_TYPE).send(body);
  });
}

/** Grafana reads `data` of errors as of answers, and without a `resultType` it tells of that instead of the error. */
const NO_RESULT = { resultType: 'vector', result: [] };

/**
 * Where a mistake stands in a query. The message says so as well, in one line as Prometheus's; people who read JSON see the
 * caret under the place.
 */
function placeOf({ cause }: ComityError): ErrorDetail | undefined {
  if (!(cause instanceof PromqlError)) return undefined;
  const { line, column, found, expected } = cause;
  return { data: { line, column, found, expected, rendering: renderCaret(cause) }, headers: {} };
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

interface Route {
  readonly segments: readonly string[];
  readonly methods: readonly string[];
}

/** Whether a path is one of a route, whose `:name` segments stand for any text. */
function fits(route: Route, segments: readonly string[]): boolean {
  return (
    route.segments.length === segments.length &&
    route.segments.every((segment, i) => segment === segments[i] || (segment.startsWith(':') && segments[i] !== ''))
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
