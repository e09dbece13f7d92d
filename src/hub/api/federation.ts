import type { FastifyInstance } from 'fastify';
import type { Drift, PolicyWatch } from '../policy-drift.ts';
import type { Registry, Replica } from '../registry.ts';
import type { LedgerView } from '../ledgers/agent-ledger.ts';
import { sendSuccess } from './envelope.ts';

/** GET /api/v1/status/federation: each domain as the hub knows it, for operators and the demo. */
export function federationApi(app: FastifyInstance, registry: Registry, policies: Pick<PolicyWatch, 'drift'>): void {
  app.get('/api/v1/status/federation', (_request, reply) => {
    const drift = policies.drift();
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
      replicas: replicas.map((replica) => ({
        url: replica.url,
        reachable: replica.reachable,
        policy: policyOf(replica, drift),
        ledger: ledgerOf(replica.ledger.view()),
      })),
    }));
    return sendSuccess(reply, JSON.stringify({ domains }));
  });
}

/** What the agent last said of its policy, and how that differs from what it should be. */
function policyOf({ url, lastStatus }: Replica, drift: readonly Drift[]): object | null {
  if (lastStatus === undefined) return null;
  const { policyDigest: digest, bundleDigest, bundleVersion, policyState: state } = lastStatus;
  const found = drift.find(({ replica }) => replica === url);
  const differs = found === undefined ? null : { severity: found.severity, reason: found.reason };
  return {
    digest,
    state,
    bundle: bundleVersion === 0 ? null : { version: bundleVersion, digest: bundleDigest },
    drift: differs,
  };
}

/** Null where the agent has not been heard yet. */
function ledgerOf({ origin, key, keySource, witnessedSize, pending, fork }: LedgerView): object | null {
  if (origin === undefined) return null;
  return {
    origin,
    key,
    keySource,
    witnessedSize,
    pendingCheckpoints: pending,
    forked: fork !== undefined,
    fork: fork ?? null,
  };
}
