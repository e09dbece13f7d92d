import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compress } from 'snappyjs';
import { Agent as HttpAgent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adminSocket } from '../../src/agent/admin.ts';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import type { LateAnswer } from '../../src/coverage/settlement.ts';
import { decodeReleased } from '../../src/plan/frames/receipt-codec.ts';
import { newRequestId } from '../../src/plan/frames/request-id.ts';
import { decodeStatusAnswer, encodeStatusRequest } from '../../src/plan/frames/status-codec.ts';
import { encodeV1, type WriteSeries } from '../wire/remote-write-requests.ts';

const TOKEN = 'token';
const MINUTE = 60_000;

let dir: string;
let agent: Agent | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-late-'));
});

afterEach(async () => {
  await agent?.close();
  agent = undefined;
  rmSync(dir, { recursive: true, force: true });
});

const storePath = (): string => join(dir, 'eu');

async function start(shards: number): Promise<Agent> {
  await agent?.close();
  const policy = join(dir, 'policy.yaml');
  writeFileSync(policy, 'version: 1\ndomain: eu\nlabels: {permit: []}\nmetrics: []\n');
  const listen = { otlp: '127.0.0.1:0', federation: '127.0.0.1:0' };
  agent = await startAgent({
    domain: 'eu',
    jurisdiction: 'DE',
    listen,
    store: storePath(),
    policy,
    token: TOKEN,
    shards,
  });
  return agent;
}

function series(job: string, times: readonly number[], names = ['m']): WriteSeries[] {
  const samples = times.map((timestamp) => ({ value: timestamp % 1000, timestamp }));
  return names.map((name) => ({
    labels: [
      ['__name__', name],
      ['instance', 'i'],
      ['job', job],
    ],
    samples,
  }));
}

async function write(all: readonly WriteSeries[]): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  const body = compress(encodeV1([...all]));
  const reply = await fetch(`${agent!.otlpUrl}/api/v1/write`, { method: 'POST', headers, body: new Uint8Array(body) });
  expect([reply.status, await reply.text()]).toEqual([204, '']);
}

/** As a hub asks: what is told is told. */
async function settledUntilMs(): Promise<number> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/x-protobuf' };
  const id = newRequestId();
  const body = encodeStatusRequest(id);
  const reply = await fetch(`${agent!.federationUrl}/federation/v1/status`, {
    method: 'POST',
    headers,
    body: new Uint8Array(body),
  });
  expect(reply.status).toBe(200);
  const { answer } = decodeReleased(new Uint8Array(await reply.arrayBuffer()));
  return decodeStatusAnswer(answer, { id }).status.settledUntilMs;
}

async function admin<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
  const dispatcher = new HttpAgent({ connect: { socketPath: adminSocket(storePath()) } });
  const headers = { 'content-type': 'application/json' };
  const reply = await request(`http://agent${path}`, {
    method,
    dispatcher,
    ...(body === undefined ? {} : { headers, body: JSON.stringify(body) }),
  });
  const { data } = (await reply.body.json()) as { data: T };
  await dispatcher.close();
  return data;
}

const late = (since: number): Promise<LateAnswer> => admin('GET', `/late?since=${since}`);

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${agent!.otlpUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

describe.each([0, 2])('an agent with shards: %d', (shards) => {
  test('a sender that lags makes late intervals, one that is on time makes none', async () => {
    await start(shards);
    const now = Date.now();
    for (let i = 4; i >= 0; i--) await write(series('prompt', [now - i * 5_000]));
    expect(await settledUntilMs()).toBe(now);
    expect(await metric('comity_agent_settled_until_seconds')).toBe(now / 1000);
    for (let i = 1; i <= 5; i++) await write(series('prompt', [now + i]));
    expect(await late(0)).toMatchObject({ sequence: 0, everything: false, intervals: [] });

    // A backlog of twenty minutes, the oldest first, over several series and so over all shards.
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const backlog = Array.from({ length: 20 }, (_, i) => now - (20 - i) * MINUTE - 10_000);
    for (const timeMs of backlog.slice(0, 10)) await write(series('laggard', [timeMs, timeMs + 5_000], names));
    const first = await late(0);
    expect(first.everything).toBe(false);
    for (const timeMs of backlog.slice(0, 10)) expect(covers(first, timeMs)).toBe(true);
    expect(covers(first, backlog[12]!)).toBe(false);
    expect(await metric('comity_agent_late_intervals_total')).toBeGreaterThanOrEqual(10);

    // What was told stays told, and moves on at the settle limit behind now at the latest.
    expect(await settledUntilMs()).toBe(now);
    for (const timeMs of backlog.slice(10)) await write(series('laggard', [timeMs], names));
    const second = await late(first.sequence);
    for (const timeMs of backlog.slice(10)) expect(covers(second, timeMs)).toBe(true);
    expect(covers(second, backlog[3]!)).toBe(false);
    expect((await late(second.sequence)).intervals).toEqual([]);
  });

  test('what was late outlives the process, and so does what was told', async () => {
    await start(shards);
    const now = Date.now();
    await write(series('prompt', [now]));
    await settledUntilMs();
    await write(series('laggard', [now - 5 * MINUTE]));
    const before = await late(0);
    expect(before.intervals).toHaveLength(1);
    await start(shards);
    expect(await late(0)).toEqual(before);
    // It lags still, and whoever was told of a watermark before the restart has to hear of it.
    await write(series('laggard', [now - 3 * MINUTE]));
    expect(covers(await late(before.sequence), now - 3 * MINUTE)).toBe(true);
    expect(await admin('GET', `/late?since=0&epoch=another`)).toMatchObject({ everything: true, intervals: [] });
  });

  test('a deletion changes what was settled; one that finds nothing does not', async () => {
    await start(shards);
    const now = Date.now();
    await write(series('prompt', [now - MINUTE, now]));
    await settledUntilMs();
    const seconds = { start: now / 1000 - 90, end: now / 1000 - 30 };
    await admin('POST', '/delete', { match: ['nothing'], ...seconds });
    expect((await late(0)).intervals).toEqual([]);
    await admin('POST', '/delete', { match: ['m'], ...seconds });
    const deleted = await late(0);
    expect([now - 90_000, now - 30_000].map((timeMs) => covers(deleted, timeMs))).toEqual([true, true]);
    await admin('POST', '/delete', { match: ['m'] });
    const all = await late(deleted.sequence);
    expect([0, now, now + 1e12].map((timeMs) => covers(all, timeMs))).toEqual([true, true, true]);
    // Once that was told, it is not told again with every late sample.
    await write(series('laggard', [now - 2 * MINUTE]));
    const after = await late(all.sequence);
    expect([now - 2 * MINUTE, now - 20 * MINUTE].map((timeMs) => covers(after, timeMs))).toEqual([true, false]);
  });
});

function covers({ intervals }: LateAnswer, timeMs: number): boolean {
  return intervals.some(({ fromMs, toMs }) => fromMs <= timeMs && timeMs <= toMs);
}
