import { ComityError } from '../base/errors.ts';
import { labelsKey, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { QueryAnswer } from '../plan/frames/query-codec.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { assertValuesFit } from './own-values.ts';

/** Whose rows they are, and by which features they were made. */
interface RowOwner {
  readonly domainLabel: string;
  readonly domain: string;
  readonly features: PromqlFeatures;
}

/**
 * A domain speaks for itself only: the rows of a vector must carry its own name, the groups of a partial only labels that
 * their grouping can give, no label set may come twice, and the numbers must be some that series have. Throws `bad_data` for
 * an answer that says more.
 */
export function assertRowsFit(
  answer: QueryAnswer,
  asked: readonly Fragment[],
  { domainLabel, domain, features }: RowOwner,
): void {
  answer.fragments.forEach((part, index) => {
    if (!('rows' in part)) return;
    const fragment = asked[index]!;
    const fits = rowTest(fragment, domainLabel, domain);
    // Rows that are to lose their names may be equal until then, and whatever stands above takes each of them.
    const mayRepeat = features.delayedNameRemoval && fragment.answer === 'vector';
    const seen = new Set<string>();
    for (const row of part.rows) {
      const { labels, dropsName } = row;
      const key = labelsKey(labels);
      if (!mayRepeat && seen.has(key)) throw new ComityError('bad_data', 'it answered with one label set twice');
      if (!fits(labels)) throw new ComityError('bad_data', 'it answered with a series that is not of this domain');
      if (dropsName === true && (!features.delayedNameRemoval || fragment.answer === 'timed')) {
        throw new ComityError('bad_data', 'it answered with names that are to go, which was not asked for');
      }
      assertValuesFit(row, fragment);
      seen.add(key);
    }
  });
}

function rowTest(fragment: Fragment, domainLabel: string, domain: string): (labels: Labels) => boolean {
  if (fragment.answer === 'vector' || fragment.answer === 'timed')
    return (labels) => labelValue(labels, domainLabel) === domain;
  const { without, grouping } = fragment.expr;
  const named = new Set(grouping);
  return (labels) => {
    for (let i = 0; i < labels.length; i += 2) {
      const name = labels[i]!;
      if (without ? named.has(name) || name === METRIC_NAME : !named.has(name)) return false;
      // A group by the domain as well can only be the domain's own.
      if (name === domainLabel && labels[i + 1] !== domain) return false;
    }
    return true;
  };
}
