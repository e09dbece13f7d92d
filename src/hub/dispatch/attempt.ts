import { ComityError, messageOf, toComityError } from '../../base/errors.ts';
import type { DomainOutcome } from '../../coverage/coverage.ts';
import { decodeErrorAnswer, type DomainStatus } from '../../plan/frames/status-codec.ts';
import { FEDERATION_VERSION } from '../../plan/frames/version.ts';
import { childTraceparent } from '../../base/traceparent.ts';
import { heard, type Replica } from '../registry.ts';
import type { Endpoint, Transport, TransportAnswer } from '../transport.ts';
import { unlessAborted, type Call } from './call.ts';

/** A domain's answer, or why there is none. */
export type Answer<T> =
  | {
      readonly ok: true;
      readonly value: T;
      /** Of the answer, as sent. */
      readonly wireBytes: number;
      /** From the question to the last byte read, the queue included. */
      readonly tookMs: number;
      /** Which one answered. */
      readonly replica: Replica;
    }
  | NoAnswer;

export interface NoAnswer {
  readonly ok: false;
  readonly outcome: Exclude<DomainOutcome, 'ok' | 'partial' | 'pruned'>;
  readonly reason: string;
}

/** What a replica is asked: it may hang on what is known of it. */
export interface Prepared<T> {
  body(timeLeftMs: number): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** What became of one request to one replica. */
export interface Attempted<T> {
  readonly answer: Answer<T>;
  /** Whether the replica did its part; undefined where its caller gave it no fair chance. */
  readonly isWell: boolean | undefined;
  /** In how many ms another try could go better; undefined for never. */
  readonly retryAfterMs: number | undefined;
}

/** Why a question was never sent. */
export const QUEUED_TOO_LONG = 'its queue did not come to it by the deadline';

/** A replica that had less time than this has not failed by not answering. */
const FAIR_MS = 10_000;

/** Asks one replica once, until the call's deadline. Whatever goes wrong is what became of it, never an exception. */
export async function attempt<T extends { readonly status: DomainStatus }>(
  domainName: string,
  replica: Replica,
  transport: Transport,
  {
    endpoint,
    prepared,
    trace,
  }: { readonly endpoint: Endpoint; readonly prepared: Prepared<T>; readonly trace: string },
  call: Call,
): Promise<Attempted<T>> {
  const timeLeftMs = Math.ceil(call.deadlineMs - Date.now());
  if (timeLeftMs <= 0) return timedOut(QUEUED_TOO_LONG, undefined);
  const body = prepared.body(timeLeftMs);
  const startedMs = performance.now();
  try {
    const context = { signal: call.signal, trace: childTraceparent(trace) };
    const sent = await unlessAborted(transport.send(endpoint, body, context), call.signal);
    replica.receivedBytes += sent.wireBytes;
    if (sent.statusCode !== 200) return failed(sent);
    const opened = replica.ledger.open(sent.bytes, { endpoint, request: body });
    const value = readAnswer(prepared, opened.answer);
    const { status } = value;
    if (status.domain !== domainName) return refused(`the agent there says it is of domain ${status.domain}`);
    replica.ledger.accept(opened, status);
    heard(replica, status);
    const tookMs = performance.now() - startedMs;
    const answer = { ok: true, value, wireBytes: sent.wireBytes, tookMs, replica } as const;
    return { answer, isWell: true, retryAfterMs: undefined };
  } catch (error) {
    if (call.signal.aborted) {
      const isLate = toComityError(call.signal.reason).code === 'timeout';
      return timedOut(`no answer within ${timeLeftMs} ms`, isLate && timeLeftMs >= FAIR_MS ? false : undefined);
    }
    return broken(error, replica);
  }
}

function readAnswer<T>({ decode }: Prepared<T>, bytes: Uint8Array): T {
  try {
    return decode(bytes);
  } catch (error) {
    throw new ComityError('bad_data', `an answer that cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** Failures of a connection; an answer that cannot be read will not get better. */
const CONNECTION_ERRORS: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'EPIPE',
  'UND_ERR_SOCKET',
]);

function broken(error: unknown, replica: Replica): Attempted<never> {
  replica.reachable = false;
  const { code } = error as { code?: unknown };
  return {
    answer: { ok: false, outcome: 'unreachable', reason: describe(error) },
    isWell: false,
    retryAfterMs: CONNECTION_ERRORS.has(code) ? 0 : undefined,
  };
}

function timedOut(reason: string, isWell: false | undefined): Attempted<never> {
  return { answer: { ok: false, outcome: 'timeout', reason }, isWell, retryAfterMs: undefined };
}

/** An agent that refuses is well. */
function refused(reason: string): Attempted<never> {
  return { answer: { ok: false, outcome: 'refused', reason }, isWell: true, retryAfterMs: undefined };
}

/** Of a proxy whose agent is gone: another one, or the same soon, may be there. */
const GATEWAY_ERRORS: ReadonlySet<number> = new Set([502, 504]);

function failed({ statusCode, bytes, retryAfterMs }: TransportAnswer): Attempted<never> {
  if (statusCode === 401) return refused('the agent does not accept this hub’s token');
  const code = errorCode(bytes);
  const isBusy = statusCode === 503 || (statusCode === 429 && code !== 'limit');
  if (isBusy) {
    const isOverloaded = code === 'overloaded' || statusCode === 429;
    const again = retryAfterMs === undefined ? '' : ` (try again in ${Math.ceil(retryAfterMs / 1000)} s)`;
    const reason = isOverloaded ? `it is overloaded${again}` : `the agent answered ${statusCode}${again}`;
    // What says that it is busy is there.
    return unreachable(reason, isOverloaded, retryAfterMs ?? 0);
  }
  if (statusCode < 500) return refused(refusedRequest(statusCode, bytes));
  return unreachable(`the agent answered ${statusCode}`, false, GATEWAY_ERRORS.has(statusCode) ? 0 : undefined);
}

function unreachable(reason: string, isWell: boolean, retryAfterMs: number | undefined): Attempted<never> {
  return { answer: { ok: false, outcome: 'unreachable', reason }, isWell, retryAfterMs };
}

/** The code of an agent's error; undefined for an answer that is no agent's. */
function errorCode(body: Uint8Array): string | undefined {
  try {
    return decodeErrorAnswer(body).code;
  } catch {
    return undefined;
  }
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
  // Errors of the web have numbers for codes, which say nothing to anybody.
  const { code } = error as { code?: unknown };
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND') return 'host not found';
  if (error instanceof ComityError) return error.message;
  return typeof code === 'string' ? code : messageOf(error);
}
