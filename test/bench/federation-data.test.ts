import { expect, test } from 'vitest';
import { INTERVAL_MS } from '../../bench/dataset.ts';
import { splitDatasets } from '../../bench/federation-data.ts';

const START_MS = 1_700_000_000_000;

test('the parts are the whole, which carries the domain and scrapes in step', () => {
  const domains = ['a', 'b', 'c'];
  const split = splitDatasets(
    [
      { seed: 1, series: 700, startMs: START_MS, kinds: ['counter'] },
      { seed: 2, series: 10, startMs: START_MS, kinds: ['classic'] },
    ],
    domains,
  );
  for (let i = 0; i < 3; i++) split.scrape();
  const parts = split.parts.flatMap(({ series }, i) =>
    series.map((one) => ({ ...one.labels, domain: domains[i]!, at: one.timeMs, value: one.value, sum: one.sum })),
  );
  const whole = split.whole.series.map((one) => ({ ...one.labels, at: one.timeMs, value: one.value, sum: one.sum }));
  const sorted = (list: readonly object[]): string[] =>
    list.map((one) => JSON.stringify(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))).sort();
  expect(sorted(parts)).toEqual(sorted(whole));
  expect(whole).toHaveLength(710);
  for (const { at } of whole) expect(at).toBeGreaterThanOrEqual(START_MS + 3 * INTERVAL_MS);
});

test('a pod is in one domain, a service in several', () => {
  const split = splitDatasets([{ seed: 1, series: 10_000, startMs: START_MS, kinds: ['counter'] }], ['a', 'b', 'c']);
  const domainsOf = new Map<string, Set<number>>();
  for (const [i, { series }] of split.parts.entries()) {
    for (const { labels } of series) {
      for (const name of [labels['pod']!, labels['service']!]) {
        domainsOf.set(name, (domainsOf.get(name) ?? new Set()).add(i));
      }
    }
  }
  const sizes = (isService: boolean): Set<number> =>
    new Set([...domainsOf].filter(([name]) => /^service-\d\d$/.test(name) === isService).map(([, { size }]) => size));
  expect(sizes(false)).toEqual(new Set([1]));
  expect(sizes(true)).toEqual(new Set([3]));
});
