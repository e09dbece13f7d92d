import type { Prepared } from '../../../src/hub/dispatch/attempt.ts';
import type { DomainRequest } from '../../../src/hub/dispatch.ts';
import {
  NO_EVENTS,
  openDomain,
  type DispatchEvents,
  type Domain,
  type ReplicaWays,
} from '../../../src/hub/registry.ts';
import type { DispatchLimits } from '../../../src/hub/config.ts';
import type { Endpoint, TransportAnswer } from '../../../src/hub/transport.ts';
import {
  decodeStatusRequest,
  encodeErrorAnswer,
  encodeStatusAnswer,
  type DomainStatus,
} from '../../../src/plan/frames/status-codec.ts';
import { PLAYED_POLICY, playedLedger, withReceipts } from '../played-ledger.ts';
import { newTraceparent } from '../../../src/base/traceparent.ts';

/** What an agent does with a request: how long it takes, and what comes of it. */
export interface Reply {
  readonly afterMs?: number;
  /** Fails as a connection does. */
  readonly error?: string;
  /** Default 200. */
  readonly status?: number;
  /** Of an error's body; `none` for a body that is no agent's. */
  readonly code?: string;
  readonly retryAfterMs?: number;
  /** Default what `request` can read. */
  readonly unreadable?: boolean;
  readonly hangs?: true;
}

/** A request that a fake agent got. */
export interface Seen {
  readonly url: string;
  readonly endpoint: Endpoint;
  readonly atMs: number;
  readonly timeLeftMs: number;
  readonly trace: string;
  /** Whether its caller gave it up. */
  aborted: boolean;
}

export interface Fakes {
  readonly domain: Domain;
  readonly seen: Seen[];
  /** Requests under way, at all replicas. */
  readonly underWay: { now: number; most: number };
  /** What happened, in order. */
  readonly events: string[];
}

export const START_MS = Date.UTC(2026, 0, 1);

export function statusOf(domain: string, more: Partial<DomainStatus> = {}): DomainStatus {
  return {
    domain,
    policyDigest: PLAYED_POLICY,
    expectedStreams: 1,
    observedStreams: 1,
    settledUntilMs: START_MS,
    heldFromMs: 0,
    rawBytesHeld: 0,
    releasedBytes: 0,
    gaps: [],
    bundleDigest: '',
    bundleVersion: 0,
    policyState: 'in force',
    ...more,
  };
}

/** A domain whose agents are played: each has its list of replies, the last of which it goes on with. */
export function fakeDomain(
  agents: Readonly<Record<string, readonly Reply[] | ((n: number) => Reply)>>,
  limits: DispatchLimits = {},
): Fakes {
  const seen: Seen[] = [];
  const underWay = { now: 0, most: 0 };
  const events: string[] = [];
  const ways = Object.entries(agents).map(([url, replies]): ReplicaWays => {
    let asked = 0;
    const replyTo = (n: number): Reply =>
      typeof replies === 'function' ? replies(n) : (replies[n] ?? replies.at(-1)!);
    const ledger = playedLedger('eu', url);
    const played: ReplicaWays['transport'] = {
      async send(endpoint, body, { signal, trace }) {
        if (endpoint === 'ledger') throw new Error('the ledger answers for itself');
        const timeLeftMs = endpoint === 'status' ? 0 : new DataView(body.buffer).getFloat64(0);
        const entry: Seen = { url, endpoint, atMs: Date.now(), timeLeftMs, trace, aborted: false };
        seen.push(entry);
        underWay.most = Math.max(underWay.most, ++underWay.now);
        try {
          return await play({ endpoint, body }, replyTo(asked++), signal);
        } finally {
          entry.aborted = signal.aborted;
          underWay.now--;
        }
      },
      close: async () => undefined,
    };
    const transport = withReceipts(played, ledger);
    return { url, transport, heartbeat: transport };
  });
  const told: DispatchEvents = {
    ...NO_EVENTS,
    asked: ({ outcome }) => events.push(outcome),
    retried: () => events.push('retried'),
    hedged: () => events.push('hedged'),
    turned: (_domain, url, isOpen) => events.push(`${url} ${isOpen ? 'opened' : 'closed'}`),
  };
  const domain = openDomain({ name: 'eu', jurisdiction: 'EU' }, ways, limits, told);
  for (const replica of domain.replicas) {
    replica.reachable = true;
    replica.lastHeardMs = Date.now();
    replica.lastStatus = statusOf('eu');
  }
  return { domain, seen, underWay, events };
}

/** A question whose body is the time left, and whose answer is any bytes but `unreadable` ones. */
export function question(
  more: Partial<DomainRequest<{ status: DomainStatus }>> = {},
): DomainRequest<{ status: DomainStatus }> {
  const prepared: Prepared<{ status: DomainStatus }> = {
    body(timeLeftMs) {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, timeLeftMs);
      return bytes;
    },
    decode(bytes) {
      if (bytes[0] === UNREADABLE) throw new Error('malformed');
      return { status: statusOf('eu') };
    },
  };
  return {
    endpoint: 'query',
    prepare: () => prepared,
    deadlineMs: Date.now() + 30_000,
    signal: new AbortController().signal,
    trace: newTraceparent(),
    ...more,
  };
}

const UNREADABLE = 0xff;

interface AskedHere {
  readonly endpoint: Endpoint;
  readonly body: Uint8Array;
}

function play(asked: AskedHere, reply: Reply, signal: AbortSignal): Promise<TransportAnswer> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const end = (): void => {
      signal.removeEventListener('abort', abort);
      const { error, status = 200, retryAfterMs } = reply;
      if (error !== undefined) return reject(Object.assign(new Error(error), { code: error }));
      const bytes = bytesOf(asked, reply);
      resolve({ statusCode: status, bytes, wireBytes: bytes.length, retryAfterMs });
    };
    const timer = reply.hangs === true ? undefined : setTimeout(end, reply.afterMs ?? 5);
    signal.addEventListener('abort', abort, { once: true });
  });
}

function bytesOf(
  { endpoint, body }: AskedHere,
  { status = 200, code = '', unreadable = code === 'none' }: Reply,
): Uint8Array {
  if (unreadable) return Uint8Array.of(UNREADABLE);
  if (status !== 200) return encodeErrorAnswer(code);
  if (endpoint !== 'status') return Uint8Array.of(1);
  return encodeStatusAnswer({ status: statusOf('eu'), id: decodeStatusRequest(body).id });
}
