import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkCommand } from '../../src/cli/check.ts';
import { explainCommand } from '../../src/cli/explain.ts';
import { queryCommand } from '../../src/cli/query.ts';
import type { Explanation } from '../../src/hub/explain.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { callApi } from '../system/api.ts';
import { startFederation, store, type Federation } from '../system/federation.ts';

const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
const NOW = String(NOW_MS / 1000);

/** Domain b seals what a gives sums of; only a lists quantile. */
const policy = (domain: string): string => `
version: 1
domain: ${domain}
labels: {permit: [service], deny: [namespace, route, code]}
metrics:
  - {match: up, class: open}
  - {match: regional, class: ${domain === 'a' ? 'aggregate' : 'sealed'}}
  - {match: seconds, class: aggregate, operators: [sum, count, quantile]}
`;

let federation: Federation;

beforeAll(async () => {
  federation = await startFederation({ domains: ['a', 'b'], policy });
  for (const [domain, agent] of federation.agents) {
    const batch = batchBuilder();
    for (const name of ['up', 'requests', 'regional', 'seconds']) {
      for (const service of ['cart', 'pay', 'ship']) {
        const user = name === 'up' ? {} : { user: 'canary' };
        batch.add(labelsOf({ __name__: name, job: 'shop', service, domain, ...user }), NOW_MS, 1);
      }
    }
    await store(agent, batch.build());
  }
});

afterAll(() => federation.close());

async function explain(query: string, params: Record<string, string> = {}): Promise<Explanation> {
  const { body } = await callApi<Explanation>(federation.url, '/api/v1/explain', { query, time: NOW, ...params });
  expect(body.status, body.error).toBe('success');
  return body.data;
}

describe('/api/v1/explain', () => {
  it('tells what each domain is asked, what lets it out and what it may cost', async () => {
    const made = await explain('sum by (service) (requests) / 2');
    expect(made).toMatchObject({ query: 'sum by (service) (requests) / 2', type: 'vector', steps: { steps: 1 } });
    expect(made.remainder).toMatchObject({ node: '/', labels: 'service', parts: [{ fragment: 0 }, { node: '2' }] });
    expect(made.fragments).toHaveLength(1);
    const [fragment] = made.fragments;
    expect(fragment).toMatchObject({
      answer: 'partial',
      expr: 'sum by (service) (requests)',
      steps: { startMs: NOW_MS, steps: 1 },
      reads: { fromMs: NOW_MS - 300_000, toMs: NOW_MS },
    });
    const rules = [{ metric: 'requests', class: 'aggregate', rule: 'default' }];
    const allowed = { verdict: 'allowed', rules, series: 3, atMost: { rows: 3, cells: 3, bytes: 48 } };
    expect(fragment!.domains).toEqual([
      { domain: 'a', ...allowed },
      { domain: 'b', ...allowed },
    ]);
    expect(made).not.toHaveProperty('analyzed');
    expect(made).not.toHaveProperty('refused');
  });

  it('prunes by the domain label and shows refusals with the query that no domain refuses', async () => {
    const { fragments, nearest } = await explain('sum(regional) / sum(up{domain="a"})');
    expect(fragments.map(({ domains }) => domains.map(({ verdict }) => verdict))).toEqual([
      ['allowed', 'refused'],
      ['allowed', 'pruned'],
    ]);
    expect(fragments[0]!.domains[1]).toEqual({
      domain: 'b',
      verdict: 'refused',
      code: 'class_sealed',
      name: 'regional',
      reason: 'refused: regional (1:5): metric regional is sealed in domain b: nothing of it leaves',
    });
    expect(fragments[1]!.domains[1]).toEqual({ domain: 'b', verdict: 'pruned', by: 'domain_label' });
    expect(nearest).toEqual({ query: 'sum(regional{domain!="b"}) / sum(up{domain="a"})', widened: [] });
    expect((await explain(nearest!.query)).fragments.flatMap(({ domains }) => domains)).not.toContainEqual(
      expect.objectContaining({ verdict: 'refused' }),
    );
  });

  it('finds a query that what it learns on the way asks for', async () => {
    // Only when it is asked again does b say that it seals the other metric too.
    const { nearest } = await explain('sum by (user) (requests) + sum(max(seconds))');
    expect(nearest).toBeDefined();
    const again = await explain(nearest!.query);
    expect(again.fragments.flatMap(({ domains }) => domains.map(({ verdict }) => verdict))).not.toContain('refused');
  });

  it('proposes the sketch that all domains list', async () => {
    const { nearest } = await explain('quantile(0.9, seconds)');
    expect(nearest).toEqual({ query: 'quantile(0.9, seconds)', approx: 0.01, widened: [] });
    const sketched = await explain('quantile(0.9, seconds)', { approx: '0.01' });
    expect(sketched).toMatchObject({ approx: 0.01, fragments: [{ answer: 'sketch', relativeError: 0.01 }] });
    expect((await explain('quantile(0.9, requests)')).nearest).toEqual({
      query: 'quantile(0.9, sum by (job) (requests))',
      widened: [],
    });
  });

  it('says why a query cannot be split', async () => {
    const { refused, nearest, fragments } = await explain('up[5m]');
    expect([refused?.reason, nearest, fragments]).toEqual([
      'range_vector',
      { query: 'last_over_time(up[5m])', widened: [] },
      [],
    ]);
  });

  it('runs the query with analyze', async () => {
    const made = await explain('sum by (service) (requests)', { analyze: 'true', start: NOW, end: NOW, step: '15' });
    expect(made.analyzed).toMatchObject({
      rows: 3,
      domains: [{ domain: 'a', status: 'ok', rows: 3, rowsOf: [3] }, { domain: 'b' }],
    });
    const { bytes, domains } = made.analyzed!;
    expect(bytes).toBe(domains.reduce((sum, domain) => sum + domain.bytes, 0));
    expect(domains.every((domain) => domain.bytes > 0 && domain.tookMs > 0)).toBe(true);
    const refused = await explain('requests', { analyze: 'true' });
    expect([refused.refused?.reason, refused.analyzed]).toEqual(['class_aggregate', undefined]);
  });

  it('holds nothing of the series themselves', async () => {
    for (const query of ['requests', 'sum by (user) (requests)', 'sum(requests)', 'sum({user!=""})']) {
      expect(JSON.stringify(await explain(query, { analyze: '1' }))).not.toContain('canary');
    }
  });

  it.each([
    [{ query: 'sum(' }, /^invalid parameter "query": 1:5: parse error/],
    [{ query: 'up', approx: '2' }, /^invalid parameter "approx": a sketch can have a relative error/],
    [{ query: 'up', approx: 'x' }, /^invalid parameter "approx"/],
    [{ query: 'up', start: NOW }, /^invalid parameter "end": it is missing/],
  ])('%j is a mistake', async (params, message) => {
    const { status, body } = await callApi(federation.url, '/api/v1/explain', params as Record<string, string>);
    expect([status, body.errorType]).toEqual([400, 'bad_data']);
    expect(body.error).toMatch(message);
  });
});

