import { LIGHT_COST, type Claim, type Permit } from '../border/admission.ts';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { startPace } from './pace.ts';
import { ShedError, type ShedReason } from './shed-error.ts';

/** How much hubs may ask of an agent at once. */
export interface LoadShare {
  /** Requests that are worked on at once. */
  readonly concurrent: number;
  /** Requests that wait for their turn. */
  readonly queued: number;
  /** Samples and cells of all that are worked on. */
  readonly cost: number;
  /** How long a request waits at most. */
  readonly queueMs: number;
}

export const DEFAULT_SHARE: LoadShare = {
  concurrent: LIMITS.federationConcurrent,
  queued: LIMITS.federationQueued,
  cost: LIMITS.federationCost,
  queueMs: LIMITS.federationQueueMs,
};

/** What the gate holds at this moment. */
export interface Load {
  readonly running: number;
  readonly queued: number;
  /** Of what is running, as estimated. */
  readonly cost: number;
  /** Of answers that are being made or sent. */
  readonly bytes: number;
}

/** Told what becomes of requests. */
export interface LoadEvents {
  admitted(waitedMs: number): void;
  shed(reason: ShedReason): void;
  done(estimated: number, cost: number): void;
}

export interface GateOptions {
  readonly share?: LoadShare | undefined;
  readonly events?: LoadEvents | undefined;
  /** In ms since the epoch. */
  readonly now?: (() => number) | undefined;
  /** Runs something later, unless the returned function is called before. */
  readonly later?: ((run: () => void, ms: number) => () => void) | undefined;
}

export interface LoadGate {
  /**
   * Waits for room. The bytes of the answer count until `sent` resolves: they are gone, or nobody takes them any more. Throws
   * `ShedError`, and `canceled`, when it leaves the queue at once.
   */
  admit(claim: Claim, signal: AbortSignal, sent: Promise<void>): Promise<Permit>;
  load(): Load;
}

interface Waiting extends Claim {
  readonly sinceMs: number;
  start(): void;
}

/**
 * Of a share, the part that is kept for small requests: heavy ones get no more than the rest of the cost, and all places but
 * one.
 */
const RESERVED_PART = 1 / 8;

/** So many small requests fit into what is kept for them, at least: none is more than light. */
const SMALL_RESERVED = 4;

/** After this part of the longest wait nothing that came later passes a request, but for what is kept for small ones. */
const AGED_PART = 1 / 4;

const NO_EVENTS: LoadEvents = { admitted: () => {}, shed: () => {}, done: () => {} };

/**
 * Lets requests in as there is room for their cost. They come in order; where one waits for more room than there is, lighter
 * ones pass it until it has waited for a while. From then on what becomes free is kept for it, and only small requests go on
 * in the part that no heavy one gets.
 */
