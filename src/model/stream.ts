import { labelValue, type Labels } from './labels.ts';

/** A producer of telemetry: the identity that Prometheus would scrape it under. Empty parts are unknown. */
export interface Stream {
  readonly job: string;
  readonly instance: string;
}

/** A producer that delivered something. Times in ms since the epoch. */
export interface HeardStream extends Stream {
  /** The time of its earliest sample in the delivery; `Infinity` where it has none. */
  readonly earliestMs: number;
  /** The time of its latest sample in the delivery; `-Infinity` where it has none. */
  readonly latestMs: number;
  /** The widest pauses between the two, as times of samples at both ends, ascending. Absent where it has none. */
  readonly pauses?: readonly Pause[];
  /** When it was asked for samples and had none, after its latest one. */
  readonly downMs?: number;
  /** When it was known to be gone for good: nothing is awaited of it any more. */
  readonly endedMs?: number;
}

/** Two times of samples with none in between. */
export interface Pause {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The producer that a series' labels name. */
export function streamOf(labels: Labels): Stream {
  return { job: labelValue(labels, 'job'), instance: labelValue(labels, 'instance') };
}

/** Equal for equal producers only: the length keeps the two parts apart. */
export function streamKey({ job, instance }: Stream): string {
  return `${job.length} ${job}${instance}`;
}
