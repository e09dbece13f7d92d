import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Border } from '../../src/border/border.ts';
import type { DomainData } from '../../src/border/domain-data.ts';
import { releaseQuery } from '../../src/border/release.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { decodeQueryAnswer } from '../../src/plan/frames/query-codec.ts';
import { parsePolicy } from '../../src/policy/document.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { openQueries, type Queries } from '../../src/shard/queries.ts';
import { withDomainLabel } from '../../src/model/labels.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { findOracle, startOracle, type Oracle } from '../oracle/oracle.ts';
import { remoteWrite } from '../oracle/remote-write.ts';
import { answerIn, ASKED, recordsInMemory } from '../border/records.ts';
import { ASKED_BESIDE } from '../plan/beside.ts';
import { memoryShards } from '../shard/memory-shards.ts';
import { fragmentOf } from './fragments.ts';
import { minutely, openTestUpstream } from './harness.ts';

const POLICY = `version: 1
domain: eu
labels: {permit: [service]}
metrics:
  - {match: 'up', class: open}
  - {match: 'requests_total', class: aggregate}
  - {match: 'payroll*', class: sealed}
  - {match: 'small_total', class: aggregate, min_series: 2, operators: [sum, avg, min, stddev, quantile]}
default_class: aggregate
`;

const SERIES: readonly SeriesColumns[] = [
  minutely({ __name__: 'up', job: 'a', service: 's' }, [1, 1]),
  minutely({ __name__: 'up', job: 'b', instance: 'i' }, [1, 1]),
  minutely({ __name__: 'requests_total', service: 's', customer: '4711' }, [1, 2]),
  minutely({ __name__: 'payroll_total', service: 's' }, [1, 2]),
  minutely({ __name__: 'other', service: 's', domain: 'own' }, [1, 2]),
  minutely({ __name__: 'small_total', service: 's', customer: '1' }, [1, 2]),
  minutely({ __name__: 'small_total', service: 's', customer: '2' }, [1, 2]),
  minutely({ __name__: 'small_total', service: 't', customer: '3' }, [1, 2]),
];

const oracle = await findOracle();

/** What the border says to a fragment over this data: its refusal, or the labels of what it lets out. */
async function said(data: DomainData, text: string, answer: 'vector' | 'partial'): Promise<unknown> {
  const policy = parsePolicy(POLICY, 'policy', 'eu', 'domain');
  const status = {
    domain: 'eu',
    policyDigest: policy.digest,
    expectedStreams: 0,
    observedStreams: 0,
    settledUntilMs: 0,
    rawBytesHeld: 0,
    releasedBytes: 0,
    heldFromMs: 0,
    gaps: [],
    bundleDigest: '',
    bundleVersion: 0,
    policyState: 'in force' as const,
  };
  const border: Border = {
    policy: () => policy,
    recorder: recordsInMemory(),
    data,
    status: () => status,
    coverage: async ({ grid }) => [{ steps: grid.steps, observed: 0, expected: 0 }],
    late: () => undefined,
  };
  const fragments = [fragmentOf(text, answer)];
  const query = { lookbackMs: 300_000, timeLeftMs: 20_000, features: NO_FEATURES, fragments, ...ASKED_BESIDE };
  const bytes = answerIn(await releaseQuery(query, ASKED, border, new AbortController().signal));
  const [got] = decodeQueryAnswer(bytes, query).fragments;
  return 'refusal' in got! ? got.refusal : got!.rows.map(({ labels }) => labels.join(' ')).sort();
}

describe.skipIf(oracle === undefined)('the policy over a server', () => {
  let server: Oracle;
  let upstream: Upstream;
  let embedded: Queries;
  beforeAll(async () => {
    server = await startOracle();
    await remoteWrite(server, SERIES);
    upstream = openTestUpstream({ url: server.url }, POLICY);
    const seen = SERIES.map((one) => ({ ...one, labels: withDomainLabel(one.labels, 'domain', 'eu') }));
    const layers = [{ layer: 'local' as const, source: 'test', text: POLICY }];
    embedded = openQueries(memoryShards(seen, 1, { policies: [{ layers, domain: 'eu', domainLabel: 'domain' }] }));
  }, 60_000);
  afterAll(async () => {
    await embedded.close();
    await upstream.close();
    await server.close();
  });

  test.for([
    ['up{service="s"}', 'vector', undefined],
    ['up', 'vector', 'label_not_permitted'],
    ['requests_total', 'vector', 'class_aggregate'],
    ['sum(requests_total)', 'partial', undefined],
    ['sum by (service) (rate(requests_total[5m]))', 'partial', undefined],
    ['sum by (customer) (requests_total)', 'partial', 'label_not_permitted'],
    ['sum without (service) (requests_total)', 'partial', 'label_not_permitted'],
    ['sum without (customer) (requests_total)', 'partial', undefined],
    ['sum(requests_total{customer="4711"})', 'partial', 'matcher_not_permitted'],
    ['sum(payroll_total)', 'partial', 'class_sealed'],
    ['count({service="s"})', 'partial', 'class_sealed'],
    ['count({__name__=~"payroll.*"})', 'partial', 'class_sealed'],
    ['sum by (domain) (topk by (domain) (1, requests_total))', 'vector', 'operator_not_permitted'],
    ['count_values by (domain) ("v", requests_total)', 'vector', 'operator_not_permitted'],
    ['sum without (service) (other)', 'partial', 'label_not_permitted'],
    ['sum by (exported_domain) (other)', 'partial', 'label_not_permitted'],
    ['sum(label_replace(requests_total, "customer", "", "", ""))', 'partial', 'label_not_permitted'],
    ['label_replace(up, "job", "one", "", "")', 'vector', 'label_not_permitted'],
  ] as const)('%s as a %s: %s', async ([text, answer, code]) => {
    const over = await said(upstream, text, answer);
    expect(over).toEqual(await said(embedded, text, answer));
    expect((over as { readonly code?: string }).code).toBe(code);
  });

  test.for([
    ['sum by (service) (small_total)', 'partial', ['service s']],
    ['avg by (service) (small_total)', 'partial', ['service s']],
    ['stddev by (service) (rate(small_total[5m]))', 'partial', ['service s']],
    ['min by (service) (small_total)', 'partial', ['service s']],
    ['sum without (customer) (small_total)', 'partial', ['domain eu service s']],
    ['sum by (domain, service) (small_total)', 'vector', ['domain eu service s']],
    ['max(sum by (service) (small_total))', 'partial', ['']],
    ['sum(small_total{service="t"})', 'partial', []],
    ['sum by (service, le) (small_total > 5)', 'partial', []],
  ] as const)('small groups stay: %s as a %s', async ([text, answer, want]) => {
    expect(await said(upstream, text, answer)).toEqual(want);
    expect(await said(embedded, text, answer)).toEqual(want);
  });

  test('a server that is away is said to be', async () => {
    const gone = openTestUpstream({ url: 'http://127.0.0.1:1' }, POLICY);
    try {
      expect(await said(gone, 'sum(requests_total)', 'partial')).toMatchObject({
        code: 'source_unavailable',
        name: '',
      });
    } finally {
      await gone.close();
    }
  });
});
