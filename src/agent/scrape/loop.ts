import type { TargetScraper } from './target-scraper.ts';

/** Scrapes a target at every interval until it is told to stop. */
export interface ScrapeLoop {
  /** The target is gone. A scrape under way ends as usual, and its series become stale somewhat later. */
  leave(): void;
  /** The agent ends: nothing more is stored. Resolves when nothing is under way. */
  close(): Promise<void>;
  /** Resolves when the loop has ended. */
  readonly ended: Promise<void>;
}

export interface LoopOptions {
  readonly intervalMs: number;
  /** Where in the interval the scrapes lie. */
  readonly offsetMs: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** A fault in a scrape that is no failure of the target; the loop goes on. */
  onFault(error: unknown): void;
}

/**
 * A timer is late by some milliseconds; times of scrapes that lie exactly one interval apart need less space. Prometheus
 * moves them by 2 ms at most, but its timers are finer.
 */
const ALIGN_MS = 10;

/** And never by more than this part of the interval. */
const ALIGN_PART = 0.01;

/** Timers take 31 bits of milliseconds; longer waits are taken in parts. */
const LONGEST_TIMER_MS = 24 * 3_600_000;

/**
 * Starts the loop. The first scrape is at the next time whose remainder by the interval is `offsetMs`, so that a target
 * keeps its place over restarts and targets do not all come at once.
 */
export function scrapeLoop(scraper: TargetScraper, { intervalMs, offsetMs, now, onFault }: LoopOptions): ScrapeLoop {
  let state: 'running' | 'leaving' | 'closed' = 'running';
  let current: AbortController | undefined;
  const pause = pauser();

  async function run(): Promise<void> {
    const startMs = now();
    const begin = performance.now() + positiveModulo(offsetMs - (startMs % intervalMs), intervalMs);
    await pause.until(begin);
    let alignedMs = now();
    let tick = 0;
    let scraped = false;
    while (state === 'running') {
      const nowMs = now();
      // The clock may have been set, in either direction.
      alignedMs += Math.round((nowMs - alignedMs) / intervalMs) * intervalMs;
      const isNear = Math.abs(nowMs - alignedMs) <= Math.min(ALIGN_MS, intervalMs * ALIGN_PART);
      current = new AbortController();
      await scraper.scrape(isNear ? alignedMs : nowMs, current.signal).catch(onFault);
      scraped = true;
      // A scrape that took longer than the interval is followed by the next one at once, and then they are in step again.
      tick = Math.max(tick + 1, Math.floor((performance.now() - begin) / intervalMs));
      await pause.until(begin + tick * intervalMs);
    }
    if (scraped) await leaveBehind(begin, tick);
  }

  /**
   * The target may come back with other labels or after a restart of its job: then its new samples are there by now, and
   * the markers, which lie before them, do nothing. So Prometheus waits as long.
   */
  async function leaveBehind(begin: number, tick: number): Promise<void> {
    if (isClosed()) return;
    pause.reset();
    await pause.until(begin + tick * intervalMs);
    const staleMs = now();
    await pause.until(begin + (tick + 1.1) * intervalMs);
    if (!isClosed()) await scraper.end(staleMs).catch(onFault);
  }

  function isClosed(): boolean {
    return state === 'closed';
  }

  const ended = run();
  return {
    leave() {
      if (state !== 'running') return;
      state = 'leaving';
      pause.wake();
    },
    async close() {
      state = 'closed';
      current?.abort();
      pause.wake();
      await ended;
    },
    ended,
  };
}

interface Pauser {
  /** Resolves at a time of `performance.now()`, or at once when it was woken. */
  until(time: number): Promise<void>;
  wake(): void;
  /** After this it pauses again. */
  reset(): void;
}

function pauser(): Pauser {
  let woken = false;
  let stop: (() => void) | undefined;
  return {
    async until(time) {
      while (!woken) {
        const left = time - performance.now();
        if (left <= 0) return;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(Math.ceil(left), LONGEST_TIMER_MS));
          stop = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    wake() {
      woken = true;
      stop?.();
    },
    reset() {
      woken = false;
    },
  };
}

function positiveModulo(a: number, n: number): number {
  return ((a % n) + n) % n;
}
