import { labelValue, type Labels } from './labels.ts';

/** A producer of telemetry: the identity that Prometheus would scrape it under. Empty parts are unknown. */
export interface Stream {
  readonly job: string;
  readonly instance: string;
}

/** A producer that delivered something. */
export interface HeardStream extends Stream {
  /** The time of its latest sample in the delivery, in ms since the epoch. */
  readonly latestMs: number;
}

/** The producer that a series' labels name. */
export function streamOf(labels: Labels): Stream {
  return { job: labelValue(labels, 'job'), instance: labelValue(labels, 'instance') };
}
