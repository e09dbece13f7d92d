import { streamKey, type HeardStream, type Stream } from '../model/stream.ts';
import type { TimeRange } from '../plan/read-range.ts';
import { hull } from './late-intervals.ts';
import {
  allGaps,
  endSilent,
  hear,
  isMissing,
  LAG_MS,
  missedIn,
  newPresence,
  pastOf,
  rewind,
  type Gap,
  type Listening,
  type Past,
  type Presence,
} from './presence.ts';

/** What tells the streams of an agent apart. */
export interface StreamKey extends Stream {
  readonly signal: string;
}

/** What is remembered of a stream; as `Presence`, and its pauses are decided. Times in ms since the epoch. */
export interface StreamRecord extends StreamKey, Readonly<Omit<Presence, 'recent' | 'gaps'>> {
  readonly gaps: readonly Gap[];
}

export interface StreamCounts {
  /** Streams that have not ended. */
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

/** The streams of one agent. */
export interface StreamTracker {
  /** Notes a delivery and says whether a stream was new. */
  seen(signal: string, streams: Iterable<HeardStream>, nowMs: number): boolean;
  /** Notes deliveries to a process that was killed before it could write them down. */
  recall(signal: string, streams: Iterable<HeardStream>, nowMs: number): void;
  /** Begins anew, after a time in which nobody could be heard. */
  listen(nowMs: number): void;
  counts(nowMs: number): StreamCounts;
  /** A stream by what tells it apart; equal for equal ones. */
  find(key: StreamKey): KnownStream | undefined;
  all(): Iterable<KnownStream>;
  /** The part of a time that streams miss which are there otherwise. */
  missedIn(range: TimeRange, nowMs: number): TimeRange | undefined;
  /** Streams that have ended and are remembered, and gaps that are, the lasting ones left out. */
  remembered(): { readonly ended: number; readonly gaps: number };
  /** Hands what changed to `write`: all of it since the last time that `write` did not throw. */
  flush(nowMs: number, write: (changed: Iterable<StreamRecord>, forgotten: Iterable<StreamKey>) => void): void;
}

/** A stream that is remembered. */
export interface KnownStream {
  readonly key: StreamKey;
  /** As of `Presence`. */
  readonly lastMs: number;
  readonly downMs: number;
  readonly endedMs: number;
  readonly gaps: readonly Gap[];
  /** What it owed. */
  past(nowMs: number): Past;
}

export interface TrackerOptions {
  /** Streams that are remembered, ended ones among them: those that ended first make room for new ones. */
  readonly limit: number;
  /** For how long streams that ended are remembered. */
  readonly keepMs: number;
}

interface Tracked extends Presence {
  readonly key: StreamKey;
  past(nowMs: number): Past;
}

/** When there is no room, so many streams go at once: to find the oldest all have to be looked at. */
const EVICTED_PART = 0.01;

/** A clock that went back by less is not worth a look at all streams. */
const REWIND_MS = 2_000;

/**
 * Tracks streams, starting from those remembered from before. While the agent was down its streams could not be seen, so
 * they are expected for the full time from `firstStartMs` on, and that pause counts for no interval.
 */
export function trackStreams(
  remembered: Iterable<StreamRecord>,
  firstStartMs: number,
  { limit, keepMs }: TrackerOptions,
): StreamTracker {
  const streams = new Map<string, Tracked>();
  const changed = new Set<Tracked>();
  const forgotten = new Map<string, StreamKey>();
  let untracked = 0;
  let startMs = firstStartMs;
  let latestNowMs = startMs;
  for (const { signal, job, instance, ...presence } of remembered) {
    const key = { signal, job, instance };
    const stream = tracked(key, { ...presence, recent: [] });
    rewind(stream, startMs);
    streams.set(keyText(key), stream);
  }

  function forget(text: string, stream: Tracked): void {
    streams.delete(text);
    changed.delete(stream);
    // While writing fails this must not grow for ever: what is left out is forgotten again after the next start.
    if (forgotten.size < limit) forgotten.set(text, stream.key);
  }

  /** Takes the time of now: deliveries are noted with the one at which they came in, which may be some seconds ago. */
  function lookAtClock(nowMs: number): void {
    if (nowMs < latestNowMs - REWIND_MS) {
      for (const stream of streams.values()) rewind(stream, nowMs);
      startMs = Math.min(startMs, nowMs);
      latestNowMs = nowMs;
    }
    latestNowMs = Math.max(latestNowMs, nowMs);
  }

  /** Ends what fell silent, and forgets what ended long ago. */
  function settle(nowMs: number): void {
    lookAtClock(nowMs);
    for (const [text, stream] of streams) {
      if (endSilent(stream, nowMs, startMs)) changed.add(stream);
      if (stream.endedMs !== 0 && stream.endedMs < nowMs - keepMs) forget(text, stream);
    }
  }

  function makeRoom(): boolean {
    const ended = [...streams].filter(([, { endedMs }]) => endedMs !== 0);
    ended.sort(([, a], [, b]) => a.endedMs - b.endedMs);
    for (const [text, stream] of ended.slice(0, Math.ceil(limit * EVICTED_PART))) forget(text, stream);
    return ended.length > 0;
  }

  function add(key: StreamKey, heard: HeardStream, listening: Listening): Tracked | undefined {
    const presence = newPresence(heard, listening);
    if (presence === undefined) return undefined;
    if (streams.size >= limit && !makeRoom()) {
      untracked++;
      return undefined;
    }
    const stream = tracked(key, presence);
    const text = keyText(key);
    streams.set(text, stream);
    forgotten.delete(text);
    return stream;
  }

  return {
    seen(signal, delivered, nowMs) {
      let isNew = false;
      latestNowMs = Math.max(latestNowMs, nowMs);
      const listening = { nowMs, startMs, oldestMs: nowMs - keepMs };
      for (const heard of delivered) {
        const { job, instance } = heard;
        const key = { signal, job, instance };
        const known = streams.get(keyText(key));
        const stream = known ?? add(key, heard, listening);
        if (stream === undefined) continue;
        isNew ||= known === undefined;
        // Before it is heard again: what became of it in between must not hang on when others ask.
        endSilent(stream, nowMs, startMs);
        hear(stream, heard, listening);
        changed.add(stream);
      }
      return isNew;
    },
    recall(signal, delivered, nowMs) {
      const listening = { nowMs, startMs: -Infinity, oldestMs: nowMs - keepMs };
      for (const heard of delivered) {
        const stream = streams.get(keyText({ signal, job: heard.job, instance: heard.instance }));
        if (stream === undefined) continue;
        hear(stream, heard, listening);
        changed.add(stream);
      }
    },
    listen(nowMs) {
      lookAtClock(nowMs);
      startMs = nowMs;
    },
    counts(nowMs) {
      settle(nowMs);
      let expected = 0;
      let observed = 0;
      let settled = Infinity;
      for (const stream of streams.values()) {
        if (stream.endedMs !== 0) continue;
        expected++;
        if (isMissing(stream, nowMs)) continue;
        observed++;
        settled = Math.min(settled, stream.lastMs);
      }
      const settledUntilMs = observed === 0 ? 0 : Math.max(settled, nowMs - LAG_MS);
      return { expected, observed, settledUntilMs, untracked };
    },
    find: (key) => streams.get(keyText(key)),
    all: () => streams.values(),
    missedIn(range, nowMs) {
      let all: TimeRange | undefined;
      for (const stream of streams.values()) all = hull(all, missedIn(stream, range, nowMs));
      return all;
    },
    remembered() {
      let ended = 0;
      let gaps = 0;
      for (const stream of streams.values()) {
        if (stream.endedMs !== 0) ended++;
        gaps += allGaps(stream).length;
      }
      return { ended, gaps };
    },
    flush(nowMs, write) {
      settle(nowMs);
      if (changed.size === 0 && forgotten.size === 0) return;
      write(Array.from(changed, recordOf), forgotten.values());
      changed.clear();
      forgotten.clear();
    },
  };
}

function tracked(key: StreamKey, presence: Presence): Tracked {
  const stream: Tracked = { key, ...presence, past: (nowMs) => pastOf(stream, nowMs) };
  return stream;
}

function recordOf(stream: Tracked): StreamRecord {
  const { key, firstMs, lastMs, seenMs, knownMs, downMs, endedMs, intervalMs } = stream;
  return { ...key, firstMs, lastMs, seenMs, knownMs, downMs, endedMs, intervalMs, gaps: allGaps(stream) };
}

function keyText(key: StreamKey): string {
  return `${key.signal} ${streamKey(key)}`;
}