export function loadGate(options: GateOptions = {}): LoadGate {
  const { share = DEFAULT_SHARE, events = NO_EVENTS, now = Date.now, later = afterMs } = options;
  const reservedCost = share.cost * RESERVED_PART;
  const heavyCost = share.cost - reservedCost;
  const smallCost = Math.min(reservedCost / SMALL_RESERVED, LIGHT_COST);
  const heavyPlaces = Math.max(1, share.concurrent - 1);
  const heavy = { running: 0, cost: 0 };
  const small = { running: 0, cost: 0 };
  /** In the order in which they came. */
  const queue: Waiting[] = [];
  const pace = startPace(now);
  let bytes = 0;

  function kindOf({ cost }: Claim): typeof heavy {
    return cost <= smallCost ? small : heavy;
  }

  /** `isKept`: what is free is kept for something that came before it. */
  function fits(claim: Claim, isKept: boolean): boolean {
    // One answer alone is made however long it may become.
    if (bytes > 0 && bytes + claim.bytes > LIMITS.federationAnswerBytes) return false;
    if (heavy.running + small.running >= share.concurrent) return false;
    if (heavy.cost + small.cost + claim.cost > share.cost) return false;
    if (kindOf(claim) === heavy) {
      return !isKept && heavy.running < heavyPlaces && heavy.cost + claim.cost <= heavyCost;
    }
    return !isKept || small.running < share.concurrent - heavyPlaces;
  }

  function letIn(): void {
    let keepsRoom = false;
    for (let i = 0; i < queue.length;) {
      const one = queue[i]!;
      if (fits(one, keepsRoom)) {
        queue.splice(i, 1);
        one.start();
        continue;
      }
      keepsRoom ||= isAged(one);
      i++;
    }
  }

  function shed(reason: ShedReason, message: string): ShedError {
    events.shed(reason);
    if (reason === 'too_heavy') return new ShedError(reason, message);
    const waiting = queue.reduce((sum, { cost }) => sum + cost, 0);
    return new ShedError(reason, message, pace.secondsFor(heavy.cost + small.cost + waiting));
  }

  function started(claim: Claim, sent: Promise<void>): Permit {
    const kind = kindOf(claim);
    kind.running++;
    kind.cost += claim.cost;
    bytes += claim.bytes;
    pace.began();
    let isDone = false;
    return {
      done(cost, answerBytes) {
        if (isDone) return;
        isDone = true;
        kind.running--;
        kind.cost -= claim.cost;
        bytes += answerBytes - claim.bytes;
        pace.ended(cost);
        events.done(claim.cost, cost);
        letIn();
        void sent.then(() => {
          bytes -= answerBytes;
          letIn();
        });
      },
    };
  }

  function wait(claim: Claim, signal: AbortSignal, sent: Promise<void>): Promise<Permit> {
    const sinceMs = now();
    // Once there is less time left than it takes, nobody would get the answer.
    const deadlineMs = claim.deadlineMs - pace.leastMsFor(claim.cost) - sinceMs;
    const mostMs = Math.min(share.queueMs, deadlineMs);
    if (mostMs <= 0) throw shed('deadline', 'the agent has no room for the request within the time that is left to it');
    return new Promise((resolve, reject) => {
      const leave = (error: ComityError): void => {
        stop();
        queue.splice(queue.indexOf(waiting), 1);
        reject(error);
        // It may have kept room for itself.
        letIn();
      };
      const onAbort = (): void => leave(canceled());
      const clear = later(() => {
        const isLate = deadlineMs < share.queueMs;
        const message = `the agent had no room for the request within ${mostMs / 1000} s`;
        leave(shed(isLate ? 'deadline' : 'queue_time', message));
      }, mostMs);
      const stop = (): void => {
        clear();
        signal.removeEventListener('abort', onAbort);
      };
      const waiting: Waiting = {
        ...claim,
        sinceMs,
        start() {
          stop();
          events.admitted(now() - sinceMs);
          resolve(started(claim, sent));
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(waiting);
    });
  }

  return {
    async admit(claim, signal, sent) {
      if (signal.aborted) throw canceled();
      if (claim.cost > heavyCost) {
        const most = `the ${Math.floor(heavyCost)} that one request may take (limits.federation.cost)`;
        throw shed('too_heavy', `the request comes to ${Math.ceil(claim.cost)} samples and cells, more than ${most}`);
      }
      if (mayStart(claim)) {
        events.admitted(0);
        return started(claim, sent);
      }
      if (queue.length >= share.queued) {
        throw shed('queue_full', `${queue.length} requests wait already (limits.federation.queued)`);
      }
      return wait(claim, signal, sent);
    },
    load: () => ({
      running: heavy.running + small.running,
      queued: queue.length,
      cost: heavy.cost + small.cost,
      bytes,
    }),
  };

  function mayStart(claim: Claim): boolean {
    // None of those that wait fits, so this one passes them.
    return fits(claim, queue.some(isAged));
  }

  function isAged({ sinceMs }: Waiting): boolean {
    return now() - sinceMs >= share.queueMs * AGED_PART;
  }
}

function canceled(): ComityError {
  return new ComityError('canceled', 'the request was cancelled by whoever asked it');
}

function afterMs(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
