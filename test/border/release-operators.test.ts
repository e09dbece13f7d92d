import { afterAll, describe, expect, it } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import type { Border } from '../../src/border/border.ts';
import { releaseQuery } from '../../src/border/release.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { decodeQueryAnswer } from '../../src/plan/frames/query-codec.ts';
import { ALL_FEATURES, NO_FEATURES, type PromqlFeatures } from '../../src/promql/features.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { ASKED_BESIDE } from '../plan/beside.ts';
import { memoryShards, overPort } from '../shard/memory-shards.ts';
import { CANARY, HELD, POLICY } from './canaries.ts';
import { anyFragment, borderOver, readingBy, testDomain, type Answered } from './domain.ts';
import { answerIn, ASKED } from './records.ts';

const shown = ({ fragments }: Answered): unknown => {
  const [answer] = fragments;
  return 'rows' in answer! ? answer.rows.map(({ labels }) => labelsRecord(labels)) : answer;
};

describe.each([
  ['one shard', () => memoryShards(HELD, 1, readingBy(POLICY))],
  ['three shards at ports', () => memoryShards(HELD, 3, readingBy(POLICY)).map(overPort)],
])('over %s', (_, shards) => {
  const domain = testDomain(POLICY, shards);
  afterAll(() => domain.close());

  describe('rows of the newer operators leave, or are stopped by their labels', () => {
    it.each<[string, unknown]>([
      ['topk(2, top)', [{ __name__: 'top', job: 'a', service: 's3', domain: 'eu' }, { service: 's2' }]],
      ['partial sum(limitk(3, top))', [{}]],
      ['sketch 0.01 quantile by (job) (0.5, top)', [{ job: 'a' }]],
      ['count_values("service", top)', [{ service: '1' }, { service: '2' }, { service: '3' }]],
      ['count_values("v", top)', { refusal: { code: 'label_not_permitted', name: 'v', node: 0 } }],
      ['topk(1, open_more)', { refusal: { code: 'label_not_permitted', name: 'customer', node: 0 } }],
      ['open_queue', { refusal: { code: 'label_not_permitted', name: 'customer' } }],
      ['timed up', [{ __name__: 'up', job: 'a', service: 's', domain: 'eu' }]],
      ['timed open_queue', { refusal: { code: 'label_not_permitted', name: 'customer' } }],
      ['partial sum by (service) (nh)', [{ service: 's' }, { service: 't' }]],
      ['partial avg(rate(nh[1m]))', []],
      ['partial count(nh)', [{}]],
      ['open_nh', [{ __name__: 'open_nh', job: 'a', service: 's', domain: 'eu' }]],
      ['open_nh_more', { refusal: { code: 'label_not_permitted', name: 'customer' } }],
      ['nh', { refusal: { code: 'class_aggregate', name: 'nh', node: 0 } }],
      ['sum without (job) (nh)', { refusal: { code: 'label_not_permitted', name: 'customer' } }],
      ['histogram_count(sum by (service) (nh))', [{ service: 's' }, { service: 't' }]],
    ])('%s', async (asked, want) => {
      const answered = await domain.ask([anyFragment(asked)], ALL_FEATURES);
      const got = shown(answered);
      if (Array.isArray(want)) {
        expect(got).toHaveLength(want.length);
        expect(got).toEqual(expect.arrayContaining(want.map((labels) => expect.objectContaining(labels))));
      } else expect(got).toEqual(want);
      expect(answered.bytes.includes(CANARY)).toBe(false);
    });

    it('with what they hold', async () => {
      const { fragments } = await domain.ask([
        anyFragment('sketch 0.01 quantile(0.5, top)'),
        anyFragment('partial sum(nh)'),
        anyFragment('open_nh'),
        anyFragment('timed up'),
      ]);
      const [sketch, sum, vector, timed] = fragments.map((answer) => ('rows' in answer ? answer.rows[0]! : undefined));
      expect([...sketch!.columns.sketches!.counts]).toEqual([1, 1, 1]);
      expect(sum!.columns.histograms!.blocks).toHaveLength(1);
      expect(vector!.histograms!.layouts).toHaveLength(1);
      expect(timed!.columns.fields[0]![0]).toBe(45_000);
    });

    it('by the features that the hub asks for', async () => {
      const names = async (features: PromqlFeatures) => {
        const { fragments } = await domain.ask([anyFragment('-up')], features);
        const rows = 'rows' in fragments[0]! ? fragments[0].rows : [];
        return rows.map(({ labels, dropsName }) => [labelsRecord(labels)['__name__'], dropsName === true]);
      };
      expect(await names(NO_FEATURES)).toEqual([[undefined, false]]);
      expect(await names({ ...NO_FEATURES, delayedNameRemoval: true })).toEqual([['up', true]]);
    });
  });
});

