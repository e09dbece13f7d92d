import type { AuditLog } from '../base/audit-log.ts';
import { LIMITS } from '../base/limits.ts';
import type { DomainStatus } from '../plan/frames/status-codec.ts';
import type { ColumnsCache } from './cache/columns-cache.ts';
import type { DispatchLimits, DomainConfig } from './config.ts';
import { openAllowance, openCredit, type Allowance } from './dispatch/allowance.ts';
import { openBreaker, type Breaker } from './dispatch/breaker.ts';
import { openLatencies, type Latencies } from './dispatch/latencies.ts';
import { openQueue, type RequestQueue } from './dispatch/queue.ts';
import { openOwed, type Owed } from './owed.ts';
import { openAgentLedger, type AgentLedger, type LedgerEvents } from './ledgers/agent-ledger.ts';
import { openWitness, type Witness } from './ledgers/witness.ts';
import { ENDPOINTS, httpTransport, type Endpoint, type Transport } from './transport.ts';

/** One agent of a domain. Each of a domain's replicas holds all that the domain has, or should. */
export interface Replica {
  readonly url: string;
  readonly transport: Transport;
  /** For heartbeats alone: how a domain is must be known above all when its queue is long. */
  readonly heartbeat: Transport;
  readonly breaker: Breaker;
  /** What its answers must be proven to be in. */
  readonly ledger: AgentLedger;
  /** What it last said of itself. */
  lastStatus: DomainStatus | undefined;
  lastHeardMs: number;
  reachable: boolean;
  /** Bytes received from it, as sent. */
  receivedBytes: number;
  /** How long a heartbeat takes, smoothed; undefined before the first. */
  roundTripMs: number | undefined;
}

/** A domain as the hub knows it. */
export interface Domain {
  readonly config: DomainIdentity;
  /** At least one, in the order of preference where nothing tells them apart. */
  readonly replicas: readonly Replica[];
  readonly queue: RequestQueue;
  /** How long its answers take, by endpoint. */
  readonly latencies: Record<Endpoint, Latencies>;
  /** Second tries that may be made. */
  readonly retries: Allowance;
  /** Questions that may go to a second replica while the first still works on them. */
  readonly hedges: Allowance;
  readonly events: DispatchEvents;
  /** What it owes while it is silent, by what is read. */
  readonly owed: Owed;
  /** What the domain last said of itself. Held is what any replica holds. */
  readonly lastStatus: DomainStatus | undefined;
  /** When any replica was last heard; 0 for never. */
  readonly lastHeardMs: number;
  /** Whether any replica is. */
  readonly reachable: boolean;
  /** Bytes received from all replicas, as sent. */
  readonly receivedBytes: number;
}

/** What happens to the requests of a domain, for whoever counts or logs it. */
export interface DispatchEvents extends LedgerEvents {
  /** A question has ended: `ok`, an outcome, or `canceled`. */
  asked(question: {
    readonly domain: string;
    readonly endpoint: Endpoint;
    readonly outcome: string;
    /** Empty where it was answered. */
    readonly reason: string;
    readonly seconds: number;
    /** W3C traceparent. */
    readonly trace: string;
  }): void;
  retried(domain: string): void;
  hedged(domain: string): void;
  /** A breaker opened, or closed. */
  turned(domain: string, url: string, isOpen: boolean, why: string): void;
}

export type DomainIdentity = Pick<DomainConfig, 'name' | 'jurisdiction'>;

/** The ways to one replica. */
export type ReplicaWays = Pick<Replica, 'url' | 'transport' | 'heartbeat'> & {
  /** The verifier key of its ledger; without, the first one that it shows is trusted. */
  readonly ledgerKey?: string | undefined;
};

export type Registry = readonly Domain[];

/** The domains of a hub, and the label that tells their series apart. */
export interface Federation {
  readonly registry: Registry;
  readonly domainLabel: string;
  /** What domains said before; nothing is kept without. */
  readonly cache?: ColumnsCache | undefined;
  /** Where each use of the cache is written down. */
  readonly audit?: AuditLog | undefined;
}

