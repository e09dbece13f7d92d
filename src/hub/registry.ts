import pLimit, { type LimitFunction } from 'p-limit';
import { LIMITS } from '../base/limits.ts';
import type { DomainStatus } from '../plan/frames/status-codec.ts';
import type { DomainConfig } from './config.ts';
import { httpTransport, type Transport } from './transport.ts';

/** A domain as the hub knows it. */
export interface Domain {
  readonly config: DomainIdentity;
  readonly transport: Transport;
  /** For heartbeats alone: how a domain is must be known above all when its queue is long. */
  readonly heartbeat: Transport;
  readonly limit: LimitFunction;
  /** What the domain last said of itself: what it still owes while it is silent. */
  lastStatus: DomainStatus | undefined;
  lastHeardMs: number;
  reachable: boolean;
  /** Bytes received from it, as sent. */
  receivedBytes: number;
}

export type DomainIdentity = Pick<DomainConfig, 'name' | 'jurisdiction' | 'url'>;

export type Registry = readonly Domain[];

/** The domains of a hub, and the label that tells their series apart. */
export interface Federation {
  readonly registry: Registry;
  readonly domainLabel: string;
}

export function openRegistry(configs: readonly DomainConfig[]): Registry {
  return configs.map((config) =>
    openDomain(config, httpTransport(config, LIMITS.requestsPerDomain), httpTransport(config, 1)),
  );
}

export function openDomain(config: DomainIdentity, transport: Transport, heartbeat = transport): Domain {
  return {
    config,
    transport,
    heartbeat,
    limit: pLimit(LIMITS.requestsPerDomain),
    lastStatus: undefined,
    lastHeardMs: 0,
    reachable: false,
    receivedBytes: 0,
  };
}

export async function closeRegistry(registry: Registry): Promise<void> {
  await Promise.all(registry.flatMap(({ transport, heartbeat }) => [transport.close(), heartbeat.close()]));
}

/** Notes that a domain answered. */
export function heard(domain: Domain, status: DomainStatus): void {
  domain.lastStatus = status;
  domain.lastHeardMs = Date.now();
  domain.reachable = true;
}
