import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { parseListen } from './config.ts';

/**
 * A request must have arrived within this, or a sender that stops half-way would hold what it sent for ever. The largest
 * body takes so long at 4.5 Mbit/s. How long the answer takes does not count.
 */
const REQUEST_TIMEOUT_MS = 30_000;

/** Headers are a few kilobytes and sent at once; only a broken or hostile client needs this long. */
const HEADERS_TIMEOUT_MS = 10_000;

/** How often the two are looked after: they are exceeded by no more than this. */
const TIMEOUT_CHECK_MS = 2_000;

/** A server that closes gives requests this long to end, then cuts them off. */
const CLOSE_GRACE_MS = 2_000;

/** An HTTP server with the project's settings; it writes no line a request. */
export function httpServer(log: Logger): FastifyInstance {
  // Typed as Fastify's own kind of logger, or every signature that takes a server would have to name pino's.
  const loggerInstance: FastifyBaseLogger = log;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle',
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    routerOptions: { maxParamLength: 1024 },
    // Fastify's own words for a broken URL would pass by every hook and say the URL back.
    frameworkErrors: (_error, _request, reply) => {
      reply.hijack();
      reply.raw.writeHead(400).end();
    },
  });
  app.addHook('preClose', async () => {
    const cutOff = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
    cutOff.unref();
    app.server.once('close', () => clearTimeout(cutOff));
  });
  return app;
}

/** Listens on `host:port` (port 0 takes a free one) and returns the address as a URL. */
export function listen(app: FastifyInstance, address: string): Promise<string> {
  return app.listen(parseListen(address));
}
