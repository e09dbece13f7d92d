import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { compress } from 'snappyjs';
import { afterEach, expect, test } from 'vitest';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { readAgentConfig } from '../../src/agent/config.ts';
import { metricsRequest, nanos, text, type Json } from '../wire/otlp-requests.ts';
import { encodeV1, encodeV2, STALE, type WriteSeries } from '../wire/remote-write-requests.ts';
import { apiData, until } from '../senders/query-api.ts';

/** A whole agent whose policy drops `pod` and `ip`, under each kind of sender. */

let agent: Agent | undefined;
let dir = '';
let log = '';

afterEach(async () => {
  await agent?.close();
  await rm(dir, { recursive: true, force: true });
});

const POLICY = `version: 1
domain: eu
admit: {drop: [{metrics: '*', labels: [pod, ip, service_instance_id]}]}
`;

async function start(shards: number, extra = ''): Promise<void> {
  dir = await mkdtemp(join(tmpdir(), 'comity-drop-'));
  log = '';
  await writeFile(join(dir, 'policy.yaml'), POLICY);
  const listen = '{otlp: "127.0.0.1:0", otlp_grpc: "off", query: "127.0.0.1:0", federation: "127.0.0.1:0"}';
  const config = `domain: eu\njurisdiction: TEST\nlisten: ${listen}\nstore: eu\npolicy: policy.yaml\nshards: ${shards}\n`;
  await writeFile(join(dir, 'agent.yaml'), `${config}token: a token of this test alone\n${extra}`);
  await open();
}

async function open(): Promise<void> {
  const lines = pino({ level: 'trace' }, { write: (line: string) => void (log += line) });
  agent = await startAgent(readAgentConfig(join(dir, 'agent.yaml')), lines);
}

async function post(path: string, body: Uint8Array | string, headers: Record<string, string>): Promise<number> {
  const answer = await fetch(`${agent!.otlpUrl}${path}`, { method: 'POST', body: Buffer.from(body), headers });
  await answer.text();
  return answer.status;
}

const WRITE_2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
const sendV1 = (...series: WriteSeries[]): Promise<number> =>
  post('/api/v1/write', compress(encodeV1(series)), {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
  });
const sendV2 = (...series: WriteSeries[]): Promise<number> =>
  post('/api/v1/write', compress(encodeV2(series)), { 'content-type': WRITE_2, 'content-encoding': 'snappy' });
const sendOtlp = (request: Json): Promise<number> =>
  post('/v1/metrics', JSON.stringify(request), { 'content-type': 'application/json' });

function pod(
  metric: string,
  name: string,
  timestamp: number,
  value: number,
  more: Record<string, string> = {},
): WriteSeries {
  const labels = Object.entries({ __name__: metric, ip: '10.1.2.3', job: 'shop', pod: name, ...more });
  return { labels, samples: [{ value, timestamp }] };
}

/** What a query gives, label sets and values. */
async function ask(query: string): Promise<(readonly [Record<string, string>, string])[]> {
  interface Found {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[];
  }
  const { result } = await apiData<Found>(agent!.queryUrl!, 'query', { query });
  return result.map(({ metric, value }) => [metric, value[1]]);
}

async function metric(line: string): Promise<string | undefined> {
  const page = await (await fetch(`${agent!.otlpUrl}/metrics`)).text();
  return page
    .split('\n')
    .find((one) => one.startsWith(line))
    ?.split(' ')
    .at(-1);
}

test('remote write, both versions: pods come, begin anew and go, over a restart', { timeout: 60_000 }, async () => {
  await start(2);
  const from = Date.now() - 60_000;
  const series = { __name__: 'hits_total', domain: 'eu', job: 'shop' };
  expect(await sendV1(pod('hits_total', 'canary-a', from, 100), pod('hits_total', 'canary-b', from, 7))).toBe(204);
  const second = [pod('hits_total', 'canary-a', from + 1_000, 110), pod('hits_total', 'canary-b', from + 1_000, 8)];
  expect(await sendV2(...second)).toBe(204);
  expect(await ask('hits_total')).toEqual([[series, '11']]);
  expect(await sendV2(...second)).toBe(204);
  await agent!.close();
  await open();
  // Again, as after a lost answer; then one that began anew, and the other at its end.
  expect(await sendV2(...second)).toBe(204);
  expect(await ask('hits_total')).toEqual([[series, '11']]);
  const third = [pod('hits_total', 'canary-a', from + 2_000, 4), pod('hits_total', 'canary-b', from + 2_000, STALE)];
  expect(await sendV1(...third)).toBe(204);
  expect(await ask('hits_total')).toEqual([[series, '15']]);
  expect(await sendV1(pod('hits_total', 'canary-a', from + 3_000, STALE))).toBe(204);
  expect(await ask('hits_total')).toEqual([]);
  expect(await metric('comity_drop_inputs')).toBe('2');
  expect(await metric('comity_drop_samples_total{decision="joined"}')).toBe('5');
  expect(await sendV1(pod('hits_total', 'canary-a', from + 500, 104))).toBe(400);
  expect(
    await metric('comity_agent_rejected_total{receiver="remote_write",signal="metrics",reason="out_of_order"}'),
  ).toBe('1');
  await agent!.close();
  const files = await readdir(dir, { recursive: true, withFileTypes: true });
  const bytes = await Promise.all(
    files.filter((one) => one.isFile()).map((one) => readFile(join(one.parentPath, one.name), 'latin1')),
  );
  for (const found of [log, ...bytes]) expect(found.match(/canary-|10\.1\.2\.3/)).toBeNull();
  expect(bytes.some((one) => one.includes('hits_total'))).toBe(true);
});

