import { afterAll, describe, expect, it } from 'vitest';
import { labelsRecord } from '../../src/model/labels.ts';
import type { LabelsQuery } from '../../src/plan/frames/labels-codec.ts';
import type { Refusal } from '../../src/plan/frames/refusal-codec.ts';
import type { QueryShard } from '../../src/shard/queries.ts';
import { series } from '../memory-source.ts';
import { memoryShards, overPort } from '../shard/memory-shards.ts';
import { hubFragments, readingBy, testDomain } from './domain.ts';

/** Values and label values that no policy lets out; no answer may hold them, in any encoding of ours. */
const CANARY = 'canary-4711';
const CANARY_NUMBER = 47_110_815.5;

const POLICY = `
version: 1
domain: eu
labels: {permit: [service]}
metrics:
  - {match: up, class: open}
  - {match: queue_depth, class: open}
  - {match: secret_*, class: sealed}
`;

const at = (value: number): [number, number][] => [[30_000, value]];
const HELD = [
  series({ __name__: 'up', job: 'a', service: 's', domain: 'eu' }, at(1)),
  series({ __name__: 'queue_depth', job: 'a', customer: CANARY, domain: 'eu' }, at(3)),
  series({ __name__: 'requests_total', job: 'a', service: 's', customer: CANARY, domain: 'eu' }, at(5)),
  series({ __name__: 'requests_total', job: 'a', service: 't', customer: 'other', domain: 'eu' }, at(6)),
  series({ __name__: 'secret_revenue', job: 'a', domain: 'eu' }, at(CANARY_NUMBER)),
];
const OPTIONS = readingBy(POLICY);

