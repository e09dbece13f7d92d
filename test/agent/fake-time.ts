/** A clock that goes on when it is told to, with its timers. */
export interface FakeTime {
  now(): number;
  later(run: () => void, ms: number): () => void;
  /** Goes on to a time from the start; what is due runs in order, each with what it sets off. */
  goTo(ms: number): Promise<void>;
  readonly timers: number;
}

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

export function fakeTime(): FakeTime {
  let nowMs = 0;
  const timers = new Set<Timer>();
  return {
    now: () => nowMs,
    later(run, ms) {
      const timer = { atMs: nowMs + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async goTo(ms) {
      for (;;) {
        const [next] = [...timers].sort((a, b) => a.atMs - b.atMs);
        if (next === undefined || next.atMs > ms) break;
        timers.delete(next);
        nowMs = Math.max(nowMs, next.atMs);
        next.run();
        await settled();
      }
      nowMs = Math.max(nowMs, ms);
      await settled();
    },
    get timers() {
      return timers.size;
    },
  };
}

/** Lets promises that are resolved take effect. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
