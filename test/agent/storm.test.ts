import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { startSourceAgent } from '../../src/agent/source-agent.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../../src/model/grid.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { NOTHING_KNOWN } from '../../src/plan/frames/coverage-codec.ts';
import { decodeQueryAnswer, encodeQueryRequest } from '../../src/plan/frames/query-codec.ts';
import { decodeReleased } from '../../src/plan/frames/receipt-codec.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { hubFragments } from '../border/domain.ts';
import { metricsRequest, nanos, text } from '../wire/otlp-requests.ts';

const TOKEN = 'a-token-of-this-domain';
const POLICY = 'version: 1\ndomain: eu\nlabels: {permit: [zone, i]}\ndefault_class: open\n';
const ID = new Uint8Array(8);

let dir: string;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-storm-'));
  writeFileSync(join(dir, 'policy.yaml'), POLICY);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(dir, { recursive: true, force: true });
});

const SERIES = 4_000;
const SAMPLES = 240;
const INTERVAL_MS = 15_000;
const END_MS = Math.floor(Date.now() / 60_000) * 60_000;

/** Each reads a million samples and comes to a million cells. */
const HEAVY_GRID = rangeGrid(END_MS - SAMPLES * INTERVAL_MS, END_MS, INTERVAL_MS);
const heavy = (i: number): string => `sum by (zone) (rate(storm_total[${300 + i}s]))`;

async function agentWithData(shards: number, cost: number): Promise<Agent> {
  const agent = await startAgent({
    domain: 'eu',
    jurisdiction: 'DE',
    listen: { otlp: '127.0.0.1:0', federation: '127.0.0.1:0', query: '127.0.0.1:0' },
    store: join(dir, 'eu'),
    policy: join(dir, 'policy.yaml'),
    token: TOKEN,
    shards,
    limits: { federation: { concurrent: 3, queued: 10, cost, queueMs: 2_000 } },
  });
  closers.push(() => agent.close());
  const builders = agent.shards.shards.map(() => batchBuilder(SERIES * SAMPLES));
  for (let i = 0; i < SERIES; i++) {
    // It is the same for the queries which of the shards has them.
    const builder = builders[i % builders.length]!;
    const labels = { __name__: 'storm_total', domain: 'eu', i: String(i), zone: `z${i % 3}` };
    const at = builder.seriesOf(labelsOf(labels));
    for (let k = 1; k <= SAMPLES; k++) builder.sample(at, END_MS - (SAMPLES - k) * INTERVAL_MS, k * i);
  }
  await Promise.all(agent.shards.shards.map((shard, i) => shard.appendAll([builders[i]!.build()], -Infinity)));
  return agent;
}

interface Reply {
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly groups: number | undefined;
}

async function ask(url: string, query: string, grid: QueryGrid, signal?: AbortSignal): Promise<Reply> {
  const fragments = hubFragments(query, grid);
  const asked = { fragments, coverage: [], since: NOTHING_KNOWN, id: ID };
  const body = encodeQueryRequest({ lookbackMs: 300_000, timeLeftMs: 20_000, features: NO_FEATURES, ...asked });
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/x-protobuf' };
  const init = { method: 'POST', headers, body: Buffer.from(body), ...(signal && { signal }) };
  const response = await fetch(`${url}/federation/v1/query`, init);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const after = response.headers.get('retry-after');
  const answers = response.status === 200 ? decodeQueryAnswer(decodeReleased(bytes).answer, asked).fragments : [];
  const groups = answers[0] !== undefined && 'rows' in answers[0] ? answers[0].rows.length : undefined;
  return { status: response.status, retryAfter: after === null ? undefined : Number(after), groups };
}

async function sendPoint({ otlpUrl }: Agent): Promise<number> {
  const point = { timeUnixNano: nanos(Date.now()), asInt: 5 };
  const request = metricsRequest([text('service.name', 's')], [{ name: 'g', gauge: { dataPoints: [point] } }]);
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(`${otlpUrl}/v1/metrics`, { method: 'POST', headers, body: JSON.stringify(request) });
  await reply.text();
  return reply.status;
}

