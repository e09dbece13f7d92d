import { dropLabels, keepLabels, labelsKey, METRIC_NAME, type Labels } from '../../model/labels.ts';
import type { VectorMatching } from '../../promql/ast.ts';

/** What two series must have in common to match. */
export interface Signature {
  /** The labels that are compared. */
  labels(labels: Labels): Labels;
  /** A string that is equal for series that match only. */
  key(labels: Labels): string;
}

export function signatureOf({ on, labels: names }: VectorMatching): Signature {
  const compared = new Set(on ? names : [METRIC_NAME, ...names]);
  const labelsOf = on
    ? (labels: Labels) => keepLabels(labels, compared)
    : (labels: Labels) => dropLabels(labels, compared);
  return { labels: labelsOf, key: (labels) => labelsKey(labelsOf(labels)) };
}
