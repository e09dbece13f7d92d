import type { FastifyInstance } from 'fastify';
import type { Registry } from '../registry.ts';
import { sendSuccess } from './envelope.ts';

/** GET /api/v1/status/federation: each domain as the hub knows it, for operators and the demo. */
export function federationApi(app: FastifyInstance, registry: Registry): void {
  app.get('/api/v1/status/federation', (_request, reply) => {
    const domains = registry.map(({ config, replicas, lastStatus, lastHeardMs, reachable, receivedBytes }) => ({
      domain: config.name,
      jurisdiction: config.jurisdiction,
      url: replicas.map(({ url }) => url).join(', '),
      reachable,
      observed: reachable ? (lastStatus?.observedStreams ?? 0) : 0,
      expected: lastStatus?.expectedStreams ?? 0,
      bytesReceived: receivedBytes,
      bytesReleased: lastStatus?.releasedBytes ?? 0,
      bytesRawHeld: lastStatus?.rawBytesHeld ?? 0,
      policyDigest: lastStatus?.policyDigest ?? null,
      lastHeartbeat: lastHeardMs === 0 ? null : lastHeardMs / 1000,
    }));
    return sendSuccess(reply, JSON.stringify({ domains }));
  });
}
