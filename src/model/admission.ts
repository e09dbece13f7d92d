import type { Labels } from './labels.ts';

/**
 * What of a sender's words may be stored. Decoders ask it for each label set that they have not seen before, so it must
 * give equal answers to equal questions, and different ones to different label sets: series are never merged.
 */
export interface Admission {
  /** The labels of a series as they are stored. */
  series(labels: Labels): Labels;
  /** The labels of an exemplar as they are stored: those that may not be are left out. */
  exemplar(labels: Labels): Labels;
  /**
   * The value of an attribute of a span or of its resource, by the attribute's key in OpenTelemetry; undefined when it may
   * not be stored. `value` is text: `valueText` of the attribute.
   */
  attribute(key: string, value: string): string | undefined;
}

/** Admits everything as it is: for tests, and for sources that were admitted before. */
export const ADMIT_ALL: Admission = {
  series: (labels) => labels,
  exemplar: (labels) => labels,
  attribute: (_key, value) => value,
};
