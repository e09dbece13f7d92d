import { setTimeout as sleep } from 'node:timers/promises';
import { ComityError, messageOf } from '../base/errors.ts';
import type { DomainOutcome } from '../coverage/coverage.ts';
import { decodeErrorAnswer, decodeStatusAnswer, type DomainStatus } from '../plan/frames/status-codec.ts';
import { FEDERATION_VERSION } from '../plan/frames/version.ts';
import { heard, type Domain } from './registry.ts';
import type { Endpoint, Transport } from './transport.ts';

/** A domain's answer, or why there is none. */
export type Answer<T> =
  | {
      readonly ok: true;
      readonly value: T;
      /** Of the answer, as sent. */
      readonly wireBytes: number;
      /** From the first byte asked to the last read, the queue included. */
      readonly tookMs: number;
    }
  | {
      readonly ok: false;
      readonly outcome: Exclude<DomainOutcome, 'ok' | 'partial' | 'pruned'>;
      readonly reason: string;
      /** Whether a second try at once could go better. */
      readonly retryable: boolean;
    };

/** A second try starts after a random part of this, so that many hubs do not come back at once. */
const RETRY_SPREAD_MS = 200;

/** What is asked of a domain, and until when. */
interface Ask<T> {
  readonly endpoint: Endpoint;
  readonly body: Uint8Array;
  readonly deadlineMs: number;
  decode(bytes: Uint8Array): T;
}

/**
 * Asks one domain, within its queue, until `deadlineMs`, time in the queue included. Failures of the domain are answers
 * too, never exceptions; what can pass (no connection, 429, 503) is tried once more.
 */
export async function askDomain<T extends { status: DomainStatus }>(
  domain: Domain,
  endpoint: Endpoint,
  body: Uint8Array,
  deadlineMs: number,
  decode: (bytes: Uint8Array) => T,
): Promise<Answer<T>> {
  const ask: Ask<T> = { endpoint, body, deadlineMs, decode };
  const startedMs = performance.now();
  const queued = domain.limit(async () => {
    const first = await attempt(domain, domain.transport, ask, startedMs);
    if (first.ok || !first.retryable || Date.now() + RETRY_SPREAD_MS >= deadlineMs) return first;
    await sleep(Math.random() * RETRY_SPREAD_MS);
    return attempt(domain, domain.transport, ask, startedMs);
  });
  return byDeadline(queued, deadlineMs);
}

/** Asks a domain how it is, over and over; stops with `signal`. Each domain has a loop of its own, so none waits for another. */
export async function heartbeatLoop(domain: Domain, everyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const deadlineMs = Date.now() + everyMs * 2;
    const ask = { endpoint: 'status', body: new Uint8Array(0), deadlineMs, decode: decodeStatusAnswer } as const;
    const answer = await byDeadline(attempt(domain, domain.heartbeat, ask, performance.now()), deadlineMs);
    domain.reachable = answer.ok;
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

async function attempt<T extends { status: DomainStatus }>(
  domain: Domain,
  transport: Transport,
  { endpoint, body, deadlineMs, decode }: Ask<T>,
  startedMs: number,
): Promise<Answer<T>> {
  const { config } = domain;
  const budgetMs = Math.ceil(deadlineMs - Date.now());
  if (budgetMs <= 0) return timedOut('no time was left to ask');
  try {
    const { statusCode, bytes, wireBytes } = await transport.send(endpoint, body, AbortSignal.timeout(budgetMs));
    domain.receivedBytes += wireBytes;
    if (statusCode !== 200) return failure(statusCode, bytes);
    const value = decode(bytes);
    const { status } = value;
    if (status.domain !== config.name) return refused(`the agent there says it is of domain ${status.domain}`);
    heard(domain, status);
    return { ok: true, value, wireBytes, tookMs: performance.now() - startedMs };
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') return timedOut(`no answer within ${budgetMs} ms`);
    domain.reachable = false;
    const { code = '' } = error as { code?: string };
    return { ok: false, outcome: 'unreachable', reason: describe(error), retryable: CONNECTION_ERRORS.has(code) };
  }
}

/** Failures of a connection; an answer that cannot be read will not get better. */
const CONNECTION_ERRORS: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** The answer if it comes by the deadline. Time in queues counts, which no timeout of a connection sees. */
async function byDeadline<T>(answer: Promise<Answer<T>>, deadlineMs: number): Promise<Answer<T>> {
  const done = new AbortController();
  const leftMs = Math.max(0, deadlineMs - Date.now());
  try {
    const late = sleep(leftMs, timedOut('no answer by the deadline'), { ref: false, signal: done.signal });
    return await Promise.race([answer, late]);
  } finally {
    done.abort();
  }
}

function timedOut(reason: string): Answer<never> {
  return { ok: false, outcome: 'timeout', reason, retryable: false };
}

function refused(reason: string): Answer<never> {
  return { ok: false, outcome: 'refused', reason, retryable: false };
}

function failure(status: number, body: Uint8Array): Answer<never> {
  if (status === 401) return refused('the agent does not accept this hub’s token');
  if (status < 500 && status !== 429) return refused(refusedRequest(status, body));
  const retryable = status === 429 || status === 503;
  return { ok: false, outcome: 'unreachable', reason: `the agent answered ${status}`, retryable };
}

function refusedRequest(status: number, body: Uint8Array): string {
  try {
    const { code, version } = decodeErrorAnswer(body);
    if (code === 'unsupported' && version !== FEDERATION_VERSION) {
      return `the agent speaks version ${version} of the federation protocol, this hub ${FEDERATION_VERSION}`;
    }
    return `the agent answered ${status} (${code || 'no code'})`;
  } catch {
    return `the agent answered ${status} (unreadable)`;
  }
}

function describe(error: unknown): string {
  const { code } = error as { code?: string };
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND') return 'host not found';
  if (error instanceof ComityError) return error.message;
  return code ?? messageOf(error);
}
