import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { readAgentConfig } from '../../src/agent/config.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { store } from '../system/federation.ts';

let dir: string;
let agent: Agent;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'comity-local-'));
  writeFileSync(join(dir, 'policy.yaml'), '{version: 1, domain: eu, labels: {permit: []}}');
  const free = '127.0.0.1:0';
  const config = {
    domain: 'eu',
    jurisdiction: 'EU',
    listen: { otlp: free, otlp_grpc: 'off', federation: free, query: free },
    store: 'store',
    shards: 0,
    policy: 'policy.yaml',
    token: 'a-token-that-is-long-enough',
    features: ['promql-experimental-functions'],
    query: { lookback: '1m' },
  };
  writeFileSync(join(dir, 'agent.yaml'), JSON.stringify(config));
  agent = await startAgent(readAgentConfig(join(dir, 'agent.yaml')));
});

afterAll(async () => {
  await agent?.close();
  rmSync(dir, { recursive: true, force: true });
});

it('people of the domain read raw samples as the configuration says, and a file tells who has read what', async () => {
  const nowMs = Date.now();
  const batch = batchBuilder();
  batch.add(labelsOf({ __name__: 'm', secret: 'it-must-not-be-in-the-log' }), nowMs - 30_000, 5);
  batch.add(labelsOf({ __name__: 'older' }), nowMs - 90_000, 5);
  await store(agent, batch.build());

  const ask = async (query: string): Promise<unknown> => {
    const response = await fetch(`${agent.queryUrl}/api/v1/query?${new URLSearchParams({ query }).toString()}`);
    return ((await response.json()) as { data: { result: unknown } }).data.result;
  };
  expect(await ask('limitk(1, m)')).toHaveLength(1);
  expect(await ask('older')).toEqual([]);
  expect((await fetch(`${agent.federationUrl}/api/v1/query?query=m`)).status).not.toBe(200);

  const log = readFileSync(join(dir, 'store.audit.jsonl'), 'utf8');
  const entries = log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(entries).toMatchObject([
    { path: '/api/v1/query', query: 'limitk(1, m)', status: 200, series: 1, samples: 1, remote: '127.0.0.1' },
    { path: '/api/v1/query', query: 'older', status: 200 },
  ]);
  expect(log).not.toContain('it-must-not-be-in-the-log');
});
