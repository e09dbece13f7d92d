import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { compress } from 'snappyjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePorts, startProgram, waitUntilReady } from '../../scripts/demo/processes.ts';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { NOTHING_KNOWN, type CoverageRead, type LateKnown } from '../../src/plan/frames/coverage-codec.ts';
import { decodeQueryAnswer, encodeQueryRequest } from '../../src/plan/frames/query-codec.ts';
import { decodeReleased } from '../../src/plan/frames/receipt-codec.ts';
import { newRequestId } from '../../src/plan/frames/request-id.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { encodeV1, type WriteSeries } from '../wire/remote-write-requests.ts';
import { jobsOf, startExporter } from './scrape/harness.ts';

const TOKEN = 'a token of this test';
const SECOND = 1_000;
const MINUTE = 60_000;

let dir: string;
const stops: (() => Promise<void> | void)[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-agent-coverage-'));
  stops.push(() => rmSync(dir, { recursive: true, force: true }));
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const POLICY = `{version: 1, domain: eu, labels: {permit: []}, metrics: [{match: 'secret_*', class: sealed}]}\n`;

function policyFile(): string {
  const path = join(dir, 'policy.yaml');
  writeFileSync(path, POLICY);
  return path;
}

async function start(options: Partial<Parameters<typeof startAgent>[0]> = {}): Promise<Agent> {
  const agent = await startAgent({
    domain: 'eu',
    jurisdiction: 'DE',
    listen: { otlp: '127.0.0.1:0', federation: '127.0.0.1:0' },
    store: join(dir, 'eu'),
    policy: policyFile(),
    token: TOKEN,
    shards: 0,
    ...options,
  });
  stops.push(() => agent.close());
  return agent;
}

/** As a hub asks, of one step at `timeMs` by default. */
async function ask(
  federationUrl: string,
  {
    metric = 'm',
    timeMs = Date.now(),
    windowMs = MINUTE,
    since = NOTHING_KNOWN,
    steps = 1,
    stepMs = SECOND,
  }: Asked = {},
) {
  const read: CoverageRead = { metric, fromMs: -windowMs, toMs: 0, fixed: false };
  const request = {
    id: newRequestId(),
    lookbackMs: 5 * MINUTE,
    timeLeftMs: 10_000,
    features: NO_FEATURES,
    fragments: [],
    coverage: [{ grid: { startMs: timeMs - (steps - 1) * stepMs, stepMs, steps }, reads: [read] }],
    since,
  };
  const reply = await fetch(`${federationUrl}/federation/v1/query`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/x-protobuf' },
    body: new Uint8Array(encodeQueryRequest(request)),
  });
  expect(reply.status).toBe(200);
  const { answer } = decodeReleased(new Uint8Array(await reply.arrayBuffer()));
  const { coverage, late, status } = decodeQueryAnswer(answer, request);
  return { runs: coverage[0]!.runs, late, status, text: textOf(coverage[0]!.runs) };
}

interface Asked {
  readonly metric?: string;
  readonly timeMs?: number;
  readonly windowMs?: number;
  readonly since?: LateKnown;
  readonly steps?: number;
  readonly stepMs?: number;
}

function textOf(runs: readonly { observed: number; expected: number }[]): string {
  return runs.map(({ observed, expected }) => `${observed}/${expected}`).join(' ');
}

function series(instance: string, times: readonly number[], metric = 'm'): WriteSeries {
  return {
    labels: [
      ['__name__', metric],
      ['instance', instance],
      ['job', 'j'],
    ],
    samples: times.map((timestamp) => ({ value: 1, timestamp })),
  };
}

/** Times from one to the other, both included, `everyMs` apart. */
function times(fromMs: number, toMs: number, everyMs: number): number[] {
  return Array.from({ length: Math.floor((toMs - fromMs) / everyMs) + 1 }, (_none, i) => fromMs + i * everyMs);
}

async function write(url: string, ...all: WriteSeries[]): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  const body = new Uint8Array(compress(encodeV1(all)));
  const reply = await fetch(`${url}/api/v1/write`, { method: 'POST', headers, body });
  expect([reply.status, await reply.text()]).toEqual([204, '']);
}

