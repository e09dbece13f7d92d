import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { messageOf } from '../../src/base/errors.ts';
import { redactCommand } from '../../src/cli/redact.ts';
import { openDomainKeys } from '../../src/policy/domain-key.ts';
import { metricsProtobuf, metricsRequest, span, text, traceProtobuf, traceRequest } from '../wire/otlp-requests.ts';

let dir = '';

const SPANS = traceRequest(
  [text('service.name', 'shop'), text('demo.customer', 'alice')],
  [
    {
      ...span(2, 1_000, 5, [
        text('http.request.method', 'GET'),
        text('user.id', 'alice'),
        text('url.full', 'https://x/alice'),
      ]),
      status: { code: 2, message: 'no alice' },
      events: [{ name: 'alice came', attributes: [text('exception.type', 'E')] }],
      links: [{ traceId: 'abcd', spanId: 'b7ad6b7169203331' }],
    },
    { ...span(2, 1_000, 5), traceId: 'abcd' },
  ],
);
const METRICS = metricsRequest(
  [text('service.name', 'shop')],
  [
    {
      name: 'orders',
      description: 'ask a@example.com',
      gauge: { dataPoints: [{ timeUnixNano: '1000000', asInt: '1', attributes: [text('user.email', 'alice')] }] },
    },
  ],
);
const EXPOSITION = 'orders_total{email="alice",shop="7"} 1 # {trace_id="ab",who="alice"} 1\nup 1\n# EOF\n';

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'comity-redact-'));
  await Promise.all([
    writeFile(join(dir, 'spans.json'), JSON.stringify(SPANS)),
    writeFile(join(dir, 'spans.bin'), traceProtobuf(SPANS)),
    writeFile(join(dir, 'metrics.json'), JSON.stringify(METRICS)),
    writeFile(join(dir, 'metrics.bin'), metricsProtobuf(METRICS)),
    writeFile(join(dir, 'exposition.txt'), EXPOSITION),
    writeFile(join(dir, 'broken.json'), '{"resourceSpans": [{"scopeSpans": 1}]}'),
    writeFile(join(dir, 'empty.bin'), Buffer.from([0x0a, 0x00])),
    writeFile(join(dir, 'policy.yaml'), 'version: 1\ndomain: eu\nadmit: {prohibit: [shop], public: [demo.customer]}\n'),
    writeFile(
      join(dir, 'agent.yaml'),
      'domain: eu\njurisdiction: TEST\nlisten: {otlp: "127.0.0.1:0", federation: "127.0.0.1:0"}\nstore: eu.sqlite\npolicy: policy.yaml\ntoken: a token of this test alone\n',
    ),
  ]);
});

afterAll(() => rm(dir, { recursive: true, force: true }));

async function redact(file: string, ...args: string[]): Promise<string> {
  let out = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((shown) => {
    out += String(shown);
    return true;
  });
  try {
    await redactCommand().parseAsync([join(dir, file), ...args], { from: 'user' });
    return out;
  } catch (error) {
    return `error: ${messageOf(error)}`;
  } finally {
    write.mockRestore();
  }
}

describe('the diff', () => {
  test.each(['spans.json', 'spans.bin'])('of %s', async (file) => {
    const lines = (await redact(file)).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        '  resource 0 [service.name]: "shop"',
        '- resource 0 [demo.customer]: "alice"',
        '- span b7ad6b7169203331 name: "a name that may hold a secret"',
        '+ span b7ad6b7169203331 name: "GET"',
        '- span b7ad6b7169203331 [user.id]: "alice"',
        expect.stringMatching(/^\+ span b7ad6b7169203331 \[user\.id\]: "~.{22}"$/),
        '- span b7ad6b7169203331 [url.full]: "https://x/alice"',
        '- span b7ad6b7169203331 status message: "no alice"',
        '+ span b7ad6b7169203331 event 0 name: "__other__"',
        '- span b7ad6b7169203331 link b7ad6b7169203331 trace id: "abcd"',
        expect.stringMatching(/^attribute +url\.full +prohibited +dropped +1$/),
        '1 spans or points are stored not at all: no agent would take them',
      ]),
    );
    // Said, but not stored.
    expect(lines.filter((line) => /^[+ ]/.test(line) && line.includes('alice'))).toEqual([]);
  });

  test.each(['metrics.json', 'metrics.bin'])('of %s', async (file) => {
    expect((await redact(file)).split('\n').slice(0, 4)).toEqual([
      expect.stringContaining('- orders{domain="domain", job="shop", service_name="shop", user_email="alice"}'),
      expect.stringMatching(/^\+ orders\{.*user_email="~.{22}"\}$/),
      '- family: "orders" gauge "ask a@example.com"',
      '+ family: "orders" gauge ""',
    ]);
  });

  test('of an exposition', async () => {
    const found = await redact('exposition.txt', '--content-type', 'application/openmetrics-text; version=1.0.0');
    expect(found.split('\n').slice(0, 5)).toEqual([
      '- orders_total{domain="domain", email="alice", shop="7"}',
      expect.stringMatching(/^\+ orders_total\{domain="domain", email="~.{22}", shop="7"\}$/),
      '- exemplar: {trace_id="ab", who="alice"}',
      '+ exemplar: {trace_id="ab"}',
      '  up{domain="domain"}',
    ]);
  });
});

test('JSON shows what is stored and nothing else', async () => {
  const files = ['spans.json', 'spans.bin', 'metrics.json', 'metrics.bin', 'exposition.txt'];
  for (const file of files) {
    const found = await redact(file, '--json');
    expect(JSON.parse(found), file).toMatchObject({ decisions: expect.any(Array) });
    expect(found, file).not.toContain('alice');
  }
});

test('an agent’s policy and key count, and no key is made for it', async () => {
  const before = await redact('exposition.txt', '--config', join(dir, 'agent.yaml'), '--signal', 'exposition');
  expect(before).toMatch(/^\+ orders_total\{domain="eu", email="~.{22}", shop="~.{22}"\}$/m);
  expect(await readdir(dir)).not.toContain('eu.key');
  openDomainKeys(join(dir, 'eu.key'));
  const [one, two] = [
    await redact('exposition.txt', '--config', join(dir, 'agent.yaml')),
    await redact('exposition.txt', '--config', join(dir, 'agent.yaml')),
  ];
  expect(one).toBe(two);
  expect(one).not.toBe(before);
  expect(await redact('spans.json', '--config', join(dir, 'agent.yaml'))).toContain(
    '  resource 0 [demo.customer]: "alice"',
  );
});

test.each<[file: string, args: string[], error: RegExp]>([
  ['broken.json', [], /broken\.json: .*scopeSpans/],
  ['nothing.json', [], /nothing\.json: .*ENOENT/],
  ['empty.bin', [], /say which by --signal/],
  ['exposition.txt', ['--signal', 'traces'], /exposition\.txt: /],
  ['spans.json', ['--signal', 'exposition'], /spans\.json: /],
])('%s %j is an error', async (file, args, error) => {
  expect(await redact(file, ...args)).toMatch(error);
});