async function metric(url: string, name: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const line = page.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

async function reaches(read: () => Promise<number>, want: number): Promise<void> {
  while ((await read()) !== want) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.each([1, 2])('an agent with %i shards under a storm of heavy queries', (shards) => {
  it('answers what it can, sheds the rest, and takes telemetry all the while', { timeout: 120_000 }, async () => {
    const agent = await agentWithData(shards, 20_000_000);
    const alone = await ask(agent.federationUrl, heavy(0), HEAVY_GRID);
    expect(alone).toEqual({ status: 200, retryAfter: undefined, groups: 3 });
    const rssBefore = process.memoryUsage.rss();
    let isOver = false;
    const sent: number[] = [];
    const light: Reply[] = [];
    const sender = (async () => {
      while (!isOver) sent.push(await sendPoint(agent));
    })();
    const own: number[] = [];
    const reader = (async () => {
      while (!isOver) {
        const reply = await fetch(`${agent.queryUrl}/api/v1/query?query=count(storm_total)`);
        await reply.text();
        own.push(reply.status);
        light.push(await ask(agent.federationUrl, 'sum(storm_total{zone="z1"})', instantGrid(END_MS)));
      }
    })();
    const callers = Array.from({ length: 50 }, async (_none, i) => {
      const replies: Reply[] = [];
      for (let k = 0; k < 4; k++) replies.push(await ask(agent.federationUrl, heavy(i * 4 + k), HEAVY_GRID));
      return replies;
    });
    const replies = (await Promise.all(callers)).flat();
    const rssAfter = process.memoryUsage.rss();
    isOver = true;
    await Promise.all([sender, reader]);

    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200, 503]));
    for (const { status, retryAfter, groups } of replies) {
      if (status === 200) expect({ retryAfter, groups }).toEqual({ retryAfter: undefined, groups: 3 });
      else expect(retryAfter).toSatisfy((s: number) => Number.isInteger(s) && s >= 1 && s <= 30);
    }
    expect(new Set(light.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(own)).toEqual(new Set([200]));
    expect(new Set(sent)).toEqual(new Set([200]));
    // Three at once hold little; two hundred would hold much more.
    expect(rssAfter - rssBefore).toBeLessThan(1024 ** 3);

    for (const gauge of ['running', 'queued', 'cost', 'answer_bytes']) {
      await reaches(() => metric(agent.otlpUrl, `comity_federation_${gauge}`), 0);
    }
    expect(await ask(agent.federationUrl, heavy(0), HEAVY_GRID)).toEqual(alone);
    const shed = replies.filter(({ status }) => status === 503).length;
    const reasons = ['queue_full', 'queue_time', 'deadline'];
    const counted = await Promise.all(
      reasons.map((reason) => metric(agent.otlpUrl, `comity_federation_shed_total{reason="${reason}"}`)),
    );
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(shed);
    // All was estimated to the sample or nearly so.
    const [within, all] = await Promise.all(
      ['2', '+Inf'].map((le) => metric(agent.otlpUrl, `comity_federation_cost_ratio_bucket{le="${le}"}`)),
    );
    const tooLow = await metric(agent.otlpUrl, 'comity_federation_cost_ratio_bucket{le="0.5"}');
    expect([within, tooLow]).toEqual([all, 0]);
  });

  it('stops what nobody waits for any more', { timeout: 60_000 }, async () => {
    // Two of them fit in.
    const agent = await agentWithData(shards, 140_000_000);
    const running = (): Promise<number> => metric(agent.otlpUrl, 'comity_federation_running');
    const queued = (): Promise<number> => metric(agent.otlpUrl, 'comity_federation_queued');
    // Most of a minute of work each.
    const endless = (i: number): string =>
      `sum(${Array.from({ length: 30 }, (_none, k) => `deriv(storm_total[${3_000 + i + k}s])`).join(' + ')})`;
    const gone = new AbortController();
    const asked = [1, 2, 3, 4].map((i) =>
      ask(agent.federationUrl, endless(i), HEAVY_GRID, gone.signal).catch(() => 'gone'),
    );
    await reaches(queued, 2);
    expect(await running()).toBe(2);
    gone.abort();
    expect(await Promise.all(asked)).toEqual(['gone', 'gone', 'gone', 'gone']);
    await reaches(queued, 0);
    await reaches(running, 0);
    // The shards are free as well, or it would not be answered in time.
    expect(await ask(agent.federationUrl, heavy(0), HEAVY_GRID)).toMatchObject({ status: 200, groups: 3 });
  });
});

describe('an agent with a source', () => {
  it('hangs up at its server when its hub does', async () => {
    const open = new Set<string>();
    const server: Server = createServer((request, response) => {
      const path = request.url!.split('?')[0]!;
      if (path === '/api/v1/query_range' || path === '/api/v1/read') {
        // Never answered.
        open.add(path);
        response.on('close', () => open.delete(path));
        return;
      }
      response.setHeader('content-type', 'application/json');
      // Two is what Prometheus 3 says to the query that finds out whether it is one.
      const result = [{ metric: {}, value: [600, '2'] }];
      const data =
        path === '/api/v1/query' ? { resultType: 'vector', result } : /features$|flags$/.test(path) ? {} : [];
      response.end(JSON.stringify({ status: 'success', data }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const agent = await startSourceAgent({
      domain: 'eu',
      jurisdiction: 'DE',
      listen: { federation: '127.0.0.1:0', metrics: '127.0.0.1:0' },
      policy: join(dir, 'policy.yaml'),
      token: TOKEN,
      domainLabel: 'domain',
      source: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, engine: 'prometheus' },
      // Nothing else is asked there meanwhile.
      ledger: ':memory:',
      pollMs: 3_600_000,
    });
    closers.push(() => agent.close());
    const running = (): Promise<number> => metric(agent.metricsUrl!, 'comity_federation_running');
    const gone = new AbortController();
    const asked = ask(agent.federationUrl, 'sum(up)', HEAVY_GRID, gone.signal).catch(() => 'gone');
    await reaches(running, 1);
    await reaches(async () => open.size, 1);
    gone.abort();
    expect(await asked).toBe('gone');
    await reaches(running, 0);
    await reaches(async () => open.size, 0);
  });
});