/** A classic histogram and a gauge of two pods. */
async function checkHistograms(from: number): Promise<void> {
  const scrape = (name: string, at: number, low: number, all: number): WriteSeries[] => [
    pod('wait_seconds_bucket', name, at, low, { le: '1' }),
    pod('wait_seconds_bucket', name, at, all, { le: '+Inf' }),
    pod('wait_seconds_sum', name, at, all * 2),
    pod('wait_seconds_count', name, at, all),
    pod('heat', name, at, 20 + all),
  ];
  expect(await sendV1(...scrape('a', from, 5, 10), ...scrape('b', from, 0, 0))).toBe(204);
  const later = [...scrape('a', from + 1_000, 6, 12), ...scrape('b', from + 1_001, 3, 3)];
  expect(await sendV1(...later)).toBe(204);
  const buckets = await ask('wait_seconds_bucket');
  expect(buckets.map(([{ le }, value]) => `${le} ${value}`).sort()).toEqual(['+Inf 5', '1 4']);
  expect(await ask('wait_seconds_sum')).toMatchObject([[{}, '10']]);
  const heat = await ask('heat');
  expect(heat.map(([, value]) => value).sort()).toEqual(['23', '32']);
  for (const [labels] of heat)
    expect(labels).toMatchObject({ pod: expect.stringMatching(/^~/), ip: expect.stringMatching(/^~/) });
  // Those of the scrapes themselves are gauges that nobody describes.
  expect(Number(await metric('comity_drop_samples_total{decision="unknown type"}'))).toBeGreaterThanOrEqual(4);
}

/** Cumulative and delta sums, and one that is no counter. */
async function checkOtlp(from: number): Promise<void> {
  const send = (name: string, at: number, calls: number, delta: number): Promise<number> => {
    const times = { startTimeUnixNano: nanos(from - 1_000), timeUnixNano: nanos(at) };
    const point = (asInt: number): Json => ({ ...times, asInt, attributes: [text('pod', name)] });
    const of = (dataPoints: Json[], aggregationTemporality: number, isMonotonic: boolean): Json => ({
      dataPoints,
      aggregationTemporality,
      isMonotonic,
    });
    return sendOtlp(
      metricsRequest(
        [text('service.name', 'shop')],
        [
          { name: 'calls', sum: of([point(calls)], 2, true) },
          { name: 'orders', sum: of([point(delta)], 1, true) },
          { name: 'queue.count', sum: of([point(calls)], 2, false) },
        ],
      ),
    );
  };
  for (const name of ['a', 'b']) expect(await send(name, from, 10, 1)).toBe(200);
  for (const name of ['a', 'b']) expect(await send(name, from + 10, 13, 2)).toBe(200);
  // The same content once more.
  expect(await send('b', from + 10, 13, 2)).toBe(200);
  expect(await ask('calls_total')).toMatchObject([[{ job: 'shop' }, '6']]);
  expect(await ask('orders_total')).toMatchObject([[{ job: 'shop' }, '6']]);
  expect((await ask('queue_count')).map(([, value]) => value)).toEqual(['13', '13']);
}

test('scrapes, OTLP and histograms: what is gone ends, what is left goes on', { timeout: 60_000 }, async () => {
  let scrapes = 0;
  const target = createServer((_request, response) => {
    scrapes++;
    const lines = ['# TYPE hits counter', `hits_total{pod="a"} ${scrapes * 2}`];
    if (scrapes < 4) lines.push(`hits_total{pod="b"} ${scrapes * 100}`);
    response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0');
    response.end(`${lines.join('\n')}\n# EOF\n`);
  });
  await new Promise<void>((ready) => target.listen(0, '127.0.0.1', ready));
  const { port } = target.address() as AddressInfo;
  try {
    await start(
      0,
      `scrape_configs:
  - job_name: farm
    scrape_interval: 100ms
    scrape_timeout: 100ms
    static_configs: [{targets: ['127.0.0.1:${port}']}]
`,
    );
    const from = Date.now() - 60_000;
    await checkHistograms(from);
    await checkOtlp(from);
    await until(async () => scrapes >= 8);
    await until(async () => Number((await ask('hits_total'))[0]?.[1]) >= 210);
    const found = await ask('hits_total');
    expect(found).toHaveLength(1);
    expect(found[0]![0]).toMatchObject({ job: 'farm', domain: 'eu' });
    // Two hundred of b, before it went, and two for each scrape but the first.
    expect((Number(found[0]![1]) - 200) % 2).toBe(0);
    expect(Number(found[0]![1])).toBeLessThanOrEqual(200 + 2 * (scrapes - 1));
  } finally {
    target.close();
  }
});
