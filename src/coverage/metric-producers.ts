import type { Until } from '../border/release-coverage.ts';
import type { Stream } from '../model/stream.ts';

/** The producers whose series have a metric name, whatever their samples. */
export type MetricProducers = (metric: string, until: Until) => Promise<readonly Stream[]>;

/**
 * As long as no series came or went the answer is kept. Where some always do it is asked for again all the same, but no
 * oftener than this, and so seldom that it takes a small part of a shard's time.
 */
const KEPT_MS = 1_000;
const KEPT_MS_CHANGING_MAX = 10_000;
const SHARE = 20;

/** That a series came and another went in between does not show in their number. */
const KEPT_MS_MAX = 10 * 60_000;

/** Producers of all metrics that are kept: some 60 MB. Past that the metrics that were not asked for longest go. */
const PRODUCERS_MAX = 1_000_000;

interface Kept {
  readonly atMs: number;
  /** How long the question took. */
  readonly tookMs: number;
  readonly series: number;
  readonly producers: readonly Stream[];
}

/** `ask` with what it answered kept; `series` is the number of series there are now. */
export function keptProducers(ask: MetricProducers, series: () => number, now: () => number): MetricProducers {
  const kept = new Map<string, Kept>();
  let count = 0;

  function drop(metric: string): void {
    const old = kept.get(metric);
    if (old === undefined) return;
    kept.delete(metric);
    count -= old.producers.length + 1;
  }

  return async (metric, until) => {
    const known = kept.get(metric);
    const ageMs = known === undefined ? Infinity : Math.abs(now() - known.atMs);
    if (known !== undefined && ageMs < (known.series === series() ? KEPT_MS_MAX : changingKeptMs(known))) {
      kept.delete(metric);
      kept.set(metric, known);
      return known.producers;
    }
    // Before the question: what comes in between makes the next one ask again.
    const asked = { atMs: now(), series: series() };
    const producers = await ask(metric, until);
    drop(metric);
    kept.set(metric, { ...asked, tookMs: now() - asked.atMs, producers });
    count += producers.length + 1;
    for (const oldest of kept.keys()) {
      if (count <= PRODUCERS_MAX) break;
      drop(oldest);
    }
    return producers;
  };
}

function changingKeptMs({ tookMs }: Kept): number {
  return Math.min(KEPT_MS_CHANGING_MAX, Math.max(KEPT_MS, tookMs * SHARE));
}
