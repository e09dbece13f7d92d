/** `open`: nothing is sent. `half_open`: one request is, and what becomes of it decides. */
export type BreakerState = 'closed' | 'half_open' | 'open';

/** A request that a breaker let through. Exactly one of these is called, once. */
export interface Permit {
  succeeded(): void;
  failed(reason: string): void;
  /** It ended in a way that says nothing of the replica: its caller went. */
  dropped(): void;
}

/** Keeps requests from a replica that fails, so that neither it nor its callers are worn out by trying. */
export interface Breaker {
  readonly state: BreakerState;
  /** Undefined where nothing may be sent now. */
  enter(): Permit | undefined;
  /** The request that decides whether it closes has ended; undefined where none is under way. */
  readonly trial: Promise<void> | undefined;
  /** The replica answered a heartbeat: what was open is tried with the next request. */
  heard(): void;
  /** It did not. */
  missed(reason: string): void;
  /** Why nothing is sent, in words. */
  why(): string;
}

/** Failures in a row, of requests or of heartbeats, that open it. */
const FAILURES_MAX = 5;

/** It stays open for so long at first; each failed trial doubles that. */
const OPEN_MS_MIN = 1_000;
const OPEN_MS_MAX = 30_000;

/** `onTurn` is told when it opens and when it closes. */
export function openBreaker(onTurn: (isOpen: boolean, why: string) => void = () => undefined): Breaker {
  let failures = 0;
  let misses = 0;
  let last = '';
  let isOpen = false;
  let openings = 0;
  let openUntilMs = 0;
  let trial: PromiseWithResolvers<void> | undefined;

  function open(): void {
    const wasOpen = isOpen;
    isOpen = true;
    openUntilMs = Date.now() + Math.min(OPEN_MS_MAX, OPEN_MS_MIN * 2 ** openings);
    openings++;
    if (!wasOpen) onTurn(true, why());
  }
  function close(): void {
    const wasOpen = isOpen;
    isOpen = false;
    failures = misses = openings = 0;
    if (wasOpen) onTurn(false, 'it answers again');
  }
  function why(): string {
    const waitMs = openUntilMs - Date.now();
    const next = waitMs > 0 ? `next try in ${Math.ceil(waitMs / 1000)} s` : 'it is being tried';
    return `${Math.max(failures, misses)} failures in a row, the last: ${last}; ${next}`;
  }
  function endTrial(): void {
    trial?.resolve();
    trial = undefined;
  }
  const state = (): BreakerState => (!isOpen ? 'closed' : Date.now() < openUntilMs ? 'open' : 'half_open');

  return {
    get state() {
      return state();
    },
    get trial() {
      return trial?.promise;
    },
    enter() {
      const isTrial = isOpen;
      if (isTrial) {
        if (state() === 'open' || trial !== undefined) return undefined;
        trial = Promise.withResolvers();
      }
      return {
        succeeded() {
          close();
          if (isTrial) endTrial();
        },
        failed(reason) {
          failures++;
          last = reason;
          // Requests that were under way when it opened say nothing new.
          if (isTrial ? isOpen : !isOpen && failures >= FAILURES_MAX) open();
          if (isTrial) endTrial();
        },
        dropped() {
          if (isTrial) endTrial();
        },
      };
    },
    heard() {
      misses = 0;
      openUntilMs = 0;
    },
    missed(reason) {
      misses++;
      if (isOpen || misses < FAILURES_MAX) return;
      last = reason;
      open();
    },
    why,
  };
}
