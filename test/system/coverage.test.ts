import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts, startProgram, waitUntilReady, type Program } from '../../scripts/demo/processes.ts';
import { startAgent } from '../../src/agent/agent.ts';
import type { Coverage } from '../../src/coverage/coverage.ts';
import { startHub, type Hub } from '../../src/hub/hub.ts';
import { encodeWriteRequest, postWrite } from '../oracle/remote-write.ts';
import { series } from '../memory-source.ts';
import { callApi, type ApiReply, type QueryData } from './api.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Senders have a sample this often. */
const EVERY_MS = 5_000;
/** The end of the past that is asked about. */
const T0_MS = Math.floor(Date.now() / EVERY_MS) * EVERY_MS;
const T0 = T0_MS / 1000;
const FIRST_MS = T0_MS - 900_000;
/** The time of the last sample of the sender that stops. */
const STOPPED_MS = T0_MS - 120_000;

const dirs: string[] = [];
const stops: (() => Promise<void> | void)[] = [];
let hub: Hub;
let eu: KillableAgent;
let us: Throttle;
let stopped: Sender;

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'comity-coverage-'));
  dirs.push(dir);
  const token = randomBytes(16).toString('hex');
  eu = await killableAgent(dir, 'eu', token);
  const [ofUs, ofAp] = await Promise.all(
    ['us', 'ap'].map(async (domain) => {
      const agent = await startAgent({
        domain,
        jurisdiction: 'TEST',
        listen: { otlp: '127.0.0.1:0', federation: '127.0.0.1:0' },
        store: join(dir, domain),
        shards: 0,
        policy: await policyFile(dir, domain),
        token,
      });
      stops.push(() => agent.close());
      return agent;
    }),
  );
  us = await throttle(ofUs!.federationUrl);
  const urls = { eu: eu.federationUrl, us: us.url, ap: ofAp!.federationUrl };
  for (const [url, instance] of [
    [eu.ingestUrl, 'e1'],
    [eu.ingestUrl, 'e2'],
    [ofUs!.otlpUrl, 'u1'],
    [ofAp!.otlpUrl, 'a1'],
  ] as const) {
    const sender = startSender(url, instance);
    await sender.send(FIRST_MS, Date.now());
    sender.goOn();
  }
  stopped = startSender(ofAp!.otlpUrl, 'a2');
  await stopped.send(FIRST_MS, STOPPED_MS);
  hub = await startHub({
    listen: '127.0.0.1:0',
    domains: Object.entries(urls).map(([name, url]) => ({ name, jurisdiction: 'TEST', url, token })),
  });
  stops.push(() => hub.close());
}, 60_000);

afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
  for (const dir of dirs) await rm(dir, { recursive: true, force: true });
});

