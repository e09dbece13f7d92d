import type { FastifyReply } from 'fastify';

/**
 * Aborts when the client hangs up before its answer is written. (The request's own `close` says that its body has been read,
 * which is no reason to stop.)
 */
export function whileConnected(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
