import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { DomainOutcome } from '../coverage/coverage.ts';
import { decodeErrorAnswer, decodeStatusAnswer, type DomainStatus } from '../plan/frames.ts';
import { heard, type Domain, type Registry } from './registry.ts';

/** A domain's answer, or why there is none. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly outcome: Exclude<DomainOutcome, 'ok' | 'partial' | 'pruned'>;
      readonly reason: string;
    };

export type Endpoint = 'query' | 'labels' | 'status';

/** A second try starts after a random part of this, so that many hubs do not come back at once. */
const RETRY_SPREAD_MS = 200;

const decompress = promisify(zstdDecompress);

/**
 * Asks one domain, within its queue, until `deadlineMs`. Failures of the domain are answers too, never exceptions; what
 * can pass (a refused connection, 429, 503) is tried once more.
 */
export async function askDomain<T extends { status: DomainStatus }>(
  domain: Domain,
  endpoint: Endpoint,
  body: Uint8Array,
  deadlineMs: number,
  decode: (bytes: Uint8Array) => T,
): Promise<Answer<T>> {
  return domain.limit(async () => {
    const first = await attempt(domain, endpoint, body, deadlineMs, decode);
    if (first.ok || first.outcome !== 'unreachable' || Date.now() + RETRY_SPREAD_MS >= deadlineMs) return first;
    await sleep(Math.random() * RETRY_SPREAD_MS);
    return attempt(domain, endpoint, body, deadlineMs, decode);
  });
}

/** Asks every domain how it is, over and over; stops with `signal`. */
export async function heartbeatLoop(registry: Registry, everyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const deadlineMs = Date.now() + everyMs * 2;
    // Past the queue: how a domain is must be known above all when its queue is long.
    await Promise.all(
      registry.map((domain) => attempt(domain, 'status', new Uint8Array(0), deadlineMs, decodeStatusAnswer)),
    );
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

async function attempt<T extends { status: DomainStatus }>(
  domain: Domain,
  endpoint: Endpoint,
  body: Uint8Array,
  deadlineMs: number,
  decode: (bytes: Uint8Array) => T,
): Promise<Answer<T>> {
  const { config, pool } = domain;
  const budgetMs = deadlineMs - Date.now();
  if (budgetMs <= 0) return { ok: false, outcome: 'timeout', reason: 'no time was left to ask' };
  try {
    const response = await pool.request({
      path: `/federation/v1/${endpoint}`,
      method: 'POST',
      body,
      headers: {
        authorization: `Bearer ${config.token}`,
        'content-type': 'application/x-protobuf',
        'accept-encoding': 'zstd',
      },
      signal: AbortSignal.timeout(budgetMs),
    });
    const raw = await readBounded(response.body);
    domain.receivedBytes += raw.length;
    if (response.statusCode !== 200) return failure(response.statusCode, raw);
    const zipped = response.headers['content-encoding'] === 'zstd';
    const bytes = zipped ? await decompress(raw, { maxOutputLength: LIMITS.answerBytes }) : raw;
    const value = decode(bytes);
    const { status } = value;
    if (status.domain !== config.name) {
      return { ok: false, outcome: 'refused', reason: `the agent there says it is of domain ${status.domain}` };
    }
    heard(domain, status);
    return { ok: true, value };
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') {
      // Says nothing of the domain when the caller's patience was short; the heartbeat's is not.
      domain.reachable &&= endpoint !== 'status';
      return { ok: false, outcome: 'timeout', reason: `no answer within ${Math.round(budgetMs)} ms` };
    }
    domain.reachable = false;
    return { ok: false, outcome: 'unreachable', reason: describe(error) };
  }
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > LIMITS.answerBytes) throw new ComityError('limit', `an answer of over ${LIMITS.answerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function failure(status: number, body: Uint8Array): Answer<never> {
  if (status === 401) return { ok: false, outcome: 'refused', reason: 'the agent does not accept this hub’s token' };
  if (status === 429 || status >= 500)
    return { ok: false, outcome: 'unreachable', reason: `the agent answered ${status}` };
  return { ok: false, outcome: 'refused', reason: `the agent answered ${status} (${errorCode(body)})` };
}

function errorCode(body: Uint8Array): string {
  try {
    return decodeErrorAnswer(body) || 'no code';
  } catch {
    return 'unreadable';
  }
}

function describe(error: unknown): string {
  const { code } = error as { code?: string };
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND') return 'host not found';
  if (error instanceof ComityError) return error.message;
  return code ?? (error instanceof Error ? error.message : String(error));
}
