import { afterEach, expect, test } from 'vitest';
import { openCanary, type Canary } from '../../src/agent/canary.ts';
import type { Border } from '../../src/border/border.ts';
import { releaseQuery } from '../../src/border/release.ts';
import { decodeQueryRequest, encodeQueryRequest } from '../../src/plan/frames/query-codec.ts';
import { parsePolicy, type Policy } from '../../src/policy/document.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { openQueries, type Queries } from '../../src/shard/queries.ts';
import { answerIn, ASKED } from '../border/records.ts';
import { anyFragment, borderOver, hubFragments, readingBy } from '../border/domain.ts';
import { series } from '../memory-source.ts';
import { ASKED_BESIDE } from '../plan/beside.ts';
import { memoryShards } from '../shard/memory-shards.ts';

const HEAD = 'version: 1\ndomain: eu\n';
const IN_FORCE = `${HEAD}metrics: [{match: up, class: open}, {match: secret_*, class: sealed}]\n`;
const HELD = [
  series({ __name__: 'up', job: 'a', domain: 'eu' }, [[30_000, 1]]),
  series({ __name__: 'up', job: 'b', shelf: 'x', domain: 'eu' }, [[30_000, 1]]),
  series({ __name__: 'requests_total', job: 'a', domain: 'eu' }, [[30_000, 5]]),
  series({ __name__: 'secret_revenue', job: 'a', domain: 'eu' }, [[30_000, 4711]]),
];
const QUERIES = [
  'up{job="a"}',
  'sum(up)',
  'count(requests_total)',
  'requests_total',
  'sum(secret_revenue)',
  'sum by (shelf) (up)',
];

const open: Queries[] = [];
afterEach(async () => {
  for (const queries of open.splice(0)) await queries.close();
});

function candidateOf(text: string): Policy {
  return parsePolicy(text, 'candidate', 'eu', 'domain');
}

/** Answers all queries with a candidate beside them; the bytes of the answers, and what the candidate decided. */
async function run(candidate: () => Policy | undefined): Promise<{ bytes: Buffer[]; canary: Canary }> {
  const queries = openQueries(memoryShards(HELD, 1, readingBy(IN_FORCE)));
  open.push(queries);
  const plain = borderOver(queries, IN_FORCE);
  const canary = openCanary({ candidate, inForce: plain.policy, kinds: queries.kinds });
  const border: Border = { ...plain, shadow: canary };
  const bytes: Buffer[] = [];
  for (const text of QUERIES) {
    const fragments = hubFragments(text);
    const request = { lookbackMs: 300_000, timeLeftMs: 10_000, features: NO_FEATURES, fragments, ...ASKED_BESIDE };
    const query = decodeQueryRequest(encodeQueryRequest(request));
    bytes.push(Buffer.from(answerIn(await releaseQuery(query, ASKED, border, new AbortController().signal))));
  }
  await canary.settled();
  return { bytes, canary };
}

const told = ({ canary }: { canary: Canary }): string[] =>
  canary.report().decisions.map(({ inForce, candidate, fragments }) => `${fragments} ${inForce} -> ${candidate}`);

test('a candidate is counted where it decides differently, and changes no answer', async () => {
  const without = await run(() => undefined);
  const stricter = candidateOf(`${HEAD}metrics: [{match: up, operators: [sum]}, {match: '*', class: sealed}]\n`);
  const strict = await run(() => stricter);
  const looser = candidateOf(`${HEAD}labels: {permit: ['*']}\ndefault_class: open\n`);
  const loose = await run(() => looser);
  expect(strict.bytes).toEqual(without.bytes);
  expect(loose.bytes).toEqual(without.bytes);
  expect(told(without)).toEqual([]);
  expect(told(strict).sort()).toEqual(
    [
      '1 released -> class_aggregate up',
      '1 released -> class_sealed requests_total',
      '1 released -> released',
      '1 class_aggregate requests_total -> class_sealed requests_total',
      '1 class_sealed secret_revenue -> class_sealed secret_revenue',
      '1 label_not_permitted shelf -> label_not_permitted shelf',
    ].sort(),
  );
  expect(told(loose).sort()).toEqual(
    [
      '3 released -> released',
      '1 class_aggregate requests_total -> released',
      '1 class_sealed secret_revenue -> released',
      '1 label_not_permitted shelf -> released',
    ].sort(),
  );
  // Where they differ comes first.
  expect(told(loose).at(-1)).toBe('3 released -> released');
  expect(loose.canary.totals()).toEqual(
    expect.arrayContaining([
      { inForce: 'released', candidate: 'released', fragments: 3 },
      { inForce: 'refused', candidate: 'released', fragments: 3 },
    ]),
  );
});

