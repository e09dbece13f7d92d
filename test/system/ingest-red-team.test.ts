import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { compress } from 'snappyjs';
import { afterEach, expect, test } from 'vitest';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { readAgentConfig } from '../../src/agent/config.ts';
import { metricsProtobuf, metricsRequest, nanos, span, text, traceProtobuf, type Json } from '../wire/otlp-requests.ts';
import { encodeV1, encodeV2 } from '../wire/remote-write-requests.ts';
import { apiData, until } from '../senders/query-api.ts';

/** A whole agent under senders that say what must not be kept, too much, twice, or nothing that can be read. */

let agent: Agent | undefined;
let dir = '';
let log = '';

afterEach(async () => {
  await agent?.close();
  await rm(dir, { recursive: true, force: true });
});

/** `extra` goes into the agent's file. */
async function start(extra = ''): Promise<void> {
  dir = await mkdtemp(join(tmpdir(), 'comity-red-team-'));
  log = '';
  await writeFile(join(dir, 'policy.yaml'), 'version: 1\ndomain: eu\nlabels: {permit: []}\n');
  const listen = '{otlp: "127.0.0.1:0", otlp_grpc: "off", query: "127.0.0.1:0", federation: "127.0.0.1:0"}';
  const config = `domain: eu\njurisdiction: TEST\nlisten: ${listen}\nstore: eu.sqlite\npolicy: policy.yaml\n`;
  await writeFile(join(dir, 'agent.yaml'), `${config}token: a token of this test alone\n${extra}`);
  await open();
}

async function open(): Promise<void> {
  const lines = pino({ level: 'trace' }, { write: (line: string) => void (log += line) });
  agent = await startAgent(readAgentConfig(join(dir, 'agent.yaml')), lines);
}

async function post(
  path: string,
  body: Uint8Array | string,
  type: string,
  encoding = '',
): Promise<{ status: number; text: string }> {
  const headers = { 'content-type': type, ...(encoding === '' ? {} : { 'content-encoding': encoding }) };
  const answer = await fetch(`${agent!.otlpUrl}${path}`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers,
  });
  return { status: answer.status, text: await answer.text() };
}

const sendJson = (signal: string, request: Json) => post(`/v1/${signal}`, JSON.stringify(request), 'application/json');
const sendV1 = (body: Uint8Array) => post('/api/v1/write', compress(body), 'application/x-protobuf', 'snappy');

async function own(): Promise<string> {
  return (await fetch(`${agent!.otlpUrl}/metrics`)).text();
}

async function value(query: string): Promise<string | undefined> {
  interface Found {
    readonly result: readonly { readonly value: readonly [number, string] }[];
  }
  const { result } = await apiData<Found>(agent!.queryUrl!, 'query', { query });
  return result[0]?.value[1];
}

/** Words that must be found nowhere, each with the place where it was said. */
interface Canaries {
  /** A new one. */
  at(place: string): string;
  /** The places of those that are in a text, as they are or in another of the forms that values take. */
  foundIn(bytes: Buffer): string[];
}

function canaries(): Canaries {
  const places = new Map<string, string>();
  return {
    at(place) {
      const word = `canary${1000 + places.size}x`;
      places.set(word, place);
      return word;
    },
    foundIn: (bytes) =>
      [...places].filter(([word]) => formsOf(word).some((form) => bytes.includes(form))).map(([, at]) => at),
  };
}

function formsOf(word: string): Buffer[] {
  const bytes = Buffer.from(word);
  return [
    bytes,
    Buffer.from(word, 'utf16le'),
    Buffer.from(bytes.toString('base64').slice(0, 12)),
    Buffer.from(bytes.toString('hex')),
  ];
}

/** Attributes that must not be kept, with a value of every kind. */
function forbidden(words: Canaries, place: string): Json[] {
  const word = (key: string): string => words.at(`${place} ${key}`);
  const nested = {
    kvlistValue: { values: [{ key: 'k', value: { arrayValue: { values: [{ stringValue: word('nested') }] } } }] },
  };
  return [
    text('user.email', word('user.email')),
    text('user.id', word('user.id')),
    text('userEmail', word('userEmail')),
    text('url.full', word('url.full')),
    text('baggage.a', word('baggage.a')),
    { key: 'enduser.id', value: nested },
    { key: 'db.query.text', value: { bytesValue: Buffer.from(word('bytes')).toString('base64') } },
    { key: 'http.request.header.cookie', value: { arrayValue: { values: [{ stringValue: word('header') }] } } },
  ];
}

/** Of spans and resources unknown attributes are not kept either. */
function forbiddenOrUnknown(words: Canaries, place: string): Json[] {
  return [...forbidden(words, place), text('demo.customer', words.at(`${place} demo.customer`))];
}

