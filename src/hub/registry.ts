import pLimit, { type LimitFunction } from 'p-limit';
import { Pool } from 'undici';
import { LIMITS } from '../base/limits.ts';
import type { DomainStatus } from '../plan/frames.ts';
import type { DomainConfig } from './config.ts';

/** A domain as the hub knows it. */
export interface Domain {
  readonly config: DomainConfig;
  readonly pool: Pool;
  /** For heartbeats alone: how a domain is must be known above all when its queue is long. */
  readonly heartbeat: Pool;
  readonly limit: LimitFunction;
  /** What the domain last said of itself: what it still owes while it is silent. */
  lastStatus: DomainStatus | undefined;
  lastHeardMs: number;
  reachable: boolean;
  /** Bytes received from it, as sent. */
  receivedBytes: number;
}

/** A domain whose network drops packets is given up after this. */
const CONNECT_MS = 2_000;

export type Registry = readonly Domain[];

export function openRegistry(configs: readonly DomainConfig[]): Registry {
  return configs.map((config) => ({
    config,
    pool: new Pool(config.url, { connections: LIMITS.requestsPerDomain, connect: { timeout: CONNECT_MS } }),
    heartbeat: new Pool(config.url, { connections: 1, connect: { timeout: CONNECT_MS } }),
    limit: pLimit(LIMITS.requestsPerDomain),
    lastStatus: undefined,
    lastHeardMs: 0,
    reachable: false,
    receivedBytes: 0,
  }));
}

export async function closeRegistry(registry: Registry): Promise<void> {
  await Promise.all(registry.flatMap(({ pool, heartbeat }) => [pool.destroy(), heartbeat.destroy()]));
}

/** Notes that a domain answered. */
export function heard(domain: Domain, status: DomainStatus): void {
  domain.lastStatus = status;
  domain.lastHeardMs = Date.now();
  domain.reachable = true;
}
