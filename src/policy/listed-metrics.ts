import { METRIC_NAME } from '../model/labels.ts';
import type { Policy } from './document.ts';
import { isWithheld } from './egress-class.ts';
import type { MetricRule } from './meet.ts';

/**
 * Tells by its name whether a metric's series may be among those whose label `label` is listed: its values, or all names of
 * labels where it is empty. Nothing is listed of what is withheld. Where groups of few series stay in the domain the values of
 * its labels would tell of them all the same, so that of such a metric only names are listed. Asked once a name.
 */
export function listedTest(label: string, policy: Policy): (metric: string) => boolean {
  const known = new Map<string, boolean>();
  return (metric) => {
    let isListed = known.get(metric);
    if (isListed === undefined) known.set(metric, (isListed = mayBeListed(label, policy.ruleOf(metric))));
    return isListed;
  };
}

/** Whether every metric may be listed, so that nobody need look at their names. */
export function listsAll(label: string, policy: Policy): boolean {
  return policy.rulesBelow('').every((rule) => mayBeListed(label, rule));
}

function mayBeListed(label: string, { class: egress, minSeries }: MetricRule): boolean {
  if (isWithheld(egress)) return false;
  return label === '' || label === METRIC_NAME || egress === 'open' || minSeries <= 1;
}
