import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { compress } from 'snappyjs';
import { afterEach, expect, test } from 'vitest';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { adminSocket } from '../../src/agent/admin.ts';
import { readAgentConfig } from '../../src/agent/config.ts';
import type { KeysAnswer } from '../../src/agent/key-report.ts';
import { askAdmin } from '../../src/cli/admin-request.ts';
import { draftText } from '../../src/cli/policy-draft-text.ts';
import { parsePolicy } from '../../src/policy/document.ts';
import { callGrpc, grpcClient, METRICS_PATH, TRACES_PATH } from '../agent/otlp-grpc-client.ts';
import { CANARY, canaryRequest } from '../policy/canary-request.ts';
import { randomFrom } from '../random.ts';
import { apiData, until } from '../senders/query-api.ts';
import { metricsProtobuf, metricsRequest, nanos, text, traceProtobuf, type Json } from '../wire/otlp-requests.ts';
import { encodeV1, encodeV2 } from '../wire/remote-write-requests.ts';

/** An agent under senders that put data into every place there is: names, units and help as well as values, and numbers. */

let agent: Agent | undefined;
let dir = '';

afterEach(async () => {
  await agent?.close();
  await rm(dir, { recursive: true, force: true });
});

/** What must be found nowhere: words and the number 47114711, in the forms that they take. */
const CANARIES: ReadonlyMap<string, Buffer> = new Map([
  ['text', Buffer.from(CANARY)],
  ['UTF-16', Buffer.from(CANARY, 'utf16le')],
  ['hexadecimal', Buffer.from(Buffer.from(CANARY).toString('hex'))],
  ...[0, 1, 2].map(
    (skipped) =>
      // The whole groups of base64, whatever stood before the word.
      [
        `base64 ${skipped}`,
        Buffer.from(
          Buffer.from(`${'x'.repeat(skipped)}${CANARY}`)
            .toString('base64')
            .slice(skipped === 0 ? 0 : 4, 8),
        ),
      ] as const,
  ),
  ['number', Buffer.from('47114711')],
  ['float64', floatBytes(47114711)],
]);

function floatBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function foundIn(place: string, bytes: Buffer): string[] {
  return [...CANARIES].filter(([, form]) => bytes.includes(form)).map(([form]) => `${place}: ${form}`);
}

const MAIL = `${CANARY}@example.com`;

/** Words that each way in is to keep. */
const KEPT = 'marker-of-what-is-stored';

function metrics(prefix: string): Json {
  const timeUnixNano = nanos(Date.now());
  const attributes = [
    text('http.route', `/users/${MAIL}`),
    text('shop', KEPT),
    text('user.email', MAIL),
    { key: 'user.id', value: { intValue: '47114711' } },
    { key: 'password', value: { arrayValue: { values: [{ doubleValue: 47114711 }] } } },
  ];
  const exemplars = [
    {
      timeUnixNano,
      asDouble: 1,
      spanId: 'b7ad6b7169203331',
      traceId: '0af7651916cd43dd8448eb211c80319c',
      filteredAttributes: [
        text(CANARY, CANARY),
        text('http.route', MAIL),
        { key: 'user.id', value: { intValue: '47114711' } },
      ],
    },
  ];
  const sum = (name: string, changes: Json = {}): Json => ({
    name,
    unit: 's',
    description: `mail ${MAIL}`,
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [{ timeUnixNano, asDouble: 1, attributes, exemplars }],
    },
    ...changes,
  });
  const request = metricsRequest(
    [text('service.name', 'shop'), text('demo.customer', CANARY), text('url.full', MAIL)],
    [sum(`${prefix}.sum`), sum(`${prefix}.unit`, { unit: `{${MAIL}}` })],
  );
  return request;
}

function written(prefix: string): Parameters<typeof encodeV1>[0] {
  const timestamp = Date.now();
  const series = (metric: string, labels: readonly (readonly [string, string])[] = []) => ({
    labels: [['__name__', metric] as const, ...labels, ['shop', KEPT] as const],
    samples: [{ value: 1, timestamp }],
    exemplars: [{ labels: [['route', MAIL] as const, [CANARY, '47114711'] as const], value: 1, timestamp }],
    metadata: { type: 1, help: `mail ${MAIL}`, unit: MAIL },
  });
  return [
    series(`${prefix}_plain`, [
      ['route', `/users/${MAIL}`],
      ['email', CANARY],
    ]),
    series(`${prefix} of ${MAIL}`),
    series(`${prefix}_named`, [[`of ${MAIL}`, 'x']]),
  ];
}

