import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { pino, type Logger } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { openDatabase } from '../../src/base/sqlite.ts';
import { openCoverageDb } from '../../src/coverage/coverage-db.ts';
import { shardFolder } from '../../src/shard/open-shards.ts';
import { openStore } from '../../src/store/store.ts';
import { metricsRequest, nanos, text } from '../wire/otlp-requests.ts';

let dir: string;
let lines: Record<string, unknown>[];
let log: Logger;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-agent-'));
  lines = [];
  log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function start(shards = 0): Promise<Agent> {
  const policy = join(dir, 'policy.yaml');
  writeFileSync(policy, 'version: 1\ndomain: eu\nlabels: {permit: []}\nmetrics: []\n');
  const listen = { otlp: '127.0.0.1:0', federation: '127.0.0.1:0' };
  const store = join(dir, 'eu');
  return startAgent({ domain: 'eu', jurisdiction: 'DE', listen, store, policy, token: 'token', shards }, log);
}

async function send(agent: Agent): Promise<number> {
  const point = { timeUnixNano: nanos(Date.now()), asInt: 5 };
  const request = metricsRequest([text('service.name', 's')], [{ name: 'g', gauge: { dataPoints: [point] } }]);
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(`${agent.otlpUrl}/v1/metrics`, { method: 'POST', headers, body: JSON.stringify(request) });
  await reply.text();
  return reply.status;
}

test('says in its log where it is', async () => {
  const agent = await start();
  await agent.close();
  expect(lines.find((line) => line['msg'] === 'agent ready')).toMatchObject({ domain: 'eu', jurisdiction: 'DE' });
});

test('a locked database of streams fails no request and keeps no step of the shutdown from running', async () => {
  const agent = await start();
  const streamsPath = join(dir, 'eu.coverage.sqlite');
  const lock = openDatabase(streamsPath, { durability: 'process', kind: 'CMTS', migrations: ['', '', ''] });
  lock.exec('BEGIN IMMEDIATE');
  expect(await send(agent)).toBe(200);
  expect(lines.map((line) => line['msg'])).toContain('streams could not be written down, the next try is later');
  lock.exec('ROLLBACK');
  lock.close();
  expect(agent.shards.stats().samples).toBe(1);
  await agent.close();
  const coverage = openCoverageDb(streamsPath, 'process');
  expect(coverage.streams.load()).toMatchObject([{ signal: 'metrics', job: 's' }]);
  coverage.close();
});

test('a step of the shutdown that fails is logged and the others run', async () => {
  const agent = await start();
  const store = agent.shards.stores[0]!;
  const close = store.close;
  store.close = () => {
    close();
    throw new Error('no end');
  };
  await agent.close();
  expect(lines.filter((line) => line['msg'] === 'a step of the shutdown failed')).toHaveLength(1);
  // Both listeners and both databases are free again.
  await expect(fetch(agent.otlpUrl)).rejects.toThrow();
  await expect(fetch(agent.federationUrl)).rejects.toThrow();
  openStore({ path: join(dir, 'eu', shardFolder(0)) }).close();
});

test('senders that stop half-way keep neither others nor the end waiting', async () => {
  const agent = await start();
  const { hostname, port } = new URL(agent.otlpUrl);
  const sockets: Socket[] = [];
  const open = async (sent: string): Promise<void> => {
    const socket = connect(Number(port), hostname).on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(sent);
  };
  const headers = 'POST /v1/metrics HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 999\r\n';
  for (let i = 0; i < 100; i++) await open(`${headers}\r\n{`);
  await open(headers);
  await open('');
  expect(await send(agent)).toBe(200);
  const before = Date.now();
  await agent.close();
  expect(Date.now() - before).toBeLessThan(5_000);
  for (const socket of sockets) socket.destroy();
});

test('an agent that loses a thread of its store says so and takes nothing more', { timeout: 30_000 }, async () => {
  const workers: Worker[] = [];
  const note = (worker: Worker): void => void workers.push(worker);
  process.on('worker', note);
  const agent = await start(1);
  process.off('worker', note);
  expect(await send(agent)).toBe(200);
  // The first one is that of the ledger.
  await workers[1]!.terminate();
  expect((await agent.failed).message).toMatch(/shard-0 has ended/);
  expect(await send(agent)).toBe(503);
  await agent.close();
  expect(lines.filter((line) => line['level'] === 60)).toMatchObject([{ msg: 'the agent cannot go on' }]);
  const again = await start(1);
  expect(again.shards.stats().samples).toBe(1);
  await again.close();
});
