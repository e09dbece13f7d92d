import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { KeysAnswer } from '../../src/agent/key-report.ts';
import { messageOf } from '../../src/base/errors.ts';
import { policyDraftCommand } from '../../src/cli/policy-draft.ts';
import { draftText } from '../../src/cli/policy-draft-text.ts';
import { parsePolicy } from '../../src/policy/document.ts';
import { labelRules } from '../../src/policy/label-classes.ts';
import { randomFrom } from '../random.ts';

const ruleOf = labelRules('domain');
const label = (name: string, values: number) => ({ name, ...ruleOf(name, ''), values });

const SEEN: KeysAnswer = {
  domain: 'eu',
  domainLabel: 'domain',
  attributes: [
    { place: 'span', key: 'demo.tier', times: 40, values: 3, class: 'prohibited', entry: 'unknown' },
    { place: 'span', key: 'demo.customer', times: 40, values: 3, class: 'prohibited', entry: 'unknown' },
    { place: 'event', key: 'demo.order', times: 40, values: 256, class: 'prohibited', entry: 'unknown' },
    { place: 'span', key: 'url.full', times: 40, values: 256, class: 'prohibited', entry: 'url.full' },
    { place: 'resource', key: 'user.id', times: 4, values: 1, class: 'subject', entry: 'user.id' },
    { place: 'resource', key: 'service.name', times: 4, values: 1, class: 'public', entry: 'service.name' },
  ],
  attributesLeft: 0,
  labels: [
    label('domain', 1),
    label('job', 4),
    label('method', 3),
    label('http_route', 1000),
    label('pod', 12),
    label('shop', 7),
    label('customerNumber', 400),
    label('email', 900),
  ],
  labelsCut: false,
  metrics: ['http_requests_total', 'http_errors_total', 'job:up:sum', 'up', '~KMbRbriHLoggFLWm38P8EQ', 'a*b'],
  metricsCut: false,
};

test('a draft is a policy by which what was seen may leave as aggregates', () => {
  const text = draftText(SEEN, Date.UTC(2026, 6, 1));
  const policy = parsePolicy(text, 'draft', 'eu', 'domain');
  expect(['http_requests_total', 'job:up:sum', 'up', 'made_later'].map((metric) => policy.classOf(metric))).toEqual([
    'aggregate',
    'aggregate',
    'aggregate',
    'sealed',
  ]);
  expect(['method', 'http_route', 'pod', 'shop', 'email'].map((name) => policy.permitsLabel(name))).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
  expect(policy.admit.prohibit).toEqual(['customerNumber']);
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      '    # "method" # public (method), 3 values',
      '    - "http_route" # public (http.route), 1000 values or more',
      '    # - "pod" # quasi (pod), 12 values',
      '    # - "shop" # unlisted, 7 values',
      '    # "email" # prohibited (email), 900 values',
      '  - { match: "http_*", class: aggregate } # 2 metrics',
      '  - { match: "up", class: aggregate } # 1 metric',
      '    # - "demo.tier" # span, 3 values',
      '    # - "demo.order" # event, 256 values or more',
      '    # "url.full" # url.full, span, 256 values or more',
    ]),
  );
});

test('each line that is offered can be moved up', () => {
  const moved = draftText(SEEN, 0)
    .replace('  permit: []\n', '  permit:\n')
    .replace('    # - "pod"', '    - "pod"')
    .replace('  public: []\n', '  public:\n')
    .replace('    # - "demo.tier"', '    - "demo.tier"');
  const policy = parsePolicy(moved, 'draft', 'eu', 'domain');
  expect(policy.permitsLabel('pod')).toBe(true);
  expect(policy.admit.public).toEqual(['demo.tier']);
});

test('an agent that has seen nothing gets a policy too', () => {
  const nothing = draftText({ ...SEEN, attributes: [], labels: [], metrics: [] }, 0);
  expect(parsePolicy(nothing, 'draft', 'eu', 'domain').classOf('up')).toBe('sealed');
});

/** Whatever is in a name of a sender, it says nothing of its own in the document. */
test('names of senders stay in their places', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = randomFrom(seed);
  const parts = [
    'a',
    '*',
    '\n',
    'default_class: open',
    '"',
    "'",
    '#',
    '\\',
    ': ',
    '- ',
    '\u2028',
    '\u0085',
    '😀',
    '\ud800',
    '{',
    '%',
    '&',
    'email',
    'route',
    '.*',
    '_',
    '__name__',
  ];
  const name = (): string => Array.from({ length: random.int(1, 5) }, () => random.pick(parts)).join('');
  for (let i = 0; i < 300; i++) {
    const names = Array.from({ length: random.int(1, 6) }, name);
    const seen: KeysAnswer = {
      ...SEEN,
      attributes: names.map((key) => ({
        place: 'span',
        key,
        times: 1,
        values: random.int(0, 300),
        class: 'prohibited',
        entry: 'unknown',
      })),
      labels: names.map((one) => label(one, random.int(1, 1000))),
      metrics: names,
    };
    const text = draftText(seen, 0);
    const policy = parsePolicy(text, `seed ${seed}`, 'eu', 'domain');
    expect(policy.classOf('made_later'), `seed ${seed}`).toBe('sealed');
    const document = parse(text) as { labels: { permit: unknown }; default_class: unknown };
    expect([document.labels.permit, document.default_class]).toEqual([[], 'sealed']);
  }
});

test('of very much it tells how much more there is', () => {
  const many = Array.from({ length: 500 }, (_, i) => `m${i}x`);
  const text = draftText({ ...SEEN, metrics: many, labels: many.map((name) => label(name, 1)), metricsCut: true }, 0);
  expect(text).toContain('# 300 metrics more are in no line');
  expect(text).toContain('    # and 300 more');
  expect(text).toContain('# There are more metrics than could be told.');
  expect(text.split('\n').length).toBeLessThan(700);
});

let dir = '';
let server: Server;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'comity-draft-'));
  server = createServer((request, response) => {
    const isKnown = request.url === '/keys' && request.method === 'GET';
    response.end(
      JSON.stringify(isKnown ? { status: 'success', data: SEEN } : { status: 'error', error: 'no such page' }),
    );
  });
  await new Promise<void>((resolve) => void server.listen(join(dir, 'admin.sock'), resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true, force: true });
});

async function run(...args: string[]): Promise<string> {
  let out = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    await policyDraftCommand().parseAsync(args, { from: 'user' });
    return out;
  } catch (error) {
    return `error: ${messageOf(error)}`;
  } finally {
    write.mockRestore();
  }
}

test('the command asks the agent and prints or writes', async () => {
  const socket = join(dir, 'admin.sock');
  const file = join(dir, 'policy.yaml');
  expect(JSON.parse(await run('--socket', socket, '--json'))).toEqual(SEEN);
  expect(await run('--socket', socket, '-o', file)).toBe('');
  const written = await readFile(file, 'utf8');
  expect(await run('--socket', socket)).toBe(written);
  expect(await run('--socket', socket, '-o', file)).toMatch(/^error: cannot write .*EEXIST/);
  expect(await run()).toBe('error: say which agent: --config FILE or --socket PATH');
  expect(await run('--socket', join(dir, 'no.sock'))).toMatch(/^error: no agent is running on the store at/);
});
