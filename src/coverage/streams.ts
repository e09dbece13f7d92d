/** A producer of telemetry as an agent sees it: a scrape target or an OTLP resource. */
export interface Stream {
  readonly job: string;
  readonly instance: string;
}

/** What is remembered of a stream. Times in ms since the epoch. */
export interface StreamRecord extends Stream {
  readonly signal: string;
  readonly lastSeenMs: number;
  /** Time between its last two deliveries; 0 until it delivered twice. */
  readonly intervalMs: number;
}

export interface StreamCounts {
  readonly expected: number;
  readonly observed: number;
  /** 0 when no stream is live. */
  readonly settledUntilMs: number;
}

/** A stream is expected for this long after it was last seen. */
export const EXPECTED_FOR_MS = 5 * 60 * 1000;

/** Missing means silent for more than this many of the stream's own intervals. */
const GAP_INTERVALS = 2.5;

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
  seen(signal: string, streams: Iterable<Stream>, nowMs: number): boolean;
  counts(nowMs: number): StreamCounts;
  records(): Iterable<StreamRecord>;
}

/**
 * Tracks streams, starting from those remembered from before. While the agent was down its streams could not be seen, so
 * they are expected for the full time from `startMs` on.
 */
export function trackStreams(remembered: Iterable<StreamRecord>, startMs: number, limit: number): StreamTracker {
  const streams = new Map<string, StreamRecord>();
  for (const record of remembered) streams.set(streamKey(record.signal, record), record);

  function expectedUntil(record: StreamRecord): number {
    return Math.max(record.lastSeenMs, record.lastSeenMs < startMs ? startMs : 0) + EXPECTED_FOR_MS;
  }

  return {
    seen(signal, delivered, nowMs) {
      let isNew = false;
      for (const stream of delivered) {
        const key = streamKey(signal, stream);
        const before = streams.get(key);
        if (before === undefined && streams.size >= limit) continue;
        isNew ||= before === undefined;
        const gap = before === undefined ? 0 : nowMs - before.lastSeenMs;
        const intervalMs = before === undefined || gap < 1000 ? (before?.intervalMs ?? 0) : gap;
        streams.set(key, { signal, job: stream.job, instance: stream.instance, lastSeenMs: nowMs, intervalMs });
      }
      return isNew;
    },
    counts(nowMs) {
      let expected = 0;
      let observed = 0;
      let settled = Infinity;
      for (const [key, record] of streams) {
        if (nowMs > expectedUntil(record)) {
          streams.delete(key);
          continue;
        }
        expected++;
        const patience = GAP_INTERVALS * (record.intervalMs || DEFAULT_INTERVAL_MS);
        if (nowMs - record.lastSeenMs > patience) continue;
        observed++;
        settled = Math.min(settled, record.lastSeenMs);
      }
      const settledUntilMs = observed === 0 ? 0 : Math.max(settled, nowMs - SETTLE_LIMIT_MS);
      return { expected, observed, settledUntilMs };
    },
    records: () => streams.values(),
  };
}

function streamKey(signal: string, { job, instance }: Stream): string {
  return JSON.stringify([signal, job, instance]);
}