test('labels that the rows really carry count for the candidate as well', async () => {
  const plain = candidateOf(`${HEAD}labels: {deny: [service]}\nmetrics: [{match: up, class: open}]\n`);
  const counted = openCanary({ candidate: () => plain, inForce: () => plain, kinds: async () => [] });
  counted.decided(hubFragments('up')[0]!, [{ labels: ['__name__', 'up', 'service', 'a'] as never }], undefined);
  await counted.settled();
  expect(told({ canary: counted })).toEqual(['1 released -> label_not_permitted service']);
});

test('with another candidate counting begins anew', async () => {
  let policy = candidateOf(HEAD);
  const canary = openCanary({ candidate: () => policy, inForce: () => policy, kinds: async () => [] });
  const [fragment] = hubFragments('sum(up)');
  canary.decided(fragment!, [], undefined);
  await canary.settled();
  expect(canary.report()).toMatchObject({ candidate: policy.digest, decisions: [{ fragments: 1 }] });
  policy = candidateOf(`${HEAD}default_class: sealed\n`);
  expect(canary.report().decisions).toEqual([]);
  canary.decided(fragment!, [], undefined);
  await canary.settled();
  expect(told({ canary })).toEqual(['1 released -> class_sealed up']);
});

test('fragments past what may wait are left out, and counted', async () => {
  const policy = candidateOf(HEAD);
  const canary = openCanary({ candidate: () => policy, inForce: () => policy, kinds: async () => [] });
  const [fragment] = hubFragments('sum(up)');
  for (let i = 0; i < 300; i++) canary.decided(fragment!, undefined, { code: 'budget', name: 'bytes_per_day' });
  await canary.settled();
  expect(canary.report()).toMatchObject({ skipped: 44, decisions: [{ fragments: 256 }] });
});

test('kinds of decisions past what is told apart are counted together', async () => {
  const policy = candidateOf(HEAD);
  const canary = openCanary({ candidate: () => policy, inForce: () => policy, kinds: async () => [] });
  const [fragment] = hubFragments('sum(up)');
  for (let i = 0; i < 1_100; i++) {
    canary.decided(fragment!, undefined, { code: 'label_not_permitted', name: `label_${i}` });
    if (i % 200 === 0) await canary.settled();
  }
  await canary.settled();
  const { decisions } = canary.report();
  expect(decisions).toHaveLength(1_001);
  expect(decisions[0]).toEqual({ inForce: 'refused', candidate: 'released (other)', fragments: 100 });
});

test('a store that does not answer leaves a fragment out', async () => {
  const policy = candidateOf(`${HEAD}metrics: [{match: up, operators: [topk]}]\n`);
  const canary = openCanary({
    candidate: () => policy,
    inForce: () => policy,
    kinds: () => Promise.reject(new Error('gone')),
  });
  canary.decided(anyFragment('topk(1, up)'), [], undefined);
  await canary.settled();
  expect(canary.report()).toMatchObject({ skipped: 1, decisions: [] });
});

test('what a candidate asks of small groups counts', async () => {
  const policy =
    candidateOf(`${HEAD}metrics: [{match: up, operators: [sum, count_values], min_series: 5}]\nlabels: {permit: [v]}
`);
  const canary = openCanary({ candidate: () => policy, inForce: () => policy, kinds: async () => [] });
  canary.decided(anyFragment('count_values("v", up)'), [], undefined);
  await canary.settled();
  expect(told({ canary })).toEqual(['1 released -> operator_not_permitted count_values']);
});
