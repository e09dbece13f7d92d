import pLimit from 'p-limit';

/** The requests to one domain: so many at once, and so many more that wait, first come first served. */
export interface RequestQueue {
  /** Requests under way. */
  readonly running: number;
  /** Requests that wait; one that was given up is none. */
  readonly queued: number;
  /** Whether a request would start at once. */
  readonly isIdle: boolean;
  /**
   * Runs `work` when its turn has come. A request whose signal aborts before leaves the queue, is not run, and fails with the
   * signal's reason. Undefined where the queue is full.
   */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> | undefined;
}

export function openQueue(maxConcurrent: number, maxQueued: number): RequestQueue {
  const limit = pLimit(maxConcurrent);
  // p-limit forgets nothing that was put into it, so what it holds are turns: whoever then waits for longest takes the turn.
  const waiting = new Set<() => Promise<void>>();
  /** Turns that nobody has taken yet. */
  let turns = 0;
  let running = 0;

  async function takeTurn(): Promise<void> {
    turns--;
    const [first] = waiting;
    if (first === undefined) return;
    waiting.delete(first);
    running++;
    try {
      await first();
    } finally {
      running--;
    }
  }
  /** Without those whose turns have come and are taken with the next microtask. */
  const queued = (): number => Math.max(0, waiting.size - (turns - limit.pendingCount));

  return {
    get running() {
      return running;
    },
    get queued() {
      return queued();
    },
    get isIdle() {
      return limit.activeCount < maxConcurrent && queued() === 0;
    },
    run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> | undefined {
      if (limit.activeCount >= maxConcurrent && queued() >= maxQueued) return undefined;
      return new Promise<T>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const leave = (): void => {
          waiting.delete(start);
          reject(signal.reason as Error);
        };
        const start = async (): Promise<void> => {
          signal.removeEventListener('abort', leave);
          await work().then(resolve, reject);
        };
        signal.addEventListener('abort', leave, { once: true });
        waiting.add(start);
        // A turn that somebody gave up serves whoever comes next.
        if (turns >= waiting.size) return;
        turns++;
        void limit(takeTurn);
      });
    },
  };
}
