import { afterAll, beforeAll, expect, it } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { callApi } from './api.ts';
import { startFederation, store, type Federation } from './federation.ts';

const NOW_S = Math.floor(Date.now() / 1000);
const SAMPLES = 20_000;

/** Takes an agent many seconds: long windows, again and again. */
const HEAVY = Array.from({ length: 60 }, (_none, i) => `deriv(slow[${18_000 - i}s])`).join(' + ');
const STEPS = { start: String(NOW_S - 5_000), end: String(NOW_S), step: '1' };

let federation: Federation;

beforeAll(async () => {
  federation = await startFederation({
    domains: ['eu', 'us'],
    policy: (domain) =>
      JSON.stringify({ version: 1, domain, labels: { permit: ['*'] }, metrics: [{ match: '*', class: 'open' }] }),
    // A thread of its own, or the agent would not see that its client has gone.
    shards: () => 1,
  });
  for (const [domain, agent] of federation.agents) {
    const batch = batchBuilder();
    const slow = batch.seriesOf(labelsOf({ __name__: 'slow', domain }));
    for (let i = 0; i < SAMPLES; i++) batch.sample(slow, (NOW_S - SAMPLES + i) * 1_000, Math.sin(i));
    await store(agent, batch.build());
  }
});

afterAll(() => federation.close());

/** Queries of hubs that the agents are working on. */
async function running(): Promise<number> {
  const texts = await Promise.all(
    [...federation.agents.values()].map(async ({ otlpUrl }) => (await callApi(otlpUrl, '/metrics')).text),
  );
  return texts.reduce((sum, text) => sum + Number(/^comity_federation_running (\d+)$/m.exec(text)![1]), 0);
}

async function until(want: (count: number) => boolean): Promise<void> {
  while (!want(await running())) await new Promise((resolve) => setTimeout(resolve, 10));
}

it('a client of the hub that hangs up ends its query in every domain', { timeout: 30_000 }, async () => {
  for (let round = 0; round < 3; round++) {
    const caller = new AbortController();
    let isAnswered = false;
    const gone = callApi(federation.url, '/api/v1/query_range', { query: HEAVY, ...STEPS }, { signal: caller.signal })
      .then(() => (isAnswered = true))
      .catch(() => undefined);
    await until((count) => count === 2);
    expect(isAnswered, 'the query is still under way').toBe(false);
    caller.abort();
    await gone;
    await until((count) => count === 0);
    // The shards are free again as well: they answer one after the other.
    const { body } = await callApi(federation.url, '/api/v1/query', { query: 'count(slow)' });
    expect([body.data.result[0]!.value[1], body.data.coverage.complete]).toEqual(['2', true]);
  }
  const { text } = await callApi(federation.url, '/metrics');
  for (const domain of ['eu', 'us']) {
    expect(text).toContain(
      `comity_hub_domain_requests_total{domain="${domain}",endpoint="query",outcome="canceled"} 3`,
    );
  }
});
