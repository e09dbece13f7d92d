import { labelValue, type Labels } from './labels.ts';

/** A producer of telemetry: the identity that Prometheus would scrape it under. Empty parts are unknown. */
export interface Stream {
  readonly job: string;
  readonly instance: string;
}

/** The producer that a series' labels name. */
export function streamOf(labels: Labels): Stream {
  return { job: labelValue(labels, 'job'), instance: labelValue(labels, 'instance') };
}
