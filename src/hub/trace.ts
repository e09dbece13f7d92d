import type { FastifyInstance, FastifyRequest } from 'fastify';
import { childTraceparent, newTraceparent, readTraceparent, traceIdOf } from '../base/traceparent.ts';

/** Every answer names the trace that it belongs to. */
const TRACE_ID_HEADER = 'Comity-Trace-Id';

const TRACES = new WeakMap<FastifyRequest, string>();

/** Continues the W3C trace of each request, or begins one, and names it in the answer. To be called before routes are added. */
export function traceRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header(TRACE_ID_HEADER, traceIdOf(traceOf(request)));
  });
}

/** The traceparent under which a request is answered; its span is the hub's. */
export function traceOf(request: FastifyRequest): string {
  const known = TRACES.get(request);
  if (known !== undefined) return known;
  const parent = readTraceparent(request.headers['traceparent']);
  const trace = parent === undefined ? newTraceparent() : childTraceparent(parent);
  TRACES.set(request, trace);
  return trace;
}
