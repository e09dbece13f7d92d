import type { Socket } from 'node:net';
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { parseListen } from './config.ts';
import { RETRY_AFTER_SECONDS } from './errors.ts';

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
    // Fastify's own handler would log the packet, and with it whatever somebody sent.
    clientErrorHandler: (error, socket) => {
      log.debug({ code: error.code }, 'a client sent what is no HTTP request');
      answerBrokenRequest(error.code, socket);
    },
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

/**
 * Answers what never became a request. One that took too long gets 503 and not 408: senders of telemetry drop on a 4xx what
 * they would send again after a 503.
 */
function answerBrokenRequest(code: string | undefined, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const status =
    code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? `503 Service Unavailable\r\nRetry-After: ${RETRY_AFTER_SECONDS}`
      : code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, () => socket.destroy());
}

/** Listens on `host:port` (port 0 takes a free one) and returns the address as a URL. */
export function listen(app: FastifyInstance, address: string): Promise<string> {
  return app.listen(parseListen(address));
}
