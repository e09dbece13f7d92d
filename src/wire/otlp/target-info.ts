import type { BatchBuilder } from '../../model/batch-builder.ts';
import { labelsKey, type Labels } from '../../model/labels.ts';
import { IDENTIFYING, namedLabels, seriesLabels, type ResourceLabels } from './attributes.ts';
import type { Rejections } from './rejections.ts';

/** Writes `target_info`, whose labels are what is known of a resource beyond its identity. */
export interface TargetInfo {
  /** Adds the resource's samples for points between the two times (ms, inclusive). */
  add(resource: ResourceLabels, earliestMs: number, latestMs: number): void;
}

/** Half of PromQL's lookback: a join with `target_info` then finds a sample at any time in between. */
const INTERVAL_MS = 150_000;

/** Samples of one resource in one request, six hours of them: a single point dated 1970 must not make millions. */
const SAMPLES_MAX = 144;

/** Several resources of one request may have the same labels; each sample is written once. */
export function targetInfo(builder: BatchBuilder, rejected: Rejections): TargetInfo {
  const seen = new Set<string>();
  return {
    add(resource, earliestMs, latestMs) {
      const labels = infoLabels(resource, rejected);
      if (labels === undefined) return;
      const key = labelsKey(labels);
      for (const timeMs of sampleTimes(earliestMs, latestMs)) {
        const sample = `${timeMs} ${key}`;
        if (seen.has(sample)) continue;
        seen.add(sample);
        builder.add(labels, timeMs, 1);
      }
    },
  };
}

/** Undefined when nothing identifies the resource or nothing else is known of it: then a join would be of no use. */
function infoLabels(resource: ResourceLabels, rejected: Rejections): Labels | undefined {
  if (resource.attributes.every(({ key }) => IDENTIFYING.has(key))) return undefined;
  // Promoted attributes are among the resource's own already.
  const own = { ...resource, promoted: new Map<string, string>() };
  const labels = seriesLabels(resource.attributes, own, IDENTIFYING, 1, (reason, detail) => {
    rejected.warn(`target_info left out: ${reason} (${detail})`);
  });
  if (labels === undefined) return undefined;
  const identified = labels.some((name, i) => i % 2 === 0 && (name === 'job' || name === 'instance'));
  return identified ? namedLabels(labels, 'target_info') : undefined;
}

function sampleTimes(earliestMs: number, latestMs: number): number[] {
  const skipped = Math.max(0, Math.ceil((latestMs - earliestMs) / INTERVAL_MS) - SAMPLES_MAX);
  const times: number[] = [];
  for (let timeMs = earliestMs + skipped * INTERVAL_MS; timeMs < latestMs; timeMs += INTERVAL_MS) times.push(timeMs);
  times.push(latestMs);
  return times;
}
