/** How fast an agent gets through its work. */
export interface Pace {
  /** Work on a request begins. */
  began(): void;
  /** It has ended, and has taken this much. */
  ended(cost: number): void;
  /** Seconds until so much work is done, from 1 to 30. */
  secondsFor(cost: number): number;
  /** The least time that work of its own takes, in ms: no machine is known to be much faster. */
  leastMsFor(cost: number): number;
}

/** Samples and cells a second: of a slow machine, until it is known better. */
const FIRST_RATE = 10_000_000;

/** Of a fast one. */
const FASTEST_RATE = 200_000_000;

/** What a request is work on its own, whatever it reads: some hundred microseconds. */
const REQUEST_COST = 5_000;

/** What was measured before counts so much with each request: the latest twenty or so matter. */
const FADES = 0.95;

const SECONDS_MIN = 1;
const SECONDS_MAX = 30;

/** Measures the work that is done while there is some. `now` in ms. */
export function startPace(now: () => number): Pace {
  let cost = FIRST_RATE;
  let busyMs = 1_000;
  let running = 0;
  let sinceMs = 0;

  return {
    began() {
      if (running++ === 0) sinceMs = now();
    },
    ended(done) {
      const atMs = now();
      cost = cost * FADES + done + REQUEST_COST;
      busyMs = busyMs * FADES + Math.max(0, atMs - sinceMs);
      sinceMs = atMs;
      running--;
    },
    secondsFor(work) {
      const perMs = cost / Math.max(1, busyMs);
      return Math.min(SECONDS_MAX, Math.max(SECONDS_MIN, Math.ceil(work / perMs / 1_000)));
    },
    leastMsFor: (work) => (work / FASTEST_RATE) * 1_000,
  };
}
