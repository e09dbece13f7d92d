import type { BatchBuilder } from '../../model/batch-builder.ts';
import type { Metadata } from '../../model/batch.ts';
import type { InfoSeries } from './resource.ts';

export const TARGET_INFO: Metadata = { metric: 'target_info', type: 'gauge', help: 'Target metadata', unit: '' };

/** Half of PromQL's lookback: a join with `target_info` then finds a sample at any time in between. */
const INTERVAL_MS = 150_000;

/** Samples of one resource in one request, six hours of them: a single point dated 1970 must not make millions. */
const SAMPLES_MAX = 144;

/**
 * Writes `target_info`, whose labels are what is known of a resource beyond its identity, for points between the two times
 * (ms, inclusive). `seen` holds the times of the request so far by series: several resources may have the
 * same labels.
 */
export function addTargetInfo(
  builder: BatchBuilder,
  info: InfoSeries,
  seen: Map<string, Set<number>>,
  earliestMs: number,
  latestMs: number,
): void {
  let series = -1;
  let times = seen.get(info.key);
  if (times === undefined) seen.set(info.key, (times = new Set()));
  const skipped = Math.max(0, Math.ceil((latestMs - earliestMs) / INTERVAL_MS) - SAMPLES_MAX);
  for (let timeMs = earliestMs + skipped * INTERVAL_MS; ; timeMs += INTERVAL_MS) {
    const at = Math.min(timeMs, latestMs);
    if (!times.has(at)) {
      times.add(at);
      if (series < 0) series = builder.series(info.handle);
      builder.beside(series, at, 1);
    }
    if (at === latestMs) return;
  }
}
