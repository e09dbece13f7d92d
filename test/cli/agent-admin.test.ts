import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent as HttpAgent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminSocket } from '../../src/agent/admin.ts';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { readAgentConfig } from '../../src/agent/config.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { writeShardCount } from '../../src/shard/open-shards.ts';
import { openStore } from '../../src/store/store.ts';
import { store } from '../system/federation.ts';

let dir: string;
let config: string;
let agent: Agent;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'comity-admin-'));
  config = join(dir, 'agent.yaml');
  mkdirSync(join(dir, 'store'));
  writeShardCount(join(dir, 'store'), 2);
  writeFileSync(join(dir, 'policy.yaml'), '{version: 1, domain: eu, labels: {permit: []}}');
  const free = '127.0.0.1:0';
  writeFileSync(
    config,
    JSON.stringify({
      domain: 'eu',
      jurisdiction: 'EU',
      listen: { otlp: free, otlp_grpc: 'off', federation: free },
      store: 'store',
      shards: 2,
      policy: 'policy.yaml',
      token: 'a-token-that-is-long-enough',
    }),
  );
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Runs `comity agent …`; standard output, or standard error where it fails. */
function run(...args: string[]): Promise<{ readonly code: number; readonly text: string }> {
  return new Promise((resolve) => {
    const argv = ['src/cli/main.ts', 'agent', ...args, '--config', config];
    execFile(process.execPath, argv, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), text: (error === null ? stdout : stderr).trim() });
    });
  });
}

async function ask(method: 'GET' | 'POST', path: string, body?: string): Promise<{ status: number; body: unknown }> {
  const dispatcher = new HttpAgent({ connect: { socketPath: adminSocket(join(dir, 'store')) } });
  const headers = { 'content-type': 'application/json' };
  const options = { method, dispatcher, ...(body === undefined ? {} : { headers, body }) };
  const response = await request(`http://agent${path}`, options);
  const answer = { status: response.statusCode, body: await response.body.json() };
  await dispatcher.close();
  return answer;
}

test('without an agent the commands say so', async () => {
  expect(await run('compact')).toEqual({
    code: 1,
    text: expect.stringMatching(/^comity: no agent is running on the store at .*store$/),
  });
});

test('series are deleted, compacted away and backed up while the agent serves', { timeout: 60_000 }, async () => {
  agent = await startAgent({ ...readAgentConfig(config), shards: 0 });
  try {
    const batch = batchBuilder();
    const now = Date.now();
    for (let i = 0; i < 20; i++) batch.add(labelsOf({ __name__: i < 5 ? 'gone' : 'stays', i: `${i}` }), now, 1);
    await store(agent, batch.build());
    expect(statSync(adminSocket(join(dir, 'store'))).mode & 0o777).toBe(0o600);

    expect(await run('deletions')).toEqual({ code: 0, text: '(none)' });
    expect(await run('delete', 'gone{i!="0"}')).toEqual({ code: 0, text: '4 series: their samples are hidden' });
    expect(await run('delete', 'stays', '--end', '10', '--json')).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^\{"series":0,"deletions":\[/),
    });
    const list = await run('deletions');
    expect(list.text).toMatch(/^ID +SERIES +FROM +TO +STATE\n/);
    expect(list.text).toMatch(/ any +1970-01-01T00:00:10.000Z +hidden$/);
    expect((await run('compact')).text).toMatch(/ samples erased; .* before, .* now$/);
    expect((await run('deletions')).text).toMatch(/ erased/);
    expect(await ask('GET', '/stats')).toMatchObject({ body: { data: { series: 16, samples: 16, shards: [{}, {}] } } });

    const copy = join(dir, 'copy');
    expect(await run('backup', copy)).toMatchObject({ code: 0, text: expect.stringContaining(`${copy}: `) });
    expect(await run('backup', copy)).toMatchObject({
      code: 1,
      text: expect.stringContaining('there is something already'),
    });
    expect(readdirSync(copy).sort()).toEqual(['shard-0', 'shard-1', 'shards']);
    const samples = [0, 1].map((shard) => {
      const copied = openStore({ path: join(copy, `shard-${shard}`) });
      const stats = copied.stats();
      copied.close();
      return stats.samples;
    });
    expect(samples[0]! + samples[1]!).toBe(16);
  } finally {
    await agent.close();
  }
  expect(readdirSync(join(dir, 'store'))).not.toContain('admin.sock');
});

test.each([
  ['/delete', '{}', /match/],
  ['/delete', '{"match": []}', /match/],
  ['/delete', '{"match": ["up"], "from": 1}', /from/],
  ['/delete', '{"match": ["rate(up[5m])"]}', /no series selector/],
  ['/delete', '{"match": ["{}"]}', /match/],
  ['/delete', '{"match": ["up"], "start": 10, "end": 9}', /before the start/],
  ['/delete', '{"match": ["up"], "start": "yesterday"}', /yesterday/],
  ['/delete', '{', /JSON/],
  ['/backup', '{"to": "relative"}', /no absolute path/],
  ['/backup', '{"to": "/proc/none/none"}', /cannot make the folder/],
])('what is asked wrongly is refused with the reason: POST %s %s', async (path, body, reason) => {
  agent = await startAgent({ ...readAgentConfig(config), shards: 0 });
  try {
    const answer = await ask('POST', path, body);
    expect(answer).toMatchObject({ status: 400, body: { status: 'error', error: expect.stringMatching(reason) } });
  } finally {
    await agent.close();
  }
});