export function openRegistry(
  configs: readonly DomainConfig[],
  events: DispatchEvents = NO_EVENTS,
  witness: Witness = openWitness(),
): Registry {
  return configs.map((config) => {
    const { maxConcurrent = LIMITS.requestsPerDomain } = config;
    const addresses = 'replicas' in config ? config.replicas : [config];
    const ways = addresses.map((address) => ({
      url: address.url,
      transport: httpTransport(address, maxConcurrent),
      heartbeat: httpTransport(address, 1),
      ledgerKey: address.ledgerKey,
    }));
    return openDomain(config, ways, config, events, witness);
  });
}

export function openDomain(
  config: DomainIdentity,
  ways: readonly ReplicaWays[],
  { maxConcurrent = LIMITS.requestsPerDomain, maxQueued = LIMITS.queuedPerDomain }: DispatchLimits = {},
  events: DispatchEvents = NO_EVENTS,
  witness: Witness = openWitness(),
): Domain {
  const replicas = ways.map((one) => {
    const ledger = openAgentLedger({ domain: config.name, url: one.url, ledgerKey: one.ledgerKey }, witness, events);
    return openReplica(one, ledger, (isOpen, why) => events.turned(config.name, one.url, isOpen, why));
  });
  return {
    config,
    replicas,
    queue: openQueue(maxConcurrent, maxQueued),
    latencies: Object.fromEntries(ENDPOINTS.map((name) => [name, openLatencies()])) as Domain['latencies'],
    retries: openAllowance(LIMITS.retryShare, RETRY_WINDOW_MS, RETRIES_MIN),
    hedges: openCredit(LIMITS.hedgeShare, HEDGES_AT_ONCE),
    events,
    owed: openOwed(),
    get lastStatus() {
      return statusOver(replicas);
    },
    get lastHeardMs() {
      return Math.max(...replicas.map((replica) => replica.lastHeardMs));
    },
    get reachable() {
      return replicas.some((replica) => replica.reachable);
    },
    get receivedBytes() {
      return replicas.reduce((sum, replica) => sum + replica.receivedBytes, 0);
    },
  };
}

function openReplica(
  { url, transport, heartbeat }: ReplicaWays,
  ledger: AgentLedger,
  onTurn: (isOpen: boolean, why: string) => void,
): Replica {
  return {
    url,
    transport,
    heartbeat,
    ledger,
    breaker: openBreaker(onTurn),
    lastStatus: undefined,
    lastHeardMs: 0,
    reachable: false,
    receivedBytes: 0,
    roundTripMs: undefined,
  };
}

export async function closeRegistry(registry: Registry): Promise<void> {
  const replicas = registry.flatMap((domain) => domain.replicas);
  await Promise.all(replicas.flatMap(({ transport, heartbeat }) => [transport.close(), heartbeat.close()]));
}

/** Notes that a replica answered. */
export function heard(replica: Replica, status: DomainStatus): void {
  replica.lastStatus = status;
  replica.lastHeardMs = Date.now();
  replica.reachable = true;
}

/** An outage is over within seconds or lasts: what was asked before it says nothing of what may be added now. */
const RETRY_WINDOW_MS = 10_000;

/** One query by itself must be tried again as well, and a dashboard's when one of two replicas goes. */
const RETRIES_MIN = 10;

/** A dashboard whose panels all meet a replica that has just become slow. */
const HEDGES_AT_ONCE = 10;

/** Events that nobody counts. */
export const NO_EVENTS: DispatchEvents = {
  asked: () => undefined,
  retried: () => undefined,
  hedged: () => undefined,
  turned: () => undefined,
  receipt: () => undefined,
  trusted: () => undefined,
  forked: () => undefined,
  checkpointDropped: () => undefined,
  witnessFault: () => undefined,
};

/** Of the replica that was heard last; nothing is held from later than the replica that holds most. */
function statusOver(replicas: readonly Replica[]): DomainStatus | undefined {
  const latest = replicas.reduce((one, other) => (other.lastHeardMs > one.lastHeardMs ? other : one));
  if (latest.lastStatus === undefined || replicas.length === 1) return latest.lastStatus;
  const heldFromMs = Math.min(...replicas.map(({ lastStatus }) => lastStatus?.heldFromMs ?? 0));
  return { ...latest.lastStatus, heldFromMs };
}
