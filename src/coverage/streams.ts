import type { HeardStream, Stream } from '../model/stream.ts';

/** What tells the streams of an agent apart. */
export interface StreamKey extends Stream {
  readonly signal: string;
}

/** What is remembered of a stream. Times in ms since the epoch. */
export interface StreamRecord extends StreamKey {
  readonly lastSeenMs: number;
  /** The time of its latest sample, or when that was delivered if its clock is ahead; 0 while it is not known. */
  readonly lastSampleMs: number;
  /** The median of the last few times between its deliveries; 0 until it delivered twice. */
  readonly intervalMs: number;
}

export interface StreamCounts {
  readonly expected: number;
  readonly observed: number;
  /**
   * The watermark: of what lies before it, no more is awaited. The earliest of the live streams' last samples, but never
   * more than two minutes ago; 0 when no stream is live.
   */
  readonly settledUntilMs: number;
  /** Deliveries of streams past the limit since the start: their streams are in none of the counts. */
  readonly untracked: number;
}

/** A stream is expected for at least this long after it was last seen. */
export const EXPECTED_FOR_MS = 5 * 60 * 1000;

/** A slow stream is expected for this many of its intervals: longer than it takes to count as missing. */
const EXPECTED_INTERVALS = 5;

/** Missing means silent for more than this many of the stream's own intervals. */
const GAP_INTERVALS = 2.5;

/** The interval is the median of so many gaps: one long pause, or two, leave it as it is. */
const GAPS_KEPT = 5;

/** Interval taken for a stream that has delivered once: OpenTelemetry's default export interval. */
const DEFAULT_INTERVAL_MS = 60_000;

/** Nothing older than this counts as unsettled, so that one stuck stream cannot hold a domain's answers open. */
const SETTLE_LIMIT_MS = 2 * 60 * 1000;

/** The streams of one agent. */
export interface StreamTracker {
  /**
   * Notes a delivery and says whether a stream was new. Deliveries within a second are parts of one export and do not
   * count as an interval.
   */
  seen(signal: string, streams: Iterable<HeardStream>, nowMs: number): boolean;
  counts(nowMs: number): StreamCounts;
  /** Hands what changed to `write`: all of it since the last time that `write` did not throw. */
  flush(nowMs: number, write: (changed: Iterable<StreamRecord>, forgotten: Iterable<StreamKey>) => void): void;
}

interface Tracked extends StreamRecord {
  /** The last gaps, oldest first. After a start the remembered interval stands for those before. */
  readonly gaps: readonly number[];
}

/**
 * Tracks streams, starting from those remembered from before. While the agent was down its streams could not be seen, so
 * they are expected for the full time from `startMs` on, and that pause counts for no interval.
 */
export function trackStreams(remembered: Iterable<StreamRecord>, startMs: number, limit: number): StreamTracker {
  const streams = new Map<string, Tracked>();
  const changed = new Map<string, StreamRecord>();
  const forgotten = new Map<string, StreamKey>();
  let untracked = 0;
  for (const record of remembered) {
    const gaps = record.intervalMs > 0 ? [record.intervalMs] : [];
    streams.set(keyText(record.signal, record), { ...record, gaps });
  }

  function expectedUntil({ lastSeenMs, intervalMs }: StreamRecord): number {
    const fromMs = Math.max(lastSeenMs, lastSeenMs < startMs ? startMs : 0);
    return fromMs + Math.max(EXPECTED_FOR_MS, EXPECTED_INTERVALS * intervalMs);
  }

  function gapsAt(before: Tracked, nowMs: number): readonly number[] {
    const gap = nowMs - before.lastSeenMs;
    if (gap < 1000 || before.lastSeenMs < startMs) return before.gaps;
    return [...before.gaps.slice(1 - GAPS_KEPT), gap];
  }

  function forget(nowMs: number): void {
    for (const [key, stream] of streams) {
      if (nowMs <= expectedUntil(stream)) continue;
      streams.delete(key);
      changed.delete(key);
      // While writing fails this must not grow for ever: what is left out is forgotten again after the next start.
      if (forgotten.size < limit) forgotten.set(key, stream);
    }
  }

  return {
    seen(signal, delivered, nowMs) {
      let isNew = false;
      for (const { job, instance, latestMs } of delivered) {
        const key = keyText(signal, { job, instance });
        const before = streams.get(key);
        if (before === undefined && streams.size >= limit) {
          untracked++;
          continue;
        }
        isNew ||= before === undefined;
        const gaps = before === undefined ? [] : gapsAt(before, nowMs);
        const lastSampleMs = Math.max(Math.min(latestMs, nowMs), before?.lastSampleMs ?? 0);
        const stream = { signal, job, instance, lastSeenMs: nowMs, lastSampleMs, intervalMs: lowerMedian(gaps), gaps };
        streams.set(key, stream);
        changed.set(key, stream);
        forgotten.delete(key);
      }
      return isNew;
    },
    counts(nowMs) {
      forget(nowMs);
      let observed = 0;
      let settled = Infinity;
      for (const { lastSeenMs, lastSampleMs, intervalMs } of streams.values()) {
        const patience = GAP_INTERVALS * (intervalMs || DEFAULT_INTERVAL_MS);
        if (nowMs - lastSeenMs > patience) continue;
        observed++;
        settled = Math.min(settled, lastSampleMs);
      }
      const settledUntilMs = observed === 0 ? 0 : Math.max(settled, nowMs - SETTLE_LIMIT_MS);
      return { expected: streams.size, observed, settledUntilMs, untracked };
    },
    flush(nowMs, write) {
      forget(nowMs);
      if (changed.size === 0 && forgotten.size === 0) return;
      write(changed.values(), forgotten.values());
      changed.clear();
      forgotten.clear();
    },
  };
}

/** Of an even number the smaller of the middle two: where a short and a long gap are known, the short one is the rule. */
function lowerMedian(gaps: readonly number[]): number {
  return gaps.toSorted((a, b) => a - b)[(gaps.length - 1) >> 1] ?? 0;
}

function keyText(signal: string, { job, instance }: Stream): string {
  return JSON.stringify([signal, job, instance]);
}
