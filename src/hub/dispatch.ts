import { toComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { TimeRange } from '../plan/read-range.ts';
import type { DomainStatus } from '../plan/frames/status-codec.ts';
import { attempt, QUEUED_TOO_LONG, type Answer, type Attempted, type Prepared } from './dispatch/attempt.ts';
import type { Permit } from './dispatch/breaker.ts';
import { pause, startCall, unlessAborted, type Call } from './dispatch/call.ts';
import { hasHole, inOrder, letsThrough } from './dispatch/choose.ts';
import type { Latencies } from './dispatch/latencies.ts';
import type { Domain, Replica } from './registry.ts';
import type { Endpoint } from './transport.ts';

/** A question to one domain. */
export interface DomainRequest<T> {
  readonly endpoint: Endpoint;
  /** Called once for each request to a replica (another try, a hedge): what it is asked may differ by what is known of it. */
  prepare(replica: Replica): Prepared<T>;
  /** When to stop waiting, in ms since the epoch; the time in the queue counts. */
  readonly deadlineMs: number;
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal;
  /** W3C traceparent of the caller. */
  readonly trace: string;
  /** The times that are read: a replica with a hole there is asked only when no other is left. */
  readonly window?: TimeRange | undefined;
  /** Only this one. */
  readonly only?: Replica | undefined;
}

/**
 * Asks one domain, within its queue, until the deadline. Failures of the domain are answers too, never exceptions; what can pass
 * is tried again, at another replica where there is one, and what takes unusually long is asked of a second replica as well.
 * Throws `canceled` when the caller goes: then nothing is under way for it any more.
 */
export async function askDomain<T extends { readonly status: DomainStatus }>(
  domain: Domain,
  request: DomainRequest<T>,
): Promise<Answer<T>> {
  const { config, events } = domain;
  const { endpoint, trace } = request;
  const startedMs = performance.now();
  const call = startCall(request.deadlineMs, request.signal);
  const asking = { domain, request, call, tried: new Set<Replica>(), sends: 0 };
  const ended = (outcome: string, reason: string): void => {
    call.end();
    const seconds = (performance.now() - startedMs) / 1000;
    events.asked({ domain: config.name, endpoint, outcome, reason, seconds, trace });
  };
  try {
    const answer = await unlessAborted(askUntilAnswered(asking), call.signal);
    ended(answer.ok ? 'ok' : answer.outcome, answer.ok ? '' : answer.reason);
    return answer.ok ? { ...answer, tookMs: performance.now() - startedMs } : answer;
  } catch (error) {
    const { code, message } = toComityError(error);
    const reason = asking.sends === 0 ? QUEUED_TOO_LONG : message;
    ended(code, code === 'timeout' ? reason : message);
    // The deadline is the domain's failure, the caller's going is not.
    if (code === 'timeout' && call.signal.aborted) return { ok: false, outcome: 'timeout', reason };
    throw error;
  }
}

/** A question under way. */
interface Asking<T> {
  readonly domain: Domain;
  readonly request: DomainRequest<T>;
  readonly call: Call;
  /** Replicas that it went to. */
  readonly tried: Set<Replica>;
  /** Requests that were sent for it. */
  sends: number;
}

/** A second try starts after a random part of this, a third of twice as much: many callers do not come back at once. */
const BACKOFF_MS = 200;

async function askUntilAnswered<T extends { readonly status: DomainStatus }>(asking: Asking<T>): Promise<Answer<T>> {
  const { domain, call, tried } = asking;
  domain.retries.asked();
  domain.hedges.asked();
  let before: Answer<T> | undefined;
  for (let tries = 1; ; tries++) {
    const { sends } = asking;
    const { answer, retryAfterMs } = await askOnce(asking);
    // That it is not asked again is no news beside what came of asking.
    if (before !== undefined && asking.sends === sends) return before;
    if (answer.ok || retryAfterMs === undefined || tries === LIMITS.triesPerRequest) return answer;
    before = answer;
    // What one replica is too busy for another may have time for.
    const isElsewhere = candidates(asking).some((replica) => !tried.has(replica) && replica.breaker.state === 'closed');
    const waitMs = isElsewhere ? 0 : retryAfterMs + Math.random() * BACKOFF_MS * 2 ** (tries - 1);
    if (Date.now() + waitMs >= call.deadlineMs || !domain.retries.take()) return answer;
    domain.events.retried(domain.config.name);
    await pause(waitMs, call.signal);
  }
}

/** A request under way, or in the queue. */
interface Launched<T> {
  readonly done: Promise<Attempted<T>>;
  /** Where it went, once it left the queue; undefined if it never did. */
  readonly sent: Promise<Replica | undefined>;
}

/** One try. Where only the end of another request tells whether the domain is back, it is worth a short wait. */
async function askOnce<T extends { readonly status: DomainStatus }>(asking: Asking<T>): Promise<Attempted<T>> {
  const { sends } = asking;
  const attempted = await askHedged(asking);
  return asking.sends === sends && (await trialEnds(asking)) ? askHedged(asking) : attempted;
}

/** A request, and a second one to another replica once the first takes longer than nearly all did of late. */
async function askHedged<T extends { readonly status: DomainStatus }>(asking: Asking<T>): Promise<Attempted<T>> {
  const first = launch(asking);
  const hedge = hedged(asking, first);
  const quick = await Promise.race([first.done, hedge.then((other) => other ?? first.done)]);
  if (isFinal(quick)) return quick;
  const [one, other] = await Promise.all([first.done, hedge]);
  return other !== undefined && isFinal(other) ? other : one;
}

/** Whether no other replica would say anything else. */
function isFinal({ answer, retryAfterMs }: Attempted<unknown>): boolean {
  return answer.ok || retryAfterMs === undefined;
}

async function hedged<T extends { readonly status: DomainStatus }>(
  asking: Asking<T>,
  first: Launched<T>,
): Promise<Attempted<T> | undefined> {
  const { domain, request, call } = asking;
  const usualMs = domain.latencies[request.endpoint].p95();
  if (domain.replicas.length < 2 || request.only !== undefined || usualMs === undefined) return undefined;
  if ((await first.sent) === undefined) return undefined;
  let isDone = false;
  const settled = first.done.then(() => (isDone = true));
  await Promise.race([settled, pause(Math.max(HEDGE_MS_MIN, usualMs), call.signal)]);
  if (isDone || call.signal.aborted) return undefined;
  // A hedge takes room that nobody waits for, and asks nobody who would know less.
  const isUsable = candidates(asking).some(
    (replica) =>
      !asking.tried.has(replica) &&
      replica.reachable &&
      replica.breaker.state === 'closed' &&
      !hasHole(replica, request.window),
  );
  if (!isUsable || !domain.queue.isIdle || !domain.hedges.take()) return undefined;
  domain.events.hedged(domain.config.name);
  return launch(asking).done;
}

/** Faster answers than this are not asked for twice, whatever is usual. */
const HEDGE_MS_MIN = 20;

/** Puts a request into the queue. Which replica it goes to is chosen when it leaves it. */
function launch<T extends { readonly status: DomainStatus }>(asking: Asking<T>): Launched<T> {
  const { domain, request, call, tried } = asking;
  const sent = Promise.withResolvers<Replica | undefined>();
  const work = async (): Promise<Attempted<T>> => {
    const way = enter(asking);
    if (way === undefined) return notAsked(candidates(asking));
    const { replica, permit } = way;
    tried.add(replica);
    asking.sends++;
    sent.resolve(replica);
    const startedMs = performance.now();
    let isWell: boolean | undefined;
    let reason = '';
    try {
      const prepared = request.prepare(replica);
      const { endpoint, trace } = request;
      const attempted = await attempt(
        domain.config.name,
        replica,
        replica.transport,
        { endpoint, prepared, trace },
        call,
      );
      const { answer } = attempted;
      noteLatency(domain.latencies[endpoint], performance.now() - startedMs, answer.ok);
      isWell = attempted.isWell;
      reason = answer.ok ? '' : answer.reason;
      return attempted;
    } finally {
      if (isWell === undefined) permit.dropped();
      else if (isWell) permit.succeeded();
      else permit.failed(reason);
    }
  };
  const isOpen = candidates(asking).some(letsThrough);
  const done = isOpen ? domain.queue.run(work, call.signal) : Promise.resolve(notAsked(candidates(asking)));
  const queued = done ?? Promise.resolve(queueFull(domain.queue.queued));
  return { done: queued.finally(() => sent.resolve(undefined)), sent: sent.promise };
}

/** What was given up would have taken at least as long: that tells something only where it was long already. */
function noteLatency(latencies: Latencies, ms: number, isAnswered: boolean): void {
  if (isAnswered || ms > (latencies.p95() ?? Infinity)) latencies.add(ms);
}

function candidates({ domain, request }: Asking<unknown>): readonly Replica[] {
  return request.only === undefined ? domain.replicas : [request.only];
}

/** The best replica that lets a request through; those that it went to already come last. */
function enter(asking: Asking<unknown>): { readonly replica: Replica; readonly permit: Permit } | undefined {
  const { request, tried } = asking;
  const ordered = inOrder(candidates(asking), request.window);
  const untriedFirst = [...ordered.filter((one) => !tried.has(one)), ...ordered.filter((one) => tried.has(one))];
  for (const replica of untriedFirst) {
    const permit = replica.breaker.enter();
    if (permit !== undefined) return { replica, permit };
  }
  return undefined;
}

/** Waits a little for the end of a request that decides over a replica; false where there is none, or it takes longer. */
async function trialEnds(asking: Asking<unknown>): Promise<boolean> {
  const trials = candidates(asking).flatMap(({ breaker }) => breaker.trial ?? []);
  if (trials.length === 0) return false;
  const ends = trials.map((trial) => trial.then(() => true));
  return Promise.race([...ends, pause(TRIAL_WAIT_MS, asking.call.signal).then(() => false)]);
}

const TRIAL_WAIT_MS = 1_000;

function notAsked(replicas: readonly Replica[]): Attempted<never> {
  const [{ breaker }, ...others] = replicas as [Replica, ...Replica[]];
  const more = others.length === 0 ? '' : `, as ${others.length} more replica${others.length === 1 ? '' : 's'}`;
  return unavailable(`not asked${more}: ${breaker.why()}`);
}

function queueFull(queued: number): Attempted<never> {
  return unavailable(`its queue is full: ${queued} requests wait`);
}

function unavailable(reason: string): Attempted<never> {
  return { answer: { ok: false, outcome: 'unreachable', reason }, isWell: undefined, retryAfterMs: undefined };
}