/** The rules are the same wherever the samples are: in this thread, behind a port, spread, spread behind a query worker. */
describe.each<[string, () => readonly QueryShard[]]>([
  ['one shard', () => memoryShards(HELD, 1, OPTIONS)],
  ['one shard at a port', () => memoryShards(HELD, 1, OPTIONS).map(overPort)],
  ['three shards', () => memoryShards(HELD, 3, OPTIONS)],
  ['three shards at ports', () => memoryShards(HELD, 3, OPTIONS).map(overPort)],
])('over %s', (_, shards) => {
  const domain = testDomain(POLICY, shards);
  afterAll(() => domain.close());

  async function ask(text: string) {
    const { bytes, fragments } = await domain.ask(hubFragments(text));
    return { bytes, answer: fragments[0]! };
  }

  describe('what leaves', () => {
    it.each<[string, Record<string, string>[]]>([
      ['sum by (service) (requests_total)', [{ service: 's' }, { service: 't' }]],
      ['sum(requests_total)', [{}]],
      ['up', [{ __name__: 'up', job: 'a', service: 's', domain: 'eu' }]],
      [
        'sum without (customer) (requests_total)',
        [
          { domain: 'eu', job: 'a', service: 's' },
          { domain: 'eu', job: 'a', service: 't' },
        ],
      ],
      ['sum by (domain) (requests_total) / count by (domain) (requests_total)', [{ domain: 'eu' }]],
      ['sum(no_such_metric)', []],
      ['sum by (service) (label_replace(requests_total, "service", "$1", "job", "(.*)"))', [{ service: 'a' }]],
      ['max by (service) (avg_over_time(requests_total[5m:1m]))', [{ service: 's' }, { service: 't' }]],
      ['max(count without (customer) (requests_total))', [{}]],
    ])('%s', async (text, want) => {
      const { answer, bytes } = await ask(text);
      expect('rows' in answer ? answer.rows.map(({ labels }) => labelsRecord(labels)) : answer).toEqual(want);
      expect(bytes.includes(CANARY)).toBe(false);
    });
  });

  describe('what is refused, by code and name', () => {
    it.each<[string, Refusal]>([
      ['requests_total', { code: 'class_aggregate', name: 'requests_total' }],
      ['rate(requests_total[5m])', { code: 'class_aggregate', name: 'requests_total' }],
      ['sum(up) + requests_total', { code: 'class_aggregate', name: 'requests_total' }],
      ['sum by (customer) (requests_total)', { code: 'label_not_permitted', name: 'customer' }],
      [
        'sum by (domain) (max by (customer, domain) (requests_total))',
        { code: 'label_not_permitted', name: 'customer' },
      ],
      ['sum without (service) (requests_total)', { code: 'label_not_permitted', name: 'customer' }],
      ['queue_depth', { code: 'label_not_permitted', name: 'customer' }],
      [
        'sum(requests_total * on (customer, domain) group_left () queue_depth)',
        { code: 'label_not_permitted', name: 'customer' },
      ],
      [
        'sum(requests_total * on (job, domain) group_left (customer) queue_depth)',
        { code: 'label_not_permitted', name: 'customer' },
      ],
      [`sum(requests_total{customer="${CANARY}"})`, { code: 'matcher_not_permitted', name: 'customer' }],
      ['sum(requests_total{customer=~"c.*"})', { code: 'matcher_not_permitted', name: 'customer' }],
      ['count(requests_total{customer!=""})', { code: 'matcher_not_permitted', name: 'customer' }],
      ['secret_revenue', { code: 'class_sealed', name: 'secret_revenue' }],
      ['sum(secret_revenue)', { code: 'class_sealed', name: 'secret_revenue' }],
      ['max({job="a"})', { code: 'class_sealed', name: '' }],
      ['max({__name__=~"secret_.+"})', { code: 'class_sealed', name: '' }],
      ['{__name__=~"requests_.+"}', { code: 'class_aggregate', name: '' }],
      ['{__name__=~"requests_total|up"}', { code: 'class_aggregate', name: 'requests_total' }],
      ['count(count without (service) (requests_total))', { code: 'label_not_permitted', name: 'customer' }],
      [
        'max(sum by (job) (count without (service) (requests_total)))',
        { code: 'label_not_permitted', name: 'customer' },
      ],
      // Under another name the value would leave.
      [
        'sum by (service) (label_replace(requests_total, "service", "$1", "customer", "(.*)"))',
        { code: 'label_not_permitted', name: 'customer' },
      ],
      [
        'sum by (service) (label_join(requests_total, "service", "-", "job", "customer"))',
        { code: 'label_not_permitted', name: 'customer' },
      ],
      [
        'sum by (job) (label_replace(requests_total, "customer", "x", "job", ".*"))',
        { code: 'label_not_permitted', name: 'customer' },
      ],
      ['max_over_time(requests_total[5m:1m])', { code: 'class_aggregate', name: 'requests_total' }],
      ['stddev by (customer) (requests_total)', { code: 'label_not_permitted', name: 'customer' }],
      // Without on () a match compares every label that the series carry.
      ['sum(requests_total * requests_total)', { code: 'label_not_permitted', name: 'customer' }],
      [
        'count by (service) (requests_total and ignoring (service) queue_depth)',
        { code: 'label_not_permitted', name: 'customer' },
      ],
    ])('%s', async (text, refusal) => {
      // Sums of several fragments: the one that is refused is the one that matters.
      const { bytes, fragments } = await domain.ask(hubFragments(text));
      const refused = fragments.filter((fragment) => 'refusal' in fragment);
      expect(refused).toMatchObject([{ refusal }]);
      expect(bytes.includes(CANARY)).toBe(false);
      expect(bytes.includes(Buffer.from(Float64Array.of(CANARY_NUMBER).buffer))).toBe(false);
    });

    it('a sealed metric is refused by its name, whether it is there or not', async () => {
      for (const [there, absent] of [
        ['count({__name__=~"secret_r.*"})', 'count({__name__=~"secret_x.*"})'],
        ['count({__name__=~"sec.+", job="a"})', 'count({__name__=~"sec.+", job="b"})'],
        ['count({job="a"})', 'count({job="b"})'],
        ['sum(secret_revenue)', 'sum(secret_nothing)'],
      ] as const) {
        const answers = [(await ask(there)).answer, (await ask(absent)).answer];
        for (const answer of answers) expect(answer).toMatchObject({ refusal: { code: 'class_sealed' } });
      }
      expect((await ask('count({__name__=~"req.+"})')).answer).toHaveProperty('rows');
      expect((await ask('count(requests_total * ignoring (customer) requests_total)')).answer).not.toMatchObject({
        refusal: { code: 'label_not_permitted' },
      });
    });

    it('an error of evaluation leaves without its words, which hold label values', async () => {
      const { answer, bytes } = await ask('sum(requests_total * on (job, domain) requests_total)');
      expect(answer).toEqual({ refusal: { code: 'execution', name: '' } });
      expect(bytes.includes(CANARY)).toBe(false);
    });
  });

  describe('labels', () => {
    const question = { selectors: [], fromMs: 0, toMs: 60_000, limit: 0 };
    const labels = (name: string, selectors: LabelsQuery['selectors'] = []) =>
      domain.labels({ ...question, name, selectors });

    it('names and values are the permitted ones of metrics that are not sealed', async () => {
      expect(await labels('')).toEqual({ values: ['__name__', 'domain', 'job', 'service'] });
      expect(await labels('service')).toEqual({ values: ['s', 't'] });
      expect(await labels('__name__')).toEqual({ values: ['queue_depth', 'requests_total', 'up'] });
    });

    it('refuses the values of other labels and selectors on them', async () => {
      expect(await labels('customer')).toEqual({ refusal: { code: 'label_not_permitted', name: 'customer' } });
      expect(await labels('service', [[{ name: 'customer', op: '=~', value: 'c.*' }]])).toEqual({
        refusal: { code: 'matcher_not_permitted', name: 'customer' },
      });
    });
  });
});
