import { ComityError } from '../../base/errors.ts';

/** One question to a domain, from its first byte to its end. */
export interface Call {
  readonly deadlineMs: number;
  /** Aborts with an error of code `canceled` or `timeout`, and when the call ends. */
  readonly signal: AbortSignal;
  /** Ends whatever is still under way for it. */
  end(): void;
}

/** Made once: an error with its stack for each call would be a twentieth of what the hub does for a domain. */
const ENDED = new ComityError('canceled', 'the call has ended');

/** The longest that a timer runs. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export function startCall(deadlineMs: number, caller: AbortSignal): Call {
  const over = new AbortController();
  const leftMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil(deadlineMs - Date.now())));
  const onGone = (): void => over.abort(new ComityError('canceled', 'the caller has gone'));
  const onLate = (): void => over.abort(new ComityError('timeout', 'no answer by the deadline'));
  const timer = setTimeout(onLate, leftMs);
  caller.addEventListener('abort', onGone, { once: true });
  if (caller.aborted) onGone();
  return {
    deadlineMs,
    signal: over.signal,
    end() {
      clearTimeout(timer);
      caller.removeEventListener('abort', onGone);
      over.abort(ENDED);
    },
  };
}

/** Waits for `ms`, or until the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(TIMER_MS_MAX, ms));
    signal.addEventListener('abort', end, { once: true });
  });
}

/** What a promise gives, or the reason for which the signal aborts before. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