describe('approximate answers', () => {
  it('say so', async () => {
    const { body } = await callApi(federation.url, '/api/v1/query', {
      query: 'quantile(0.5, seconds)',
      time: NOW,
      approx: '0.02',
    });
    expect(body.data).toMatchObject({ approximate: { relativeError: 0.02 } });
    expect(body).toMatchObject({
      infos: ['PromQL info: quantile is approximate, each value within 2 % of what lies at its rank'],
    });
    expect(Math.abs(Number(body.data.result[0]!.value[1]) - 1)).toBeLessThan(0.0201);
    const exact = await callApi(federation.url, '/api/v1/query', { query: 'sum(seconds)', time: NOW, approx: '0.02' });
    expect(exact.body.data).not.toHaveProperty('approximate');
  });
});

/** Runs a command as the program does. */
async function run(command: Command, args: readonly string[]): Promise<{ code: number; out: string }> {
  let out = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    await command.parseAsync(args, { from: 'user' });
  } finally {
    write.mockRestore();
  }
  const code = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return { code, out };
}

describe('comity explain', () => {
  it('prints it as text', async () => {
    const made = await run(explainCommand(), ['sum(requests)', '--hub', federation.url, '--time', NOW, '--analyze']);
    expect(made.code).toBe(0);
    expect(made.out).toContain('fragment 0, in each domain at 1 step');
    expect(made.out).toMatch(
      /\n {2}a {2}allows {2}requests is aggregate \(rule default\); 3 series, at most 1 row, 16 B\n/,
    );
    expect(made.out).toMatch(/ran: 1 row in [\d.]+ ms, \d+ B from the domains\n {2}a {2}ok {2}1 row {2}█+/);
  });

  it('exits with 2 where a domain refuses', async () => {
    const made = await run(explainCommand(), ['requests', '--hub', federation.url]);
    expect([made.code, made.out]).toEqual([2, expect.stringContaining('What works: sum by (job) (requests)\n')]);
    const json = await run(explainCommand(), ['requests', '--hub', federation.url, '--json']);
    expect(JSON.parse(json.out)).toMatchObject({ nearest: { query: 'sum by (job) (requests)' } });
  });

  it('says when nobody answers', async () => {
    await expect(run(explainCommand(), ['up', '--hub', 'http://127.0.0.1:1'])).rejects.toThrow(/no hub answers at/);
  });
});

it('comity query takes the error that quantile may have', async () => {
  const args = ['quantile(0.5, seconds)', '--hub', federation.url, '--time', NOW, '--approx', '0.02'];
  const { code, out } = await run(queryCommand(), args);
  expect([code, out]).toEqual([0, expect.stringContaining('\ninfo: PromQL info: quantile is approximate, each value')]);
});

describe('comity check --hub', () => {
  it('has the domains decide', async () => {
    const made = await run(checkCommand(), ['fixtures/dashboards/slo.rules.yaml', '--hub', federation.url, '--json']);
    const { total, counts } = JSON.parse(made.out) as { total: number; counts: Record<string, number> };
    expect([made.code, total, counts['unknown'], counts['invalid']]).toEqual([2, 11, 0, 0]);
    // The others group or match by labels that neither domain lets out.
    expect(counts['answered']).toBe(4);
  });
});

describe('a domain that is silent', () => {
  it('is shown as such', async () => {
    await federation.agents.get('b')!.close();
    const { fragments } = await explain('sum(requests)');
    expect(fragments[0]!.domains).toMatchObject([
      { domain: 'a', verdict: 'allowed' },
      { domain: 'b', verdict: 'unknown', status: 'unreachable', reason: expect.any(String) },
    ]);
  });
});