test('no place of any signal keeps what must not be kept, whichever way it comes in', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = randomFrom(seed);
  const exposition = [
    `# HELP scraped mail ${MAIL}`,
    '# TYPE scraped gauge',
    `scraped{route="/users/${MAIL}",password="47114711",shop="${KEPT}"} 1`,
    `{"scraped of ${MAIL}","of ${MAIL}"="x"} 1`,
  ].join('\n');
  const target = createServer((_request, response) => {
    response
      .writeHead(200, { 'content-type': 'text/plain; version=1.0.0; escaping=allow-utf-8' })
      .end(`${exposition}\n`);
  });
  await new Promise<void>((resolve) => void target.listen(0, '127.0.0.1', resolve));
  let log = '';
  try {
    const { port } = target.address() as AddressInfo;
    dir = await mkdtemp(join(tmpdir(), 'comity-places-'));
    await writeFile(
      join(dir, 'policy.yaml'),
      'version: 1\ndomain: eu\nadmit: {prohibit: [demo.order, password], public: [demo.tier]}\n',
    );
    await writeFile(
      join(dir, 'agent.yaml'),
      `domain: eu
jurisdiction: TEST
listen: {otlp: "127.0.0.1:0", otlp_grpc: "127.0.0.1:0", query: "127.0.0.1:0", federation: "127.0.0.1:0"}
store: eu.sqlite
shards: 0
policy: policy.yaml
token: a token of this test alone
scrape_configs:
  - job_name: scraped
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs: [{targets: ['127.0.0.1:${port}']}]
`,
    );
    const config = readAgentConfig(join(dir, 'agent.yaml'));
    agent = await startAgent(config, pino({ level: 'trace' }, { write: (line: string) => void (log += line) }));
    const { otlpUrl, queryUrl, grpcUrl } = agent;
    const post = async (path: string, body: Uint8Array | string, type: string, encoding?: string): Promise<number> => {
      const headers = { 'content-type': type, ...(encoding === undefined ? {} : { 'content-encoding': encoding }) };
      return (await fetch(`${otlpUrl}${path}`, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers }))
        .status;
    };
    const spans = (): Json => canaryRequest(random, Date.now());
    const statuses = [
      await post('/v1/traces', JSON.stringify(spans()), 'application/json'),
      await post('/v1/traces', traceProtobuf(spans()), 'application/x-protobuf'),
      await post('/v1/metrics', JSON.stringify(metrics('json')), 'application/json'),
      await post('/v1/metrics', metricsProtobuf(metrics('protobuf')), 'application/x-protobuf'),
      await post('/api/v1/write', compress(encodeV1(written('one'))), 'application/x-protobuf', 'snappy'),
      await post(
        '/api/v1/write',
        compress(encodeV2(written('two'))),
        'application/x-protobuf;proto=io.prometheus.write.v2.Request',
        'snappy',
      ),
    ];
    expect(statuses).toEqual([200, 200, 200, 200, 204, 204]);
    const client = grpcClient(new URL(grpcUrl!).host);
    const called = [
      await callGrpc(client, TRACES_PATH, Buffer.from(traceProtobuf(spans()))),
      await callGrpc(client, METRICS_PATH, Buffer.from(metricsProtobuf(metrics('grpc')))),
    ];
    client.close();
    expect(called.map(({ code }) => code)).toEqual([0, 0]);

    // All of it is there, under names that say nothing.
    const count = async (query: string): Promise<string | undefined> => {
      const { result } = await apiData<{ result: { value: [number, string] }[] }>(queryUrl!, 'query', { query });
      return result[0]?.value[1];
    };
    await until(async () => (await count('count(scraped)')) === '1');
    for (const metric of [
      'json_sum_seconds_total',
      'protobuf_sum_seconds_total',
      'grpc_sum_seconds_total',
      'one_plain',
      'two_named',
    ]) {
      expect(await count(`count(${metric}{shop="${KEPT}"})`), metric).toBe('1');
    }
    await until(async () => (await count('count({__name__=~"~.{22}"})')) === '3');
    expect(await count('count({__name__=~"~.{22}"})')).toBe('3');
    await until(async () => (await count('count({route=~"~.{22}"})')) === '3');
    expect(await count('count({route=~"~.{22}"})')).toBe('3');

    const seen = (await askAdmin(adminSocket(config.store), 'GET', '/keys')) as KeysAnswer;
    const keys = new Map(seen.attributes.map((one) => [`${one.place} ${one.key}`, one]));
    expect(keys.get('span user.email')).toMatchObject({ class: 'prohibited', entry: 'user.email' });
    expect(keys.get('resource demo.customer')).toMatchObject({ class: 'prohibited', entry: 'unknown' });
    expect(keys.get('exemplar user_id') ?? keys.get('exemplar user.id')).toMatchObject({ class: 'subject', values: 1 });
    const labels = new Map(seen.labels.map((one) => [one.name, one]));
    expect(labels.get('shop')).toEqual({ name: 'shop', class: 'local', entry: 'unlisted', values: 1 });
    expect(labels.get('password')).toMatchObject({ class: 'prohibited' });
    expect(seen.metrics).toContain('one_plain');
    const draft = draftText(seen, 0);
    expect(parsePolicy(draft, 'draft', 'eu', 'domain').classOf('one_plain')).toBe('aggregate');

    const shown = [
      ...foundIn('metrics', Buffer.from(await (await fetch(`${otlpUrl}/metrics`)).text())),
      // A key that is a canary by its name is shown as any key is; no value of one is.
      ...foundIn('keys', Buffer.from(JSON.stringify(seen).replaceAll(`"key":"${CANARY}"`, ''))),
      ...foundIn('metadata', Buffer.from(JSON.stringify(await apiData(queryUrl!, 'metadata', {})))),
    ];
    for (const label of ['__name__', 'route', 'http_route', 'user_email', 'user_id', 'password', 'job']) {
      shown.push(...foundIn(label, Buffer.from(JSON.stringify(await apiData(queryUrl!, `label/${label}/values`, {})))));
    }
    const running = await foundInFolder();
    await agent.close();
    const closed = await foundInFolder();
    expect(
      { shown, files: [...running.found, ...closed.found], log: foundIn('log', Buffer.from(log)) },
      `seed ${seed}`,
    ).toEqual({
      shown: [],
      files: [],
      log: [],
    });
    // What is stored can be seen in the files: the search looks where there is something.
    expect(running.isKeptSeen && closed.isKeptSeen).toBe(true);
  } finally {
    target.closeAllConnections();
    target.close();
  }
});

async function foundInFolder(): Promise<{ readonly found: string[]; readonly isKeptSeen: boolean }> {
  const found: string[] = [];
  let isKeptSeen = false;
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('.yaml')) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file);
    found.push(...foundIn(file, bytes));
    isKeptSeen ||= bytes.includes(KEPT);
  }
  return { found, isKeptSeen };
}
