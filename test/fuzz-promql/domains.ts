import type { Random } from '../random.ts';
import { datasetOf, type Dataset } from './dataset.ts';
import { federatedLabels, type Series } from './samples.ts';

/** How series lie in domains: each anywhere, those of one target together, or some in two domains with other samples. */
type Spread = 'series' | 'targets' | 'copies';

/**
 * The data set with its series at random in these domains. `other` is drawn where copies are wanted: its series have the same
 * labels and other samples.
 */
export function spreadOver(domains: readonly string[], whole: Dataset, other: () => Dataset, random: Random): Dataset {
  const spread = random.weighted<Spread>([
    [3, 'series'],
    [2, 'targets'],
    [4, 'copies'],
  ]);
  const ofTarget = new Map<string, string>();
  const domainOf = ({ labels }: Series): string => {
    if (spread !== 'targets') return random.pick(domains);
    const target = JSON.stringify([labels['job'], labels['instance']]);
    const known = ofTarget.get(target) ?? random.pick(domains);
    ofTarget.set(target, known);
    return known;
  };
  const series = whole.series.map((one) => ({ ...one, domain: domainOf(one) }));
  const { metrics } = whole;
  if (spread !== 'copies') return datasetOf(series, metrics, domains);
  // The same samples in two domains tie; different ones are what two machines of one name give.
  const same = random.subset(series, 0.1);
  const copies = [...random.subset(other().series, 0.45), ...same].map((one) => ({
    ...one,
    domain: random.pick(domains),
  }));
  const keyOf = (one: Series): string =>
    JSON.stringify(Object.entries(federatedLabels(one)).sort(([a], [b]) => (a < b ? -1 : 1)));
  const distinct = new Map([...copies, ...series].map((one) => [keyOf(one), one]));
  return datasetOf([...distinct.values()], metrics, domains);
}
