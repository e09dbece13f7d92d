import { connect, type AddressInfo, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { federationEndpoint } from '../../src/agent/answer.ts';
import { loadGate, type LoadGate, type LoadShare } from '../../src/agent/load-gate.ts';
import { ComityError } from '../../src/base/errors.ts';
import { httpServer, listen } from '../../src/base/http.ts';
import type { Border } from '../../src/border/border.ts';
import type { DomainData } from '../../src/border/domain-data.ts';
import { NOTHING_KNOWN } from '../../src/plan/frames/coverage-codec.ts';
import { encodeLabelsRequest } from '../../src/plan/frames/labels-codec.ts';
import { encodeQueryRequest } from '../../src/plan/frames/query-codec.ts';
import { decodeErrorAnswer, encodeStatusRequest } from '../../src/plan/frames/status-codec.ts';
import type { AnswerRow } from '../../src/plan/frames/columns-codec.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { borderOver, hubFragments } from '../border/domain.ts';
import { REQUEST_ID } from '../plan/beside.ts';
import { memoryShards } from '../shard/memory-shards.ts';
import { settled } from './fake-time.ts';

const TOKEN = 'a-token-of-this-domain';
const OPEN = '{version: 1, domain: eu, labels: {permit: []}, default_class: open}';
/** One heavy request at a time, and another one waits. */
const SHARE: LoadShare = { concurrent: 2, queued: 1, cost: 800, queueMs: 10_000 };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Bench {
  readonly gate: LoadGate;
  readonly url: string;
  readonly app: FastifyInstance;
  /** The fragments that are being evaluated; each ends when it is told to, or cancelled. */
  readonly working: Set<() => void>;
}

/** A federation endpoint whose fragments take so many samples, and so long as the test wants. */
async function bench(samples: number, rows: readonly AnswerRow[] = []): Promise<Bench> {
  const working = new Set<() => void>();
  const real = openQueries(
    memoryShards([], 1, {
      policies: [{ layers: [{ layer: 'local', source: 'test', text: OPEN }], domain: 'eu', domainLabel: 'domain' }],
    }),
  );
  const data: DomainData = {
    ...real,
    estimate: async ({ reads, regexWork }) => ({ sizes: reads.map(() => ({ series: 0, samples })), regexWork }),
    fragment: ({ spent }, signal) =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          working.delete(end);
          resolve({ rows, notes: [], spent: { ...spent, samples } });
        };
        working.add(end);
        signal.addEventListener('abort', () => {
          working.delete(end);
          reject(new ComityError('canceled', 'nobody waits'));
        });
      }),
  };
  const border: Border = borderOver(data, OPEN);
  const gate = loadGate({ share: SHARE });
  const app = httpServer(pino({ level: 'silent' }));
  const hub = { name: 'hub', jurisdiction: 'de', token: TOKEN };
  federationEndpoint(app, { border, gate, consumers: [hub], onReleased: () => {}, onFault: () => {} });
  const url = await listen(app, '127.0.0.1:0');
  closers.push(() => {
    for (const end of working) end();
    app.server.closeAllConnections();
    return app.close();
  });
  return { gate, url, app, working };
}

const BODY = Buffer.from(
  encodeQueryRequest({
    lookbackMs: 300_000,
    timeLeftMs: 20_000,
    features: NO_FEATURES,
    fragments: hubFragments('sum(up)'),
    coverage: [],
    since: NOTHING_KNOWN,
    id: new Uint8Array(8),
  }),
);

function ask({ url }: Bench, path = 'query', body = BODY, signal?: AbortSignal): Promise<Response> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/x-protobuf' };
  return fetch(`${url}/federation/v1/${path}`, { method: 'POST', headers, body, ...(signal && { signal }) });
}

