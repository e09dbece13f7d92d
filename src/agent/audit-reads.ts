import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requestParams } from '../api/params.ts';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { AuditLog } from '../base/audit-log.ts';

/** What a read touched. */
export interface Touched {
  readonly series: number;
  readonly samples: number;
}

/** A read as the audit log has it: what was asked, by whom, and how it went. Never anything of the answer. */
interface AuditEntry extends Partial<Touched> {
  /** When the request came, RFC 3339. */
  readonly time: string;
  readonly remote: string;
  readonly userAgent: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly query: string | undefined;
  /** Series selectors. */
  readonly match: readonly string[] | undefined;
  /** Times as they were asked for. */
  readonly at: Readonly<Record<string, string>> | undefined;
  readonly status: number;
  readonly ms: number;
}

/**
 * Writes a line for every read at one of these routes before its answer goes out; one that cannot be written is answered
 * `unavailable` instead. To be called before the routes are added. Gives where to tell what a read has touched.
 */
export function auditReads(
  app: FastifyInstance,
  log: AuditLog,
  routes: ReadonlySet<string>,
  onFault: (error: ComityError) => void,
): (request: FastifyRequest, touched: Touched) => void {
  const startedMs = new WeakMap<FastifyRequest, number>();
  const touchedBy = new WeakMap<FastifyRequest, Touched>();
  let isFailing = false;

  app.addHook('onRequest', async (request) => void startedMs.set(request, Date.now()));
  app.addHook('onSend', async (request, reply, payload) => {
    if (!routes.has(request.routeOptions.url ?? '')) return payload;
    try {
      log.write(entryOf(request, reply.statusCode, startedMs.get(request)!, touchedBy.get(request)));
      isFailing = false;
      return payload;
    } catch (error) {
      if (!(error instanceof ComityError)) throw error;
      // One line for a disk that is full, however many reads it turns away.
      if (!isFailing) onFault(error);
      isFailing = true;
      // Content-Length is that of the answer that must not go out.
      reply.code(error.status).removeHeader('content-length');
      return JSON.stringify({ status: 'error', errorType: error.errorType, error: error.message });
    }
  });
  return (request, touched) => void touchedBy.set(request, touched);
}

const PATH_CHARS = 2_048;
const AGENT_CHARS = 256;
const TIME_CHARS = 64;

function entryOf(request: FastifyRequest, status: number, startedMs: number, touched: Touched | undefined): AuditEntry {
  const params = requestParams(request);
  const match = params.getAll('match[]');
  const times = ['time', 'start', 'end', 'step'].flatMap((name): [string, string][] => {
    const text = params.get(name);
    return text === null ? [] : [[name, text.slice(0, TIME_CHARS)]];
  });
  return {
    time: new Date(startedMs).toISOString(),
    remote: request.ip,
    userAgent: request.headers['user-agent']?.slice(0, AGENT_CHARS),
    method: request.method,
    path: request.url.split('?', 1)[0]!.slice(0, PATH_CHARS),
    // Longer ones are not answered.
    query: params.get('query')?.slice(0, LIMITS.expressionChars),
    match: match.length === 0 ? undefined : cutAll(match),
    at: times.length === 0 ? undefined : Object.fromEntries(times),
    status,
    ms: Date.now() - startedMs,
    ...touched,
  };
}

/** More selectors than a request may have, and longer ones than can be parsed, are not answered. */
function cutAll(match: readonly string[]): string[] {
  return match.slice(0, LIMITS.selectorsPerRequest).map((text) => text.slice(0, LIMITS.expressionChars));
}