async function metric(agent: Agent, name: string): Promise<number> {
  const text = await (await fetch(`${agent.otlpUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

describe.each([0, 2])('an agent with shards: %d', (shards) => {
  test('counts the streams behind each step, by the names of metrics alone', async () => {
    const agent = await start({ shards });
    const now = Date.now();
    // One delivers until now, one stopped three minutes ago, one delivers another metric.
    for (const timeMs of times(now - 10 * MINUTE, now, 10 * SECOND)) {
      const ended = timeMs <= now - 3 * MINUTE ? [series('b', [timeMs])] : [];
      await write(agent.otlpUrl, series('a', [timeMs]), series('c', [timeMs], 'other'), ...ended);
    }
    expect((await ask(agent.federationUrl)).text).toBe('1/2');
    expect((await ask(agent.federationUrl, { metric: 'other' })).text).toBe('1/1');
    expect((await ask(agent.federationUrl, { metric: '' })).text).toBe('2/3');
    expect((await ask(agent.federationUrl, { metric: 'nobody_has_it' })).text).toBe('0/0');
    // Of what is sealed no more is told than of all.
    await write(agent.otlpUrl, series('a', [now], 'secret_m'));
    expect((await ask(agent.federationUrl, { metric: 'secret_m' })).text).toBe('2/3');

    // By step: it was there until three minutes ago.
    const { runs } = await ask(agent.federationUrl, { timeMs: now, windowMs: 5 * SECOND, steps: 7, stepMs: MINUTE });
    expect(runs).toEqual([
      { steps: 4, observed: 2, expected: 2 },
      { steps: 3, observed: 1, expected: 2 },
    ]);

    // What it missed comes late, the newest first: then nothing is missing any more, and hubs hear where something changed.
    const { late } = await ask(agent.federationUrl);
    const missed = times(now - 3 * MINUTE + 10 * SECOND, now, 10 * SECOND);
    for (const timeMs of missed.reverse()) await write(agent.otlpUrl, series('b', [timeMs]));
    const after = await ask(agent.federationUrl, { timeMs: now, windowMs: 5 * MINUTE, since: late! });
    expect(after.text).toBe('2/2');
    expect(after.late!.everything).toBe(false);
    expect(
      after.late!.intervals.some(({ fromMs, toMs }) => fromMs <= now - 2.5 * MINUTE && toMs >= now - 2.5 * MINUTE),
    ).toBe(true);
    expect(await metric(agent, 'comity_streams_gaps')).toBe(0);
  });
});

test('a target that fails is missing at once, and only where its own metrics are asked for', async () => {
  const [a, b] = await Promise.all(['only_a 1\n', 'only_b 1\n'].map((text) => startExporter(text)));
  stops.push(
    () => a!.close(),
    () => b!.close(),
  );
  const targets = [a!.address, b!.address].map((address) => `'${address}'`).join(', ');
  const scrape = jobsOf(
    `scrape_configs: [{job_name: j, scrape_interval: 300ms, scrape_timeout: 250ms, static_configs: [{targets: [${targets}]}]}]`,
  );
  const agent = await start({ scrape });
  const both = async (): Promise<string> =>
    (await Promise.all(['only_a', 'only_b'].map((name) => ask(agent.federationUrl, { metric: name, windowMs: 1 }))))
      .map(({ text }) => text)
      .join(' ');
  await expect.poll(both, { timeout: 10_000 }).toBe('1/1 1/1');
  b!.answer = (_request, response) => response.writeHead(500).end();
  await expect.poll(both, { timeout: 10_000 }).toBe('1/1 0/1');
  const downMs = Date.now();
  // It goes on to be expected.
  await sleep(1_500);
  expect(await both()).toBe('1/1 0/1');
  b!.answer = 'only_b 1\n';
  await expect.poll(both, { timeout: 10_000 }).toBe('1/1 1/1');
  // And what it missed stays missing.
  expect((await ask(agent.federationUrl, { metric: 'only_b', timeMs: downMs, windowMs: 1 })).text).toBe('0/1');
  expect((await ask(agent.federationUrl, { metric: 'only_a', timeMs: downMs, windowMs: 1 })).text).toBe('1/1');
});

test('a backlog after an outage of the network leaves no gap', async () => {
  const agent = await start();
  const now = Date.now();
  const sent = now - 4 * MINUTE;
  for (const timeMs of times(now - 8 * MINUTE, sent, 15 * SECOND)) await write(agent.otlpUrl, series('a', [timeMs]));
  expect((await ask(agent.federationUrl)).text).toBe('0/1');
  // As Prometheus sends it: some shards with what is new, others with requests over many scrapes.
  const backlog = times(sent + 15 * SECOND, now, 15 * SECOND);
  await write(agent.otlpUrl, series('a', [now]));
  await write(agent.otlpUrl, series('a', backlog.slice(8)), series('a', backlog.slice(8), 'other'));
  await write(agent.otlpUrl, series('a', backlog.slice(0, 8), 'other'), series('a', backlog.slice(0, 8)));
  expect((await ask(agent.federationUrl, { timeMs: now, windowMs: 8 * MINUTE })).text).toBe('1/1');
  // With a target that was down in the middle, all of it in one request.
  const pause = times(now - 8 * MINUTE, now, 15 * SECOND).filter((_time, i) => i < 10 || i > 20);
  await write(agent.otlpUrl, series('b', pause), series('b', pause, 'other'));
  const steps = async () => {
    const asked = { timeMs: now, windowMs: 0, steps: 33, stepMs: 15 * SECOND };
    return (await ask(agent.federationUrl, asked)).runs.map((run) => `${run.steps}x${run.observed}`).join(' ');
  };
  // That it has the metric as well is looked up once a second.
  await expect.poll(steps, { timeout: 10_000 }).toBe('10x2 11x1 12x2');
});

test('what a killed agent missed is a gap, until senders fill it', { timeout: 60_000 }, async () => {
  const [ingest, federation] = (await freePorts(2)) as [number, number];
  const config = join(dir, 'agent.yaml');
  const logPath = join(dir, 'agent.log');
  const listen = { otlp: `127.0.0.1:${ingest}`, otlp_grpc: 'off', federation: `127.0.0.1:${federation}` };
  const options = {
    domain: 'eu',
    jurisdiction: 'TEST',
    listen,
    store: 'store',
    shards: 1,
    policy: policyFile(),
    token: TOKEN,
  };
  writeFileSync(config, JSON.stringify(options));
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const [url, federationUrl] = [`http://127.0.0.1:${ingest}`, `http://127.0.0.1:${federation}`];
  const begin = async () => {
    const program = startProgram({ name: 'the agent', args: [main, 'agent', '--config', config], logPath });
    stops.push(() => program.stop());
    await waitUntilReady(program, `${url}/-/ready`, logPath);
    return program;
  };

  const first = await begin();
  const killed = Date.now();
  for (const timeMs of times(killed - 30 * SECOND, killed, SECOND))
    await write(url, series('a', [timeMs]), series('b', [timeMs]));
  // Samples of the past as well: nothing of all this was written down when it is killed.
  await write(url, series('a', times(killed - 2 * MINUTE, killed - 31 * SECOND, SECOND)));
  first.process.kill('SIGKILL');
  await first.exited;
  await sleep(4 * SECOND);
  await begin();
  const back = Date.now();
  const before = { timeMs: killed, windowMs: 2 * MINUTE - SECOND };
  await write(url, series('a', [back]), series('b', [back]));
  // What was stored is not missing, though the agent had no time to note that it was there.
  expect((await ask(federationUrl, before)).text).toBe('2/2');
  const during = { timeMs: killed + 2 * SECOND, windowMs: 1 };
  const { text, status } = await ask(federationUrl, during);
  expect(text).toBe('0/2');
  expect(status.gaps).toHaveLength(1);
  expect(status.gaps[0]!.toMs).toBeLessThanOrEqual(back);

  // One of the senders has kept what it could not deliver.
  await write(url, series('a', times(killed + SECOND, back, SECOND)));
  expect((await ask(federationUrl, during)).text).toBe('1/2');
  await write(url, series('b', times(killed + SECOND, back, SECOND)));
  const filled = await ask(federationUrl, { timeMs: back, windowMs: 2 * MINUTE - SECOND });
  expect(filled.text).toBe('2/2');
  await expect.poll(async () => (await ask(federationUrl)).status.gaps, { timeout: 10_000 }).toEqual([]);
});