/** Waits until something is so; the test's own time is the limit. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await settled();
}

const asText = async (response: Response): Promise<unknown> => ({
  status: response.status,
  retryAfter: response.headers.get('retry-after'),
  code: response.status === 200 ? '' : decodeErrorAnswer(Buffer.from(await response.arrayBuffer())).code,
});

describe('a query that finds no room', () => {
  it('is told when to try again, by a code and a header alone', async () => {
    const on = await bench(500);
    const first = ask(on);
    await until(() => on.working.size === 1);
    const second = ask(on);
    await until(() => on.gate.load().queued === 1);
    expect(await asText(await ask(on))).toEqual({ status: 503, retryAfter: '1', code: 'overloaded' });
    for (const end of on.working) end();
    expect((await first).status).toBe(200);
    await until(() => on.working.size === 1);
    for (const end of on.working) end();
    expect((await second).status).toBe(200);
    await until(() => on.gate.load().bytes === 0);
    expect(on.gate.load()).toEqual({ running: 0, queued: 0, cost: 0, bytes: 0 });
  });

  it('is told so for good when it never would', async () => {
    const on = await bench(701);
    expect(await asText(await ask(on))).toEqual({ status: 429, retryAfter: null, code: 'limit' });
    expect(on.working.size).toBe(0);
  });

  it('holds up neither heartbeats nor label names', async () => {
    const on = await bench(500);
    void ask(on).catch(() => undefined);
    await until(() => on.working.size === 1);
    void ask(on).catch(() => undefined);
    await until(() => on.gate.load().queued === 1);
    const labels = encodeLabelsRequest({
      name: '',
      selectors: [],
      fromMs: 0,
      toMs: 1,
      limit: 0,
      id: new Uint8Array(8),
    });
    expect((await ask(on, 'status', Buffer.from(encodeStatusRequest(REQUEST_ID)))).status).toBe(200);
    expect((await ask(on, 'labels', Buffer.from(labels))).status).toBe(200);
  });

  it('may be one for an explanation as well', async () => {
    const on = await bench(500);
    void ask(on, 'explain').catch(() => undefined);
    await until(() => on.working.size === 1);
    expect(on.gate.load().running).toBe(1);
  });
});

describe('who hangs up', () => {
  it.each(['while it is worked on', 'while it waits'])('gives its room back: %s', async (when) => {
    const on = await bench(500);
    const [first, second] = [new AbortController(), new AbortController()];
    const gone = [ask(on, 'query', BODY, first.signal).catch(() => 'gone')];
    await until(() => on.working.size === 1);
    gone.push(ask(on, 'query', BODY, second.signal).catch(() => 'gone'));
    await until(() => on.gate.load().queued === 1);
    if (when === 'while it waits') {
      second.abort();
      await until(() => on.gate.load().queued === 0);
      expect(on.working.size).toBe(1);
      expect(on.gate.load().running).toBe(1);
      first.abort();
    } else {
      first.abort();
      // The one that waited has the room now.
      await until(() => on.gate.load().queued === 0);
      expect(on.gate.load().running).toBe(1);
      second.abort();
    }
    await until(() => on.gate.load().running === 0);
    expect(on.working.size).toBe(0);
    await until(() => on.gate.load().bytes === 0);
    expect(await Promise.all(gone)).toEqual(['gone', 'gone']);
  });
});

describe('an answer', () => {
  it('takes room until it is taken', async () => {
    const steps = STEPS;
    const values = Float64Array.from({ length: steps }, (_none, i) => Math.sin(i));
    const row: AnswerRow = { labels: [], columns: { present: new Uint8Array(steps).fill(1), fields: [values] } };
    const on = await bench(1, [row]);
    const socket = await slowReader(on);
    await until(() => on.working.size === 1);
    for (const end of on.working) end();
    await until(() => on.gate.load().running === 0);
    expect(on.gate.load().bytes).toBeGreaterThan(0);
    socket.destroy();
    await until(() => on.gate.load().bytes === 0);
  });
});

/** Five megabytes of answer. */
const STEPS = 600_000;

/** Asks, and takes nothing of the answer. */
async function slowReader({ url }: Bench): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) } satisfies Partial<AddressInfo> & { host: string });
  socket.pause();
  const steps = { startMs: 0, stepMs: 1, steps: STEPS };
  const fragments = [{ ...hubFragments('up')[0]!, grid: steps }];
  const beside = { coverage: [], since: NOTHING_KNOWN, id: new Uint8Array(8) };
  const body = encodeQueryRequest({ lookbackMs: 1, timeLeftMs: 20_000, features: NO_FEATURES, fragments, ...beside });
  socket.write(
    `POST /federation/v1/query HTTP/1.1\r\nHost: agent\r\nAuthorization: Bearer ${TOKEN}\r\n` +
      `Content-Type: application/x-protobuf\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  socket.write(body);
  return socket;
}
