import type { HeardStream, Pause, Stream } from './stream.ts';

/** The times of one producer's samples in a delivery, as they are read: written in place, as there may be a million. */
export interface HeardTimes {
  earliestMs: number;
  latestMs: number;
  pauses: Pause[] | undefined;
  /** The latest time at which it was known to have no samples, or to be gone; `-Infinity` where there is none. */
  downMs: number;
  endedMs: number;
}

/**
 * What a sample says of its producer: that it was there, that it had nothing to give, that it is gone for good, or nothing.
 */
export type Sign = 'there' | 'down' | 'ended' | 'nothing';

/** What the samples of a metric are signs of; undefined for all metrics but those in which a scraper tells of its scrapes. */
export type ScrapeMetric = 'up' | 'report' | undefined;

/** Samples of a delivery that are no farther apart than this are one piece: most deliveries are one scrape or export. */
export const PAUSE_MS = 30_000;

/** Past so many pauses, in the backlog of a slow producer, the shortest ones are not told. */
export const PAUSES_MAX = 32;

/** By the names that Prometheus gives them (https://prometheus.io/docs/concepts/jobs_instances/). */
export function scrapeMetric(metric: string): ScrapeMetric {
  if (metric === 'up') return 'up';
  return REPORTS.has(metric) ? 'report' : undefined;
}

const REPORTS: ReadonlySet<string> = new Set([
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
  'scrape_timeout_seconds',
  'scrape_sample_limit',
  'scrape_body_size_bytes',
]);

/**
 * A scrape that failed stores its reports, `up` as 0 and staleness markers for all else. When a target is removed, its `up`
 * becomes stale as well.
 */
export function signOf(metric: ScrapeMetric, isStale: boolean, value: number): Sign {
  if (metric === undefined) return isStale ? 'nothing' : 'there';
  if (metric === 'report') return 'nothing';
  if (isStale) return 'ended';
  return value === 0 ? 'down' : 'there';
}

export function silentTimes(): HeardTimes {
  return { earliestMs: Infinity, latestMs: -Infinity, pauses: undefined, downMs: -Infinity, endedMs: -Infinity };
}

export function resetTimes(times: HeardTimes): void {
  times.earliestMs = Infinity;
  times.latestMs = -Infinity;
  times.pauses = undefined;
  times.downMs = -Infinity;
  times.endedMs = -Infinity;
}

export function hearSign(times: HeardTimes, sign: Sign, timeMs: number): void {
  if (sign === 'there') hearTime(times, timeMs);
  else if (sign === 'down') times.downMs = Math.max(times.downMs, timeMs);
  else if (sign === 'ended') times.endedMs = Math.max(times.endedMs, timeMs);
}

/** Notes a sample. Times come in any order; those of a series ascend mostly. */
export function hearTime(times: HeardTimes, timeMs: number): void {
  const { earliestMs, latestMs } = times;
  if (timeMs > latestMs) {
    times.latestMs = timeMs;
    if (latestMs === -Infinity) times.earliestMs = timeMs;
    else if (timeMs - latestMs > PAUSE_MS) addPause(times, latestMs, timeMs);
  } else if (timeMs < earliestMs) {
    times.earliestMs = timeMs;
    if (earliestMs - timeMs > PAUSE_MS) addPause(times, timeMs, earliestMs);
  } else if (times.pauses !== undefined) {
    times.pauses = brokenPauses(times.pauses, timeMs);
  }
}

/** What is told of a producer. Signs of its absence count where no sample came after them. */
export function heardStream(stream: Stream, times: HeardTimes): HeardStream {
  const { earliestMs, latestMs, pauses, downMs, endedMs } = times;
  return {
    job: stream.job,
    instance: stream.instance,
    earliestMs,
    latestMs,
    ...(pauses !== undefined && { pauses }),
    ...(downMs > Math.max(latestMs, endedMs) && { downMs }),
    ...(endedMs > latestMs && endedMs >= downMs && { endedMs }),
  };
}

function addPause(times: HeardTimes, fromMs: number, toMs: number): void {
  const pauses = (times.pauses ??= []);
  // It lies at one of the two ends.
  if (pauses.length > 0 && pauses[0]!.fromMs >= toMs) pauses.unshift({ fromMs, toMs });
  else pauses.push({ fromMs, toMs });
  if (pauses.length > PAUSES_MAX) dropShortest(pauses);
}

/** The pauses after a sample, which may lie in one of them; undefined where none is left. */
function brokenPauses(pauses: Pause[], timeMs: number): Pause[] | undefined {
  for (let at = 0; at < pauses.length; at++) {
    const { fromMs, toMs } = pauses[at]!;
    if (timeMs <= fromMs) return pauses;
    if (timeMs >= toMs) continue;
    pauses.splice(
      at,
      1,
      ...longEnough([
        { fromMs, toMs: timeMs },
        { fromMs: timeMs, toMs },
      ]),
    );
    if (pauses.length > PAUSES_MAX) dropShortest(pauses);
    return pauses.length === 0 ? undefined : pauses;
  }
  return pauses;
}

function longEnough(pauses: readonly Pause[]): Pause[] {
  return pauses.filter(({ fromMs, toMs }) => toMs - fromMs > PAUSE_MS);
}

function dropShortest(pauses: Pause[]): void {
  let shortest = 0;
  for (let at = 1; at < pauses.length; at++) {
    if (lengthOf(pauses[at]!) < lengthOf(pauses[shortest]!)) shortest = at;
  }
  pauses.splice(shortest, 1);
}

function lengthOf({ fromMs, toMs }: Pause): number {
  return toMs - fromMs;
}
