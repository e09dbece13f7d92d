import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { startHub, type Hub } from '../../src/hub/hub.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { callApi, type ApiReply, type QueryData } from './api.ts';
import { startFederation, store, type Federation } from './federation.ts';
import { head, reply, startLyingServer, type Heard, type Lie, type LyingServer } from './lying-server.ts';

const DOMAINS = ['eu', 'us', 'liar'];
const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
const SERIES = 200;

let federation: Federation;
let server: LyingServer;
let hub: Hub;

beforeAll(async () => {
  federation = await startFederation({
    domains: DOMAINS,
    policy: (domain) =>
      JSON.stringify({ version: 1, domain, labels: { permit: ['*'] }, metrics: [{ match: '*', class: 'open' }] }),
  });
  for (const [index, domain] of DOMAINS.entries()) {
    const batch = batchBuilder();
    for (let i = 0; i < SERIES; i++) {
      const labels = labelsOf({ __name__: 'g', job: 'shop', instance: `${i}`, domain });
      batch.add(labels, NOW_MS, (i + 1) * 1_000 ** index);
    }
    await store(federation.agents.get(domain)!, batch.build());
  }
});
afterAll(() => federation.close());

afterEach(async () => {
  await hub.close();
  await server.close();
});

/** A hub over two agents and a server that answers with `lie` once the hub has heard of all three. */
async function begin(lie: Lie): Promise<void> {
  const { url } = federation.links.find(({ name }) => name === 'liar')!;
  server = await startLyingServer(url);
  hub = await startHub({
    listen: '127.0.0.1:0',
    domains: federation.links.map((link) => (link.name === 'liar' ? { ...link, url: server.url } : link)),
  });
  const { body } = await query('g', '10s');
  expect(body.data.coverage.complete).toBe(true);
  server.lie = lie;
}

function query(text: string, timeout: string): Promise<ApiReply<QueryData>> {
  return callApi(hub.url, '/api/v1/query', { query: text, time: String(NOW_MS / 1000), timeout });
}

/** Asks for everything, and expects all of the honest domains and nothing of the other, which is said. */
async function expectOthers(status: RegExp, reason: RegExp, timeout = '10s'): Promise<void> {
  const askedBefore = server.asked.length;
  const [rows, sum] = await Promise.all([query('g', timeout), query('sum(g)', timeout)]);
  expect(server.asked.length).toBeGreaterThan(askedBefore);
  for (const { status: code, body } of [rows, sum]) {
    expect([code, body.data.coverage.complete]).toEqual([200, false]);
    const said = body.data.coverage.domains.find(({ domain }) => domain === 'liar')!;
    expect(said.status).toMatch(status);
    expect(said.reason).toMatch(reason);
    expect(body.warnings[0]).toContain('liar');
    const others = body.data.coverage.domains.filter(({ domain }) => domain !== 'liar');
    expect(others.map((one) => one.status)).toEqual(['ok', 'ok']);
  }
  const domains = Object.groupBy(rows.body.data.result, ({ metric }) => metric['domain']!);
  expect(Object.entries(domains).map(([name, all]) => [name, all!.length])).toEqual([
    ['eu', SERIES],
    ['us', SERIES],
  ]);
  expect(sum.body.data.result[0]!.value[1]).toBe(String((1_001 * SERIES * (SERIES + 1)) / 2));
}

/** What the agent said, unpacked. */
function plain({ honest }: Heard): Buffer {
  return honest.encoding === 'zstd' ? zstdDecompressSync(honest.body) : honest.body;
}

const body = (bytes: Buffer, encoding = '', statusCode = 200) => ({ statusCode, encoding, body: bytes });

/** Writes `next()` over and over, no faster than it is taken, until the other side hangs up. */
async function pour(socket: Socket, next: () => Buffer | string, everyMs = 0): Promise<void> {
  while (!socket.destroyed) {
    if (!socket.write(next())) {
      await new Promise<void>((resolve) => {
        socket.once('drain', resolve);
        socket.once('close', () => resolve());
      });
    }
    await sleep(everyMs);
  }
}

/** The bytes in one raw block, in a frame that wants 128 MB of memory before it says anything. */
function wideFrame(bytes: Buffer): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE(bytes.length * 8 + 1, 0, 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88]), block, bytes]);
}

const UNREADABLE = /cannot be read/;