describe('rows, whatever those who keep the samples hand out', () => {
  it.each<[Record<string, string>, object]>([
    [{ customer: CANARY }, { code: 'label_not_permitted', name: 'customer' }],
    [{ __name__: 'secret_x' }, { code: 'class_sealed', name: '' }],
  ])('%j', async (labels, refusal) => {
    const [row] = 'rows' in (await asked('partial sum(m)')) ? [labels] : [];
    expect(row).toBe(labels);
    const adds = (data: Border['data']): Border['data'] => ({
      ...data,
      async fragment(question, signal) {
        const answer = await data.fragment(question, signal);
        return { ...answer, rows: answer.rows.map((one) => ({ ...one, labels: Object.entries(labels).flat() })) };
      },
    });
    const { fragments } = await testDomain(POLICY, HELD, adds).ask([anyFragment('partial sum(m)')]);
    expect(fragments).toEqual([{ refusal }]);
  });
});

async function asked(query: string) {
  return (await testDomain(POLICY, HELD).ask([anyFragment(query)])).fragments[0]!;
}

it('a series that is stored between the check and the evaluation is not let out', async () => {
  let looks = 0;
  // The label is there from the second look on.
  const grows = (data: Border['data']): Border['data'] => ({
    ...data,
    async kinds(...question) {
      const found = await data.kinds(...question);
      return looks++ < 2 ? found.map((labels) => labels.slice(0, 2)) : found;
    },
  });
  const { fragments } = await testDomain(POLICY, HELD, grows).ask([anyFragment('partial count(m and m)')]);
  expect(fragments).toMatchObject([{ refusal: { code: 'label_not_permitted' } }]);
  expect(looks).toBeGreaterThan(2);
});

it('a fragment that cannot be read costs only itself', async () => {
  const fragments = [anyFragment('up'), anyFragment('partial sum(m)')];
  const refusal = { code: 'unsupported', name: 'function foo' } as const;
  const border = borderOver(openQueries(memoryShards(HELD, 1, readingBy(POLICY))), POLICY);
  const query = { lookbackMs: 300_000, timeLeftMs: 10_000, features: NO_FEATURES, ...ASKED_BESIDE };
  const released = await releaseQuery(
    { ...query, fragments: [{ answer: 'unread', refusal }, fragments[1]!] },
    ASKED,
    border,
    new AbortController().signal,
  );
  expect(decodeQueryAnswer(answerIn(released), { ...ASKED_BESIDE, fragments }).fragments).toMatchObject([
    { refusal },
    { rows: [{ labels: [] }] },
  ]);
});

it("a source that does not answer is the domain's own trouble", async () => {
  const fails = (data: Border['data']): Border['data'] => ({
    ...data,
    fragment: () => Promise.reject(new ComityError('unavailable', `no answer from ${CANARY}`)),
  });
  const { bytes, fragments } = await testDomain(POLICY, HELD, fails).ask([anyFragment('up')]);
  expect(fragments).toEqual([{ refusal: { code: 'source_unavailable', name: '' } }]);
  expect(bytes.includes(CANARY)).toBe(false);
});
