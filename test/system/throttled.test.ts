import { afterAll, beforeAll, expect, it } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { callApi, type ApiReply, type QueryData } from './api.ts';
import { startFederation, store, type Federation } from './federation.ts';
import { countQueries, throttle, type Counter, type Line, type Proxy } from './proxies.ts';

const DOMAINS = ['eu', 'us', 'small'];
const NOW_MS = Math.floor(Date.now() / 15_000) * 15_000;
const NOW = NOW_MS / 1000;
const SERVICES = 10;
const PANELS = 30;

/** What the small domain may be asked at once, over a line that carries little. */
const MAX_CONCURRENT = 2;
const LATENCY_MS = 30;
const BYTES_PER_SECOND = 64 * 1024;

let federation: Federation;
let counter: Counter;
let line: Line;
const proxies: Proxy[] = [];

beforeAll(async () => {
  federation = await startFederation({
    domains: DOMAINS,
    policy: (domain) => JSON.stringify({ version: 1, domain, labels: { permit: ['service'] }, metrics: [] }),
    async link(domain, url) {
      if (domain !== 'small') return {};
      counter = await countQueries(url);
      line = await throttle(counter.url, LATENCY_MS, BYTES_PER_SECOND);
      proxies.push(counter, line);
      return { url: line.url, maxConcurrent: MAX_CONCURRENT };
    },
  });
  for (const [domain, agent] of federation.agents) {
    const batch = batchBuilder();
    for (let service = 0; service < SERVICES; service++) {
      const labels = labelsOf({ __name__: 'requests_total', job: 'shop', service: `s${service}`, domain });
      for (let i = 0; i <= 120; i++) batch.add(labels, NOW_MS - (120 - i) * 15_000, i * 15 * (service + 1));
    }
    await store(agent, batch.build());
  }
});

afterAll(async () => {
  await federation.close();
  for (const proxy of proxies) await proxy.close();
});

const RANGE = { start: String(NOW - 1200), end: String(NOW), step: '15' };

function ask(query: string, params: Record<string, string> = {}): Promise<ApiReply<QueryData>> {
  return callApi(federation.url, '/api/v1/query_range', { query, ...RANGE, ...params });
}

const panel = (i: number): string => `sum by (service) (rate(requests_total[${60 + i}s]))`;

/** All points of an answer that is to be whole. */
function points({ body }: ApiReply<QueryData>): number {
  expect(body.warnings ?? []).toEqual([]);
  expect(body.data.coverage.domains.map(({ domain, status }) => [domain, status])).toEqual(
    DOMAINS.map((domain) => [domain, 'ok']),
  );
  return body.data.result.reduce((sum, { values }) => sum + values.length, 0);
}

async function metric(name: string): Promise<number> {
  const { text } = await callApi(federation.url, '/metrics');
  return Number(new RegExp(`^${name}\\{domain="small"\\} (\\S+)$`, 'm').exec(text)?.[1]);
}

it('a small domain under a heavy dashboard stays inside its limits, and the others answer as if it were not there', async () => {
  const ended: string[] = [];
  const noted = async <T>(name: string, answer: Promise<T>): Promise<T> => {
    const given = await answer;
    ended.push(name);
    return given;
  };
  // The dashboard is refreshed before its first load is there.
  const dashboard = Array.from({ length: 2 * PANELS }, (_none, i) => noted('panel', ask(panel(i % PANELS))));
  const others = (async () => {
    for (let i = 0; i < 20; i++) {
      const domain = DOMAINS[i % 2]!;
      const { body } = await noted(domain, ask(`sum by (service) (rate(requests_total{domain="${domain}"}[2m]))`));
      expect(body.data.result.length).toBe(SERVICES);
      expect(body.data.coverage.complete).toBe(true);
    }
  })();
  await others;
  const waiting = await metric('comity_hub_domain_queued');
  const panelsBefore = ended.filter((name) => name === 'panel').length;
  const answers = await Promise.all(dashboard);

  expect(counter.queries.most).toBe(MAX_CONCURRENT);
  // One after the other, twenty questions to the other domains were answered while most of the dashboard waited.
  expect(panelsBefore).toBeLessThan(PANELS);
  expect(waiting).toBeGreaterThan(0);
  // Nothing of it was lost: every panel is whole, and two loads of it are the same.
  expect(answers.map(points)).toEqual(answers.map(() => SERVICES * 81));
  expect(answers[0]!.body.data.result).toEqual(answers[PANELS]!.body.data.result);
});

it('what does not come in time is missing by name, and the rest is there', async () => {
  line.cut();
  const asked = Array.from({ length: PANELS }, (_none, i) => ask(panel(i), { timeout: '3s' }));
  const answers = await Promise.all(asked);
  line.mend();
  for (const { body } of answers) {
    const [eu, us, small] = body.data.coverage.domains;
    expect([eu!.status, us!.status, small!.status]).toEqual(['ok', 'ok', 'timeout']);
    expect(small!.reason).toMatch(/^(its queue did not come to it by the deadline|no answer (within|by) )/);
    expect(body.data.result.length).toBe(SERVICES);
  }
  expect(counter.queries.most).toBe(MAX_CONCURRENT);
});

it('after the storm all is as before', async () => {
  expect(points(await ask(panel(0)))).toBe(SERVICES * 81);
  expect(await metric('comity_hub_domain_queued')).toBe(0);
  expect(await metric('comity_hub_domain_running')).toBe(0);
  expect(counter.queries.now).toBe(0);
});

it('whoever hangs up takes nobody’s place', async () => {
  const caller = new AbortController();
  const before = counter.queries.all;
  const gone = Array.from({ length: PANELS }, (_none, i) =>
    callApi(federation.url, '/api/v1/query_range', { query: panel(i), ...RANGE }, { signal: caller.signal }),
  );
  const hungUp = Promise.allSettled(gone);
  while ((await metric('comity_hub_domain_queued')) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  caller.abort();
  await hungUp;
  expect(points(await ask(panel(1)))).toBe(SERVICES * 81);
  // Had they stayed in the queue, all of them would have been sent before this one.
  expect(counter.queries.all - before).toBeLessThan(PANELS);
  expect(await metric('comity_hub_domain_queued')).toBe(0);
});