function canarySpans(words: Canaries): Json {
  const endMs = Date.now();
  const one = {
    ...span(2, endMs, 5, [
      ...forbiddenOrUnknown(words, 'span'),
      text('http.request.method', words.at('method')),
      text('http.route', `/orders?${words.at('route')}`),
      text('rpc.service', `${words.at('rpc.service')}@example.com`),
    ]),
    name: words.at('name'),
    traceState: `a=${words.at('tracestate')}`,
    status: { code: 2, message: words.at('status') },
    events: [{ name: words.at('event'), timeUnixNano: nanos(endMs), attributes: forbiddenOrUnknown(words, 'event') }],
    links: [{ traceState: words.at('link tracestate'), attributes: forbiddenOrUnknown(words, 'link') }],
  };
  const scope = {
    name: words.at('scope'),
    version: words.at('version'),
    attributes: forbiddenOrUnknown(words, 'scope'),
  };
  const resource = { attributes: [text('service.name', 'shop'), ...forbiddenOrUnknown(words, 'resource')] };
  const late = { ...one, startTimeUnixNano: '0', name: words.at('rejected') };
  return { resourceSpans: [{ resource, schemaUrl: words.at('schema'), scopeSpans: [{ scope, spans: [one, late] }] }] };
}

function canaryMetrics(words: Canaries, prefix: string): Json {
  const timeUnixNano = nanos(Date.now());
  const point = (place: string): Json => ({
    timeUnixNano,
    attributes: forbidden(words, place),
    exemplars: [
      { timeUnixNano, asDouble: 1, filteredAttributes: forbiddenOrUnknown(words, `${place} exemplar`).slice(0, 1) },
    ],
  });
  const histogram = { ...point('histogram'), count: '1', sum: 1, bucketCounts: ['1', '0'], explicitBounds: [1] };
  const native = {
    ...point('native'),
    count: '1',
    sum: 1,
    scale: 0,
    zeroCount: '0',
    positive: { offset: 0, bucketCounts: ['1'] },
  };
  const metrics = [
    { name: `${prefix}.gauge`, gauge: { dataPoints: [{ ...point('gauge'), asDouble: 1 }] } },
    {
      name: `${prefix}.sum`,
      sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...point('sum'), asInt: '1' }] },
    },
    { name: `${prefix}.bad`, sum: { aggregationTemporality: 0, dataPoints: [{ ...point('rejected'), asInt: '1' }] } },
    { name: `${prefix}.histogram`, histogram: { aggregationTemporality: 2, dataPoints: [histogram] } },
    { name: `${prefix}.native`, exponentialHistogram: { aggregationTemporality: 2, dataPoints: [native] } },
  ];
  const scope = { name: 'scope', attributes: forbiddenOrUnknown(words, 'metric scope') };
  const attributes = [
    text('service.name', 'shop'),
    text('service.instance.id', '1'),
    ...forbiddenOrUnknown(words, 'metric resource'),
  ];
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ scope, metrics }] }] };
}

function canaryWrite(words: Canaries, metric: string, timestamp: number): Parameters<typeof encodeV1>[0] {
  const names = [
    'client_ip',
    'email',
    'exported_email',
    'http_url',
    'password',
    'user',
    'user.email',
    'x_forwarded_for',
  ];
  const labels = names.map((name) => [name, words.at(`${metric} ${name}`)] as const);
  const exemplars = [{ labels: [['email', words.at(`${metric} exemplar`)] as const], value: 1, timestamp }];
  return [{ labels: [['__name__', metric], ...labels], samples: [{ value: 1, timestamp }], exemplars }];
}

test('no way in keeps, logs or shows what must not be kept', async () => {
  const words = canaries();
  const scraped = ['email', 'client_ip', 'userEmail', 'user'].map((name) => `${name}="${words.at(`scrape ${name}`)}"`);
  const exposition = `scraped_total{${scraped.join(',')}} 1 # {email="${words.at('scrape exemplar')}"} 1\n# EOF\n`;
  const target = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/openmetrics-text; version=1.0.0' }).end(exposition);
  });
  await new Promise<void>((resolve) => void target.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = target.address() as AddressInfo;
    const secret = words.at('password of a job');
    await start(
      `scrape_configs:
  - job_name: shop
    scrape_interval: 200ms
    scrape_timeout: 200ms
    basic_auth: {username: u, password: ${secret}}
    static_configs: [{targets: ['127.0.0.1:${port}'], labels: {email: ${words.at('target label')}}}]
`,
    );
    const now = Date.now();
    const sent = [
      await sendJson('traces', canarySpans(words)),
      await post('/v1/traces', traceProtobuf(canarySpans(words)), 'application/x-protobuf'),
      await sendJson('metrics', canaryMetrics(words, 'json')),
      await post(
        '/v1/metrics',
        gzipSync(metricsProtobuf(canaryMetrics(words, 'binary'))),
        'application/x-protobuf',
        'gzip',
      ),
      await sendV1(encodeV1(canaryWrite(words, 'one', now))),
      await post(
        '/api/v1/write',
        compress(encodeV2(canaryWrite(words, 'two', now))),
        'application/x-protobuf;proto=io.prometheus.write.v2.Request',
        'snappy',
      ),
    ];
    expect(sent.map(({ status }) => status)).toEqual([200, 200, 200, 200, 204, 204]);
    // What cannot be read goes into no log.
    const broken = JSON.stringify(canarySpans(words)).slice(0, -20);
    expect((await post('/v1/traces', broken, 'application/json')).status).toBe(400);
    expect((await sendV1(encodeV1(canaryWrite(words, 'late', now + 3_600_000)))).status).toBe(400);
    await until(async () => (await value('scraped_total')) === '1');
    for (const metric of ['json_gauge', 'json_histogram_count', 'binary_sum_total', 'one', 'two']) {
      expect(await value(`count({__name__="${metric}"})`), metric).toBe('1');
    }
    const shown = (await own()) + (await (await fetch(`${agent!.otlpUrl}/api/v1/targets`)).text());

    const running = await foundInFolder(words);
    await agent!.close();
    expect([...running, ...(await foundInFolder(words))]).toEqual([]);
    expect(words.foundIn(Buffer.from(log))).toEqual([]);
    // The page of targets shows their labels as they are configured, to people of the domain.
    expect(words.foundIn(Buffer.from(shown))).toEqual(['target label']);
  } finally {
    target.closeAllConnections();
    target.close();
  }
});