describe('a domain whose agent', () => {
  it.each<[string, Lie, RegExp, RegExp]>([
    ['speaks no HTTP', (socket) => void socket.write('SSH-2.0-OpenSSH_9.9\r\n'), /unreachable/, /./],
    ['hangs up', (socket) => void socket.destroy(), /unreachable/, /./],
    ['answers with garbage', (socket) => reply(socket, body(Buffer.alloc(500, 0xc3))), /unreachable/, UNREADABLE],
    ['answers with nothing', (socket) => reply(socket, body(Buffer.alloc(0))), /unreachable/, UNREADABLE],
    [
      'speaks another version',
      (socket, heard) => reply(socket, body(Buffer.concat([Buffer.from([8, 3]), plain(heard).subarray(2)]))),
      /unreachable/,
      /version 3 of the federation protocol/,
    ],
    [
      'answers in part',
      (socket, heard) => reply(socket, body(plain(heard).subarray(0, -20))),
      /unreachable/,
      UNREADABLE,
    ],
    [
      'hangs up within its answer',
      (socket, heard) => {
        socket.write(head(200, { 'content-length': String(plain(heard).length) }));
        socket.end(plain(heard).subarray(0, plain(heard).length / 2));
      },
      /unreachable/,
      /./,
    ],
    [
      'hangs up within a chunk',
      (socket) => void socket.end(`${head(200, { 'transfer-encoding': 'chunked' })}ff\r\nabc`),
      /unreachable/,
      /./,
    ],
    ['packs what is no zstd', (socket) => reply(socket, body(Buffer.alloc(900, 7), 'zstd')), /unreachable/, UNREADABLE],
    [
      'packs half of its answer',
      (socket, heard) => reply(socket, body(zstdCompressSync(plain(heard)).subarray(0, -30), 'zstd')),
      /unreachable/,
      UNREADABLE,
    ],
    [
      'packs with what it was not asked for',
      (socket, heard) => reply(socket, body(gzipSync(plain(heard)), 'gzip')),
      /unreachable/,
      UNREADABLE,
    ],
    [
      'packs a window of 128 MB',
      (socket, heard) => reply(socket, body(wideFrame(plain(heard)), 'zstd')),
      /unreachable/,
      UNREADABLE,
    ],
    [
      'answers 500 with a page',
      (socket) => reply(socket, body(Buffer.alloc(100_000, 65), '', 500)),
      /unreachable/,
      /500/,
    ],
    ['answers 404', (socket) => reply(socket, body(Buffer.from('<html>'), '', 404)), /refused/, /404/],
    ['answers 204', (socket) => void socket.write(head(204, {})), /refused/, /204/],
    ['answers 401', (socket) => reply(socket, body(Buffer.alloc(0), '', 401)), /refused/, /token/],
    [
      'answers with headers of a megabyte',
      (socket, heard) => reply(socket, heard.honest, { 'x-more': 'x'.repeat(1_000_000) }),
      /unreachable/,
      /./,
    ],
    [
      'says two lengths',
      (socket) =>
        void socket.write(`${head(200, { 'content-length': '5' }).slice(0, -2)}content-length: 7\r\n\r\nabcdefg`),
      /unreachable/,
      /./,
    ],
  ])('%s is missing, and said to be', async (_what, lie, status, reason) => {
    await begin(lie);
    await expectOthers(status, reason);
  });

  it.each<[string, Lie]>([
    ['says nothing', () => undefined],
    ['sends headers and then nothing', (socket) => void socket.write(head(200, { 'content-length': '1000' }))],
    [
      'sends a byte at a time',
      (socket, heard) => {
        const bytes = plain(heard);
        let at = 0;
        socket.write(head(200, { 'content-length': String(bytes.length) }));
        void pour(socket, () => bytes.subarray(at, ++at), 100);
      },
    ],
    ['sends its headers a byte at a time', (socket) => void pour(socket, () => 'H', 100)],
    [
      'asks to go on for ever',
      (socket) => void pour(socket, () => 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n', 1),
    ],
  ])('%s is waited for until the deadline and no longer', async (_what, lie) => {
    await begin(lie);
    await expectOthers(/timeout|unreachable/, /./, '700ms');
  });

  it('never stops answering is cut off at the longest that an answer may be', async () => {
    const megabyte = Buffer.alloc(1024 * 1024);
    await begin((socket) => {
      socket.write(head(200, { 'transfer-encoding': 'chunked' }));
      void pour(socket, () => Buffer.concat([Buffer.from('100000\r\n'), megabyte, Buffer.from('\r\n')]));
    });
    const before = server.sentBytes();
    await expectOthers(/unreachable/, /over \d+ bytes/);
    // Two queries, a heartbeat, and what buffers on the way take.
    expect(server.sentBytes() - before).toBeLessThan(3 * LIMITS.answerBytes + 32 * megabyte.length);
  });

  it('sends to somewhere else is not followed', async () => {
    let hits = 0;
    const trap = createServer((socket) => {
      hits++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
    const location = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/federation/v1/query`;
    await begin((socket) => reply(socket, body(Buffer.alloc(0), '', 307), { location }));
    await expectOthers(/refused/, /307/);
    expect(hits).toBe(0);
    trap.close();
  });

  it('answers each question with the answer to the one before is not believed', async () => {
    let last: Heard['honest'] | undefined;
    await begin((socket, heard) => {
      reply(socket, last ?? heard.honest);
      last = heard.honest;
    });
    await query('g', '10s');
    for (let i = 0; i < 3; i++) {
      const { body: answer } = await query(i % 2 === 0 ? 'g' : 'sum(g)', '10s');
      const said = answer.data.coverage.domains.find(({ domain }) => domain === 'liar')!;
      expect([said.status, said.reason]).toEqual(['unreachable', expect.stringContaining('another request')]);
    }
  });

  it('answers twice on one connection is not taken for the next one', async () => {
    await begin((socket, { honest }) => {
      reply(socket, honest);
      reply(socket, honest);
    });
    const whole = (1_001_001 * SERIES * (SERIES + 1)) / 2;
    for (let i = 0; i < 6; i++) {
      const { status, body: answer } = await query('sum(g)', '10s');
      expect(status).toBe(200);
      // It counts where the right one of both was read, and is said to be missing otherwise.
      const isWhole = answer.data.coverage.complete;
      const wanted = isWhole ? whole : (1_001 * SERIES * (SERIES + 1)) / 2;
      expect(answer.data.result[0]!.value[1]).toBe(String(wanted));
    }
  });

  it('is believed again once it is honest', async () => {
    await begin((socket) => reply(socket, body(Buffer.alloc(30, 1))));
    await expectOthers(/unreachable/, UNREADABLE);
    server.lie = undefined;
    const isComplete = async (): Promise<boolean> => (await query('g', '10s')).body.data.coverage.complete;
    await expect.poll(isComplete, { timeout: 20_000, interval: 200 }).toBe(true);
  });
});
