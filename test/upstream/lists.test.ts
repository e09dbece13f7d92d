import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { labelsOf, labelsRecord } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { writeNatives } from '../oracle/native-write.ts';
import { findOracle, startOracle, type Oracle } from '../oracle/oracle.ts';
import { remoteWrite } from '../oracle/remote-write.ts';
import { AT_MS } from './fragments.ts';
import { minutely, openTestUpstream } from './harness.ts';

const oracle = await findOracle();

const POLICY = `
version: 1
domain: eu
labels: {permit: [i, exported_domain, trace_id]}
metrics:
  - {match: m, class: open}
  - {match: own, class: open}
  - {match: secret, class: sealed}
`;

describe.skipIf(oracle === undefined)('lists of a Prometheus 3.15 as the source', { timeout: 60_000 }, () => {
  let server: Oracle;
  let upstream: Upstream;
  let target: Server;

  beforeAll(async () => {
    target = createServer((_request, response) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end('# HELP m An m.\n# TYPE m counter\n# HELP secret Hush.\n# TYPE secret gauge\n');
    });
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    const { port } = target.address() as AddressInfo;
    server = await startOracle({
      args: ['--enable-feature=exemplar-storage'],
      config: `scrape_configs: [{job_name: t, scrape_interval: 1s, static_configs: [{targets: ['127.0.0.1:${port}']}]}]\n`,
    });
    await remoteWrite(server, [
      minutely({ __name__: 'm', i: '1' }, [1]),
      minutely({ __name__: 'm', i: '2' }, [1]),
      minutely({ __name__: 'm', user: 'canary' }, [1]),
      minutely({ __name__: 'own', domain: 'theirs' }, [1]),
      minutely({ __name__: 'sums', i: '1' }, [1]),
      minutely({ __name__: 'secret', i: '1' }, [1]),
    ]);
    const exemplar = (labels: Record<string, string>, own: Record<string, string>) => ({
      labels: labelsOf(labels),
      exemplars: [{ timeMs: AT_MS, value: 0.5, labels: labelsOf(own) }],
    });
    await writeNatives(
      server,
      [],
      [
        exemplar({ __name__: 'm', i: '1' }, { trace_id: 'a' }),
        exemplar({ __name__: 'm', i: '2' }, { user: 'canary' }),
        exemplar({ __name__: 'm', user: 'canary' }, { trace_id: 'b' }),
        exemplar({ __name__: 'secret', i: '1' }, { trace_id: 'c' }),
      ],
    );
    upstream = openTestUpstream({ url: server.url }, POLICY);
  }, 60_000);
  afterAll(async () => {
    await upstream?.close();
    await server?.close();
    target.close();
  });

  const named = (value: string): readonly Matcher[] => [{ name: '__name__', op: '=~', value }];
  const asking = () => ({ fromMs: AT_MS - 3_600_000, toMs: AT_MS + 60_000, deadlineMs: Date.now() + 10_000 });
  const { signal } = new AbortController();

  test('series that may leave, in order', async () => {
    const selectors = [named('m|sums|secret'), named('own')];
    const { found, isCut } = await upstream.series({ ...asking(), selectors, limit: 10 }, signal);
    expect([found.map(labelsRecord), isCut]).toEqual([
      [
        { __name__: 'm', domain: 'eu', i: '1' },
        { __name__: 'm', domain: 'eu', i: '2' },
        { __name__: 'own', domain: 'eu', exported_domain: 'theirs' },
      ],
      false,
    ]);
    expect(await upstream.series({ ...asking(), selectors, limit: 2 }, signal)).toMatchObject({
      found: { length: 2 },
      isCut: true,
    });
    const elsewhere = [[...named('m'), { name: 'domain', op: '=', value: 'us' } as const]];
    expect((await upstream.series({ ...asking(), selectors: elsewhere, limit: 2 }, signal)).found).toEqual([]);
  });

  test('families that are not sealed', async () => {
    const ask = (metric: string) => upstream.metadata({ metric, limit: 10, deadlineMs: Date.now() + 5_000 }, signal);
    await vi.waitFor(async () => expect((await ask('')).found).not.toEqual([]), { timeout: 20_000, interval: 200 });
    const m = { metric: 'm', type: 'counter', unit: '', help: 'An m.' };
    expect(await ask('')).toEqual({ found: [m], isCut: false });
    expect([(await ask('m')).found, (await ask('secret')).found]).toEqual([[m], []]);
  });

  test('exemplars that may leave', async () => {
    const { found } = await upstream.exemplars({ ...asking(), selectors: [named('m'), named('secret')] }, signal);
    expect(found).toEqual([
      {
        labels: labelsOf({ __name__: 'm', domain: 'eu', i: '1' }),
        exemplars: [{ timeMs: AT_MS, value: 0.5, labels: ['trace_id', 'a'] }],
      },
    ]);
  });
});

test('what a server has no path for is unsupported, one that is gone unavailable', async () => {
  const server = createServer((_request, response) => {
    response.statusCode = 404;
    response.end('nothing here');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstream = openTestUpstream({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, POLICY);
  const ask = () =>
    upstream.metadata({ metric: '', limit: 5, deadlineMs: Date.now() + 5_000 }, new AbortController().signal);
  await expect(ask()).rejects.toMatchObject({ code: 'unsupported' });
  server.close();
  server.closeAllConnections();
  await expect(ask()).rejects.toMatchObject({ code: 'unavailable' });
  await upstream.close();
});
