import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import Fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { boundBodies, bodyBudget, chunkGatherer, decompress, encodingOf } from '../../src/agent/request-body.ts';

describe('a budget', () => {
  test('is the sum of what was taken, and refuses what would pass it', () => {
    const budget = bodyBudget(100);
    budget.take(60);
    budget.take(40);
    expect(() => budget.take(1)).toThrow(expect.objectContaining({ code: 'overloaded' }));
    expect(budget.heldBytes).toBe(100);
    budget.release(60);
    budget.take(50);
    expect(budget.heldBytes).toBe(90);
  });
});

test.each([
  [undefined, 'identity'],
  ['', 'identity'],
  [' GZip ', 'gzip'],
  ['zstd', 'zstd'],
  ['br', undefined],
  ['gzip, gzip', undefined],
])('the encoding of %j is %s', (header, want) => expect(encodingOf(header)).toBe(want));

test.each(['gzip', 'zstd'] as const)('%s is decompressed up to the limit, and no byte further', (encoding) => {
  const compress = encoding === 'gzip' ? gzipSync : zstdCompressSync;
  const frames = Buffer.concat([compress(Buffer.alloc(600, 'a')), compress(Buffer.alloc(400, 'b'))]);
  expect(decompress(frames, encoding, 1000).toString()).toBe('a'.repeat(600) + 'b'.repeat(400));
  const tooLarge = expect.objectContaining({ code: 'body_too_large' });
  expect(() => decompress(frames, encoding, 999)).toThrow(tooLarge);
  expect(() => decompress(frames, encoding, 600)).toThrow(tooLarge);
  const last = Buffer.concat([frames, compress('c')]);
  expect(() => decompress(last, encoding, 1000)).toThrow(tooLarge);
});

test.each<[what: string, readBytes: number, sizes: number[], keptMost: number]>([
  ['single bytes', 1, Array.from({ length: 20_000 }, () => 1), 25_000],
  ['parts of large reads', 65_536, Array.from({ length: 100 }, () => 1_500), 170_000],
  ['small parts of large reads', 65_536, Array.from({ length: 100 }, () => 900), 110_000],
  ['whole reads', 65_536, [65_536, 65_536, 10], 140_000],
])('%s keep no more memory than a few times their bytes', (_what, readBytes, sizes, keptMost) => {
  const gatherer = chunkGatherer();
  const chunks = sizes.map((size, i) => Buffer.alloc(Math.max(readBytes, size), i % 251).subarray(0, size));
  const parts = [...chunks.flatMap((chunk) => gatherer.add(chunk)), gatherer.rest()];
  expect(Buffer.concat(parts).equals(Buffer.concat(chunks))).toBe(true);
  const kept = new Set(parts.map((part) => part.buffer));
  const bytes = [...kept].reduce((sum, { byteLength }) => sum + byteLength, 0) + parts.length * 100;
  expect(bytes).toBeLessThan(keptMost);
});

test('chunks of few bytes are gathered, none is lost and all count', async () => {
  const app = Fastify();
  const budget = bodyBudget(2 ** 20);
  let parts: Buffer[] = [];
  let heldBytes = 0;
  await app.register(async (scope) => {
    boundBodies(scope, budget);
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', async (_request: unknown, payload: AsyncIterable<Buffer>) => {
      for await (const part of payload) parts.push(part);
    });
    scope.post('/', async () => {
      heldBytes = budget.heldBytes;
      return 'done';
    });
  });
  const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));

  const send = async (chunks: readonly Buffer[]): Promise<void> => {
    parts = [];
    const socket = connect(Number(url.port), url.hostname);
    const framed = chunks.map((chunk) =>
      Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
    );
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n';
    socket.write(Buffer.concat([Buffer.from(head), ...framed, Buffer.from('0\r\n\r\n')]));
    const [reply] = (await once(socket, 'data')) as [Buffer];
    expect(reply.toString()).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
    const whole = Buffer.concat(chunks);
    expect(Buffer.concat(parts).equals(whole)).toBe(true);
    expect(heldBytes).toBe(whole.length);
    await expect.poll(() => budget.heldBytes).toBe(0);
  };

  const bytes = (count: number) => Buffer.from(Array.from({ length: count }, (_, i) => i % 251));
  await send(Array.from(bytes(50_000), (byte) => Buffer.of(byte)));
  expect(parts.length).toBeLessThan(20);
  await send([bytes(3), bytes(5_000), bytes(1_000), bytes(2), bytes(1_024), bytes(30_000), bytes(1)]);
  await send(Array.from({ length: 40 }, () => bytes(1_023)));
  await app.close();
});
