import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { startHub, type Hub } from '../../src/hub/hub.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { callApi, type ApiReply, type QueryData } from './api.ts';
import { store } from './federation.ts';
import { countQueries, type Counter } from './proxies.ts';

const NOW_S = Math.floor(Date.now() / 1000);
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

let dir: string;
let hub: Hub;
const agents: Agent[] = [];
const counters: Counter[] = [];

/** Two agents of one domain, to which its senders deliver both. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'comity-replicas-'));
  const policy = join(dir, 'policy.yaml');
  await writeFile(policy, '{version: 1, domain: eu, labels: {permit: [job]}}');
  const replicas = [];
  for (const name of ['a', 'b']) {
    const token = randomBytes(32).toString('hex');
    const listen = { otlp: '127.0.0.1:0', federation: '127.0.0.1:0' };
    const agent = await startAgent({
      domain: 'eu',
      jurisdiction: 'EU',
      listen,
      store: join(dir, name),
      shards: 0,
      policy,
      token,
    });
    agents.push(agent);
    const batch = batchBuilder();
    const labels = labelsOf({ __name__: 'up', job: 'shop', domain: 'eu' });
    for (let i = 0; i <= 20; i++) batch.add(labels, (NOW_S - 300 + i * 15) * 1000, 1);
    await store(agent, batch.build());
    const counter = await countQueries(agent.federationUrl);
    counters.push(counter);
    replicas.push({ url: counter.url, token });
  }
  hub = await startHub({ listen: '127.0.0.1:0', domains: [{ name: 'eu', jurisdiction: 'EU', replicas }] });
});

afterAll(async () => {
  await hub.close();
  for (const counter of counters) await counter.close();
  for (const agent of agents) await agent.close();
  await rm(dir, { recursive: true, force: true });
});

const ask = (headers: Record<string, string> = {}): Promise<ApiReply<QueryData>> =>
  callApi(hub.url, '/api/v1/query', { query: 'sum(up)', time: String(NOW_S) }, { headers });

const asked = (): number[] => counters.map(({ queries }) => queries.all);

it('replicas are never added up, and the same question goes to the same one', async () => {
  for (let i = 0; i < 5; i++) {
    const { body } = await ask();
    expect(body.data.result[0]!.value[1]).toBe('1');
  }
  expect(asked().toSorted((a, b) => a - b)).toEqual([0, 5]);
});

it('each request carries a span of its own of the caller’s trace, whose id the answer names', async () => {
  for (const { traces } of counters) traces.splice(0);
  const { headers } = await ask({ traceparent: `00-${TRACE}-${SPAN}-01` });
  expect(headers.get('Comity-Trace-Id')).toBe(TRACE);
  const [sent, ...others] = counters.flatMap(({ traces }) => traces);
  expect(others).toEqual([]);
  expect(sent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
  expect(sent).not.toContain(SPAN);

  // One that is none is not passed on.
  const own = await ask({ traceparent: `00-${'0'.repeat(32)}-${SPAN}-01` });
  const id = own.headers.get('Comity-Trace-Id');
  expect(id).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  expect(counters.flatMap(({ traces }) => traces).at(-1)).toContain(id);
  // Errors name theirs as well.
  const failed = await callApi(hub.url, '/api/v1/query', { query: 'sum(' });
  expect([failed.status, failed.headers.get('Comity-Trace-Id')]).toEqual([
    400,
    expect.stringMatching(/^[0-9a-f]{32}$/),
  ]);
});

it('when one dies the other answers, whole and without a word', { timeout: 30_000 }, async () => {
  const dead = asked()[0]! > 0 ? 0 : 1;
  await counters[dead]!.close();
  await agents[dead]!.close();
  const before = asked()[1 - dead]!;
  for (let i = 0; i < 10; i++) {
    const { body } = await ask();
    expect(body.warnings).toBeUndefined();
    expect(body.data.coverage.complete).toBe(true);
    expect(body.data.result[0]!.value[1]).toBe('1');
  }
  expect(asked()[1 - dead]! - before).toBe(10);
  const { text } = await callApi(hub.url, '/metrics');
  // Then its breaker is open, or its heartbeat has failed: it is not tried first any more.
  const [, retries = '0'] = /^comity_hub_domain_retries_total\{domain="eu"\} (\d+)$/m.exec(text) ?? [];
  expect(Number(retries)).toBeLessThanOrEqual(5);
  expect(text).toMatch(/^comity_hub_domain_requests_total\{domain="eu",endpoint="query",outcome="ok"\} 17$/m);
});
