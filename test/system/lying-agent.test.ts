import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { startHub, type Hub } from '../../src/hub/hub.ts';
import { labelsOf } from '../../src/model/labels.ts';
import type { ColumnsRow } from '../../src/plan/frames/columns-codec.ts';
import { decodeQueryRequest, encodeQueryAnswer } from '../../src/plan/frames/query-codec.ts';
import { decodeStatusRequest, encodeStatusAnswer, type DomainStatus } from '../../src/plan/frames/status-codec.ts';
import { playedLedger } from '../hub/played-ledger.ts';
import { callApi } from './api.ts';

const TOKEN = 'a-token-that-is-long-enough';
const status = (domain: string): DomainStatus => ({
  domain,
  policyDigest: '',
  expectedStreams: 1,
  observedStreams: 1,
  heldFromMs: 0,
  settledUntilMs: 0,
  rawBytesHeld: 0,
  releasedBytes: 0,
  gaps: [],
  bundleDigest: '',
  bundleVersion: 0,
  policyState: 'in force',
});

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function hubOver(server: Server | ReturnType<typeof createTcpServer>): Promise<Hub> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hub = await startHub({
    listen: '127.0.0.1:0',
    domains: [{ name: 'eu', jurisdiction: 'EU', url, token: TOKEN }],
  });
  closers.push(async () => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  closers.push(() => hub.close());
  return hub;
}

/** An agent that answers queries with what `reply` makes of the question, and is honest about its status and its ledger. */
function agent(reply: (body: Buffer) => Uint8Array, seen: string[] = []): Server {
  const ledger = playedLedger('eu');
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url = '' } = request;
      const body = Buffer.concat(chunks);
      if (url.endsWith('/ledger')) return response.end(ledger.prove(body));
      const isStatus = url.endsWith('/status');
      if (!isStatus) seen.push(url);
      const answer = isStatus
        ? encodeStatusAnswer({ status: status('eu'), id: decodeStatusRequest(body).id })
        : reply(body);
      const what = isStatus ? 'status' : 'query';
      return response.end(ledger.release({ what, request: body, answer, leaf: { policy: '' } }));
    });
  };
  return createServer(listener);
}

/** Answers every fragment with these rows, whatever was asked. */
const saying =
  (rows: (fields: number) => ColumnsRow[], domain = 'eu') =>
  (body: Buffer): Uint8Array => {
    const { fragments, coverage, id } = decodeQueryRequest(body);
    const answers = fragments.map(({ answer }) => ({ rows: rows(answer === 'vector' ? 1 : 2), notes: [] }));
    const covered = coverage.map(({ grid }) => ({
      runs: [{ steps: grid.steps, observed: 1, expected: 1 }],
      suppressible: false,
    }));
    return encodeQueryAnswer(
      { id, status: status(domain), fragments: answers, coverage: covered, late: undefined },
      fragments,
    );
  };

const row =
  (...sets: Record<string, string>[]) =>
  (fields: number): ColumnsRow[] =>
    sets.map((labels) => ({
      labels: labelsOf(labels),
      columns: { present: Uint8Array.of(1), fields: Array.from({ length: fields }, () => Float64Array.of(1)) },
    }));

describe('an agent that says more than it may', () => {
  it.each<[string, string, (body: Buffer) => Uint8Array]>([
    ['another domain’s series', 'up', saying(row({ __name__: 'up', domain: 'us' }))],
    ['a series of no domain', 'up', saying(row({ __name__: 'up' }))],
    ['a group by what was not asked', 'sum(up)', saying(row({ domain: 'us', x: 'y' }))],
    ['a group that without rules out', 'sum without (domain, x) (up)', saying(row({ x: 'y' }))],
    ['a metric name on a group', 'sum without (domain) (up)', saying(row({ __name__: 'up' }))],
    ['one group twice', 'sum by (job) (up)', saying(row({ job: 'a' }, { job: 'a' }))],
    ['that it is another domain', 'sum(up)', saying(row({}), 'us')],
  ])('%s is not believed', async (_name, query, reply) => {
    const hub = await hubOver(agent(reply));
    const { status: code, body } = await callApi(hub.url, '/api/v1/query', { query });
    expect(code).toBe(503);
    expect(body.data.coverage.complete).toBe(false);
  });

  it('is believed when it says what was asked', async () => {
    const hub = await hubOver(agent(saying(row({ job: 'a' }))));
    const { body } = await callApi(hub.url, '/api/v1/query', { query: 'sum by (job) (up)' });
    expect(body.data.result).toMatchObject([{ metric: { job: 'a' } }]);
  });
});

it('an answer that cannot be read is not asked for again', async () => {
  const seen: string[] = [];
  const hub = await hubOver(agent(() => Buffer.from('no protobuf'), seen));
  const { body } = await callApi(hub.url, '/api/v1/query', { query: 'sum(up)' });
  expect(body.data.coverage.domains[0]).toMatchObject({
    status: 'unreachable',
    reason: expect.stringContaining('malformed'),
  });
  expect(seen).toHaveLength(1);
});

it('a bomb of a gigabyte is not unpacked', async () => {
  const bomb = zstdCompressSync(Buffer.alloc(256 * 1024 * 1024));
  const server = createServer((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'zstd' }).end(bomb),
  );
  const hub = await hubOver(server);
  const before = process.memoryUsage().rss;
  const { status: code } = await callApi(hub.url, '/api/v1/query', { query: 'sum(up)' });
  expect(code).toBe(503);
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
});

it('an agent that takes the connection and never answers costs no more than the timeout', async () => {
  const hub = await hubOver(createTcpServer(() => {}));
  const started = performance.now();
  const asked = Array.from({ length: 12 }, () =>
    callApi(hub.url, '/api/v1/query', { query: 'sum(up)', timeout: '500ms' }),
  );
  for (const { status: code, body } of await Promise.all(asked)) {
    expect([code, body.data.coverage.domains[0]!.status]).toEqual([503, 'timeout']);
  }
  // More queries than the domain's queue takes at once: waiting in it counts.
  expect(performance.now() - started).toBeLessThan(4_000);
});
