import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { parseListen } from './config.ts';

/** An HTTP server with the project's settings; it writes no line a request. */
export function httpServer(log: Logger): FastifyInstance {
  // Typed as Fastify's own kind of logger, or every signature that takes a server would have to name pino's.
  const loggerInstance: FastifyBaseLogger = log;
  return fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 1024 },
  });
}

/** Listens on `host:port` (port 0 takes a free one) and returns the address as a URL. */
export function listen(app: FastifyInstance, address: string): Promise<string> {
  return app.listen(parseListen(address));
}