async function foundInFolder(words: Canaries): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('.yaml')) continue;
    const file = join(entry.parentPath, entry.name);
    found.push(...words.foundIn(await readFile(file)).map((place) => `${file}: ${place}`));
  }
  return found;
}

test('each limit has an answer and a count, and known series go on', async () => {
  await start('limits: {series: 40, series_per_metric: 20}\n');
  const now = Date.now();
  const gauge = (name: string, attributes: Json[] = [], timeMs = now): Json => ({
    name,
    gauge: { dataPoints: [{ timeUnixNano: nanos(timeMs), asDouble: timeMs - now, attributes }] },
  });
  const send = async (metrics: Json[]) =>
    (await sendJson('metrics', metricsRequest([text('service.name', 's')], metrics))).text;
  const many = (count: number, name: (i: number) => string, attribute = false): Json[] =>
    Array.from({ length: count }, (_, i) => gauge(name(i), attribute ? [text('i', String(i))] : []));
  expect(await send([gauge('known')])).toBe('{}');
  expect(await send(many(25, () => 'wide', true))).toContain('5 metric_series_limit');
  expect(await send(many(30, (i) => `metric_${i}`))).toContain('11 series_limit');
  expect(await send([gauge('known', [], now + 1)])).toBe('{}');
  expect(await value('known')).toBe('1');
  expect(
    await send([
      gauge(
        'known',
        Array.from({ length: 70 }, (_, i) => text(`a${i}`, 'x')),
      ),
    ]),
  ).toContain('1 too_many_labels');
  expect(await send([gauge('known', [text('a', 'x'.repeat(5_000))])])).toContain('1 label_too_long');
  expect(await send([gauge('known', [], now + 3_600_000)])).toContain('1 too_far_in_future');
  const more = encodeV1([{ labels: [['__name__', 'more']], samples: [{ value: 1, timestamp: now }] }]);
  expect(await sendV1(more)).toMatchObject({ status: 400, text: expect.stringContaining('1 series_limit') });
  const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024));
  expect((await post('/v1/metrics', bomb, 'application/x-protobuf', 'gzip')).status).toBe(413);
  const rejected = 'comity_agent_rejected_total{receiver="otlp_http",signal="metrics",reason=';
  const shown = await own();
  expect(shown).toContain(`${rejected}"metric_series_limit"} 5`);
  expect(shown).toContain(`${rejected}"series_limit"} 11`);
  expect(shown).toContain('comity_agent_requests_total{receiver="otlp_http",signal="metrics",status="413"} 1');
});

test('deltas and spans count once, whatever is sent again, before and after a restart', async () => {
  await start();
  const base = Date.now() - 10_000;
  const delta = (amount: number, offsetMs: number): Json => ({
    name: 'orders',
    sum: {
      aggregationTemporality: 1,
      isMonotonic: true,
      dataPoints: [{ timeUnixNano: nanos(base + offsetMs), asDouble: amount }],
    },
  });
  const metrics = (...points: Json[]): Json => metricsRequest([text('service.name', 's')], points);
  const spans = {
    resourceSpans: [
      { resource: { attributes: [text('service.name', 's')] }, scopeSpans: [{ spans: [span(2, base, 5)] }] },
    ],
  };
  const first = metrics(delta(1, 1), delta(2, 2));
  await Promise.all([
    sendJson('metrics', first),
    sendJson('metrics', first),
    sendJson('traces', spans),
    sendJson('traces', spans),
  ]);
  expect(await value('orders_total')).toBe('3');
  // A batch of another composition: the last point is known, the new one is not.
  expect((await sendJson('metrics', metrics(delta(2, 2), delta(4, 3)))).text).toBe('{}');
  expect((await sendJson('metrics', metrics(delta(8, 0)))).text).toContain('1 out_of_order');
  await agent!.close();
  await open();
  await sendJson('metrics', first);
  await sendJson('traces', spans);
  expect((await sendJson('metrics', metrics(delta(4, 3), delta(16, 4)))).text).toBe('{}');
  expect(await value('orders_total')).toBe('23');
  expect(await value('sum(traces_spanmetrics_calls_total)')).toBe('1');
});
