import { withLabel, type Labels } from './labels.ts';

/**
 * Says that a series is an input: what its counter goes up by is added to the series with its other labels, its output, and
 * its own samples are not stored. The value tells the inputs of one output apart. Admission lets no sender use the name.
 */
export const INPUT_LABEL = '__input__';

/** Whether a label set is an input's. */
export function isInput(labels: Labels): boolean {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === INPUT_LABEL) return true;
  return false;
}

/** The labels of an input's output. */
export function outputLabels(labels: Labels): Labels {
  return withLabel(labels, INPUT_LABEL, '');
}