describe('what an answer says of its coverage', () => {
  it('a whole one: complete, and silent about it', async () => {
    await expect.poll(heardDomains, { timeout: 20_000 }).toBe(3);
    const { body, headers } = await range('sum(m)', T0 - 150);
    expect(body.warnings).toBeUndefined();
    expect(headers.get('comity-coverage')).toBe('complete=true; observed=5; expected=5');
    expect(headers.get('comity-domains')).toBe('eu=ok, us=ok, ap=ok');
    expect(valuesIn(body.data)).toEqual(new Set(['5']));
    expect(parts(body.data.coverage)).toEqual(['eu ok 2/2', 'us ok 1/1', 'ap ok 2/2']);
    for (const { from, to, steps } of body.data.coverage.domains) {
      expect([from, to]).toEqual([T0 - 450, T0 - 150]);
      expect(steps.every(({ observed, expected }) => observed === expected)).toBe(true);
    }
  });

  it('a sender that stopped: from then on, and no step before', async () => {
    const { body, headers } = await range('sum(m)', T0);
    const text = 'partial answer: 4 of 5 streams observed; ap partial (1 of 2 streams silent at 4 of 11 steps)';
    expect(body.warnings).toEqual([text]);
    expect(headers.get('comity-coverage')).toBe('complete=false; observed=4; expected=5');
    expect(headers.get('comity-domains')).toBe('eu=ok, us=ok, ap=partial');
    const ap = body.data.coverage.domains[2]!;
    expect(merged(ap)).toEqual([
      [T0 - 300, T0 - 120, '2/2'],
      [T0 - 90, T0, '1/2'],
    ]);
  });

  it('what it asks now is not complete either, and the newest steps are not settled', async () => {
    const { body } = await instant('sum(m)');
    expect(parts(body.data.coverage)).toEqual(['eu ok 2/2', 'us ok 1/1', 'ap partial 1/2']);
    expect(body.data.coverage.domains.map(({ steps }) => steps.at(-1)!.unsettled)).toEqual([true, true, true]);
  });

  it('a metric that only the others have is complete', async () => {
    const { body } = await range('sum(only{domain="us"})', T0);
    expect(body.warnings).toBeUndefined();
    expect(parts(body.data.coverage)).toEqual(['eu pruned 0/0', 'us ok 1/1', 'ap pruned 0/0']);
  });

  it('alerts, and those who want all or nothing, get an error with the same structure', async () => {
    const { body: told } = await range('sum(m)', T0);
    for (const [params, headers] of [
      [{}, { FromAlert: 'true' }],
      [{ partial_response: 'false' }, {}],
    ] as const) {
      const { status, body, headers: given } = await range('sum(m)', T0, params, { headers });
      expect([status, body.errorType, body.error]).toEqual([503, 'unavailable', told.warnings[0]]);
      expect(given.get('comity-coverage')).toBe('complete=false; observed=4; expected=5');
      expect(unmoved(body.data.coverage)).toEqual(unmoved(told.data.coverage));
    }
    expect((await range('sum(m)', T0 - 150, {}, { headers: { FromAlert: 'true' } })).status).toBe(200);
    // What tells how complete the rest is can be alerted on.
    const { status, body } = await range('coverage(m) < 1', T0, {}, { headers: { FromAlert: 'true' } });
    expect(status).toBe(200);
    expect(body.data.result.map(({ metric, values }) => [metric, values[0]])).toEqual([
      [{ domain: 'ap' }, [T0 - 90, '0.5']],
    ]);
  });

  it('a killed agent owes what it last reported', async () => {
    await eu.kill();
    const { body, headers } = await range('sum(m)', T0 - 150);
    expect(headers.get('comity-domains')).toMatch(/^eu=unreachable, us=ok, ap=ok$/);
    expect(parts(body.data.coverage)).toEqual(['eu unreachable 0/2', 'us ok 1/1', 'ap ok 2/2']);
    expect(body.warnings).toHaveLength(1);
    expect(body.warnings[0]).toMatch(/^partial answer: 3 of 5 streams observed; eu unreachable \(.*\)$/);
    expect(body.data.coverage.domains[0]).toMatchObject({ from: null, to: null });
    expect(valuesIn(body.data)).toEqual(new Set(['3']));

    const { body: known } = await instant('coverage(m)', { time: String(T0) });
    expect(known.warnings).toBeUndefined();
    expect(Object.fromEntries(known.data.result.map(({ metric, value }) => [metric['domain'], value[1]]))).toEqual({
      eu: '0',
      us: '1',
      ap: '0.5',
    });
    expect((await instant('sum(m) and on() min(coverage(m)) > 0.9', { time: String(T0) })).body.data.result).toEqual(
      [],
    );
    expect((await instant('absent(m{instance="moon"})', { time: String(T0) })).status).toBe(503);
  });

  it('a throttled one is too slow for a short timeout, and whole with a longer one', async () => {
    us.bytesPerSecond = 20;
    const { body, headers } = await range('sum(m)', T0 - 150, { timeout: '1.5' });
    expect(headers.get('comity-domains')).toBe('eu=unreachable, us=timeout, ap=ok');
    expect(parts(body.data.coverage)).toEqual(['eu unreachable 0/2', 'us timeout 0/1', 'ap ok 2/2']);
    expect(body.warnings[0]).toMatch(
      /^partial answer: 2 of 5 streams observed; eu unreachable \(.*\); us timeout \(.*\)$/,
    );
    us.bytesPerSecond = Infinity;
    await expect
      .poll(async () => parts((await range('sum(m)', T0 - 150)).body.data.coverage)[1], { timeout: 20_000 })
      .toBe('us ok 1/1');
  }, 40_000);

  it('back again, with what its senders kept for it, it is whole', async () => {
    await eu.start();
    await expect
      .poll(async () => parts((await range('sum(m)', T0 - 150)).body.data.coverage), { timeout: 40_000 })
      .toEqual(['eu ok 2/2', 'us ok 1/1', 'ap ok 2/2']);
    // Now too: the senders delivered what they could not in between.
    await expect
      .poll(async () => parts((await instant('sum(m)')).body.data.coverage)[0], { timeout: 30_000 })
      .toBe('eu ok 2/2');
  }, 80_000);

  it('late samples close the gap', async () => {
    await stopped.send(STOPPED_MS + EVERY_MS, Date.now());
    stopped.goOn();
    const { body } = await range('sum(m)', T0);
    expect(body.warnings).toBeUndefined();
    expect(body.data.coverage).toMatchObject({ complete: true, observed: 5, expected: 5 });
    expect(merged(body.data.coverage.domains[2]!)).toEqual([[T0 - 300, T0, '2/2']]);
    expect(valuesIn(body.data)).toEqual(new Set(['5']));
  });
});

/** Eleven steps of half a minute, the last at `end`. */
function range(
  query: string,
  end: number,
  params: Record<string, string> = {},
  init?: RequestInit,
): Promise<ApiReply<QueryData>> {
  const asked = { query, start: String(end - 300), end: String(end), step: '30', ...params };
  return callApi(hub.url, '/api/v1/query_range', asked, init);
}

function instant(query: string, params: Record<string, string> = {}): Promise<ApiReply<QueryData>> {
  return callApi(hub.url, '/api/v1/query', { query, ...params });
}

function parts({ domains }: Coverage): string[] {
  return domains.map(({ domain, status, observed, expected }) => `${domain} ${status} ${observed}/${expected}`);
}

