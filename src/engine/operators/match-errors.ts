import { ComityError } from '../../base/errors.ts';
import { labelsText, type Labels } from '../../model/labels.ts';
import type { VectorMatching } from '../../promql/ast.ts';

/** For two series of one match group on the side that must have one. */
export function duplicateSeries(first: Labels, second: Labels, group: Labels, { card }: VectorMatching): ComityError {
  const [a, b] = [labelsText(first), labelsText(second)].sort();
  const side = card === 'one-to-many' ? 'left' : 'right';
  return new ComityError(
    'execution',
    `found duplicate series for the match group ${labelsText(group)} on the ${side} hand-side of the ` +
      `operation: [${a}, ${b}];many-to-many matching not allowed: matching labels must be unique on one side`,
  );
}

export function multipleMatches({ card }: VectorMatching): ComityError {
  return new ComityError(
    'execution',
    card === 'one-to-one'
      ? 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)'
      : 'multiple matches for labels: grouping labels must ensure unique matches',
  );
}