/** The steps of a domain, settled or not. */
function merged({ steps }: Coverage['domains'][number]): [number, number, string][] {
  const out: [number, number, string][] = [];
  for (const { from, to, observed, expected } of steps) {
    const text = `${observed}/${expected}`;
    const last = out.at(-1);
    if (last?.[2] === text) last[1] = to;
    else out.push([from, to, text]);
  }
  return out;
}

/** Without what moves on with the watermark. */
function unmoved(coverage: Coverage) {
  return {
    ...coverage,
    settledUntil: 0,
    domains: coverage.domains.map((domain) => ({ ...domain, settledUntil: 0, steps: merged(domain) })),
  };
}

function valuesIn({ result }: QueryData): Set<string> {
  return new Set(result.flatMap(({ values }) => values.map(([, value]) => value)));
}

async function heardDomains(): Promise<number> {
  const { body } = await callApi<{ domains: { reachable: boolean }[] }>(hub.url, '/api/v1/status/federation');
  return body.data.domains.filter(({ reachable }) => reachable).length;
}

async function policyFile(dir: string, domain: string): Promise<string> {
  const path = join(dir, `${domain}.policy.yaml`);
  const policy = {
    version: 1,
    domain,
    labels: { permit: ['job', 'instance'], match: ['instance'] },
    metrics: [{ match: '*', class: 'open' }],
  };
  await writeFile(path, JSON.stringify(policy));
  return path;
}

/** A sender of remote write that keeps what it cannot deliver. */
interface Sender {
  /** All samples from one time to another, some at a time. */
  send(fromMs: number, toMs: number): Promise<void>;
  /** Goes on by the clock from there. */
  goOn(): void;
}

function startSender(url: string, instance: string): Sender {
  let nextMs = 0;
  const write = async (times: readonly number[]): Promise<void> => {
    const labels = { job: 'shop', instance };
    const samples = times.map((time): [number, number] => [time, 1]);
    const written = ['m', 'only'].map((name) => series({ __name__: name, ...labels }, samples));
    await postWrite({ remoteWriteUrl: `${url}/api/v1/write` }, encodeWriteRequest(written));
  };
  const send = async (fromMs: number, toMs: number): Promise<void> => {
    const times: number[] = [];
    for (let time = fromMs; time <= toMs; time += EVERY_MS) times.push(time);
    // Its interval is learned from one delivery to the next.
    for (let at = 0; at < times.length; at += 20) await write(times.slice(at, at + 20));
    nextMs = fromMs + times.length * EVERY_MS;
  };
  return {
    send,
    goOn() {
      let isUnderWay = false;
      const timer = setInterval(() => {
        if (isUnderWay) return;
        isUnderWay = true;
        send(nextMs, Date.now())
          .catch(() => undefined)
          .finally(() => {
            isUnderWay = false;
          });
      }, 1_000);
      stops.push(() => clearInterval(timer));
    },
  };
}

interface KillableAgent {
  readonly ingestUrl: string;
  readonly federationUrl: string;
  start(): Promise<void>;
  kill(): Promise<void>;
}

/** An agent in a process of its own, started. */
async function killableAgent(dir: string, domain: string, token: string): Promise<KillableAgent> {
  const [ingest, federation] = (await freePorts(2)) as [number, number];
  const config = join(dir, `${domain}.agent.yaml`);
  const logPath = join(dir, `${domain}.log`);
  await writeFile(
    config,
    JSON.stringify({
      domain,
      jurisdiction: 'TEST',
      listen: { otlp: `127.0.0.1:${ingest}`, otlp_grpc: 'off', federation: `127.0.0.1:${federation}` },
      store: 'eu-store',
      shards: 1,
      policy: await policyFile(dir, domain),
      token,
    }),
  );
  const ingestUrl = `http://127.0.0.1:${ingest}`;
  let program: Program | undefined;
  const agent: KillableAgent = {
    ingestUrl,
    federationUrl: `http://127.0.0.1:${federation}`,
    async start() {
      program = startProgram({ name: 'the agent', args: [MAIN, 'agent', '--config', config], logPath });
      await waitUntilReady(program, `${ingestUrl}/-/ready`, logPath);
    },
    async kill() {
      program?.process.kill('SIGKILL');
      await program?.exited;
    },
  };
  stops.push(() => program?.stop());
  await agent.start();
  return agent;
}

interface Throttle {
  readonly url: string;
  /** Of what comes back from the agent. */
  bytesPerSecond: number;
}

/** A TCP proxy before an agent that lets its answers through as slowly as it is told to. */
async function throttle(target: string): Promise<Throttle> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const slow = { bytesPerSecond: Infinity };
  const server = createServer((client) => {
    const agent = connect(Number(port), hostname);
    for (const socket of [client, agent]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        agent.destroy();
      });
    }
    client.pipe(agent);
    agent.on('data', (chunk: Buffer) => {
      agent.pause();
      const waitMs = (chunk.length / slow.bytesPerSecond) * 1000;
      setTimeout(() => {
        client.write(chunk);
        agent.resume();
      }, waitMs).unref();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  stops.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(slow, { url });
}
