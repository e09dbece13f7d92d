import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { openBorder, passedSince, type BorderProxy } from '../../bench/border-proxy.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Answers each byte with as many as `times` of it. */
async function behind(times: number): Promise<number> {
  const server = createServer((socket) => {
    socket.on('data', (chunk) => socket.write(Buffer.concat(Array.from({ length: times }, () => chunk))));
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

async function border(times: number): Promise<BorderProxy> {
  const opened = await openBorder(await behind(times));
  stops.push(opened.close);
  return opened;
}

function dial({ port }: BorderProxy): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  stops.push(() => socket.destroy());
  return socket;
}

async function exchange(socket: Socket, sent: Buffer, answerBytes: number): Promise<Buffer> {
  socket.write(sent);
  const chunks: Buffer[] = [];
  for (let bytes = 0; bytes < answerBytes;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return Buffer.concat(chunks);
}

test('bytes pass unchanged and are counted on their way in and out, over all connections', async () => {
  const one = await border(3);
  const sent = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
  const got = await exchange(dial(one), sent, 300_000);
  expect(got.length).toBe(300_000);
  expect(one.bytes()).toEqual({ in: 100_000, out: 300_000 });
  const before = passedSince([one]);
  await exchange(dial(one), Buffer.from('ab'), 6);
  expect(passedSince([one], before)).toEqual({ in: 2, out: 6 });
});

test('what passed is the sum over the borders', async () => {
  const borders = [await border(1), await border(2)];
  for (const [i, one] of borders.entries()) await exchange(dial(one), Buffer.from('abcd'), 4 * (i + 1));
  expect(passedSince(borders)).toEqual({ in: 8, out: 12 });
});

test('while it is down connections end and none is taken; afterwards they are again', async () => {
  const one = await border(1);
  const socket = dial(one);
  await exchange(socket, Buffer.from('a'), 1);
  const ended = once(socket, 'close');
  await one.down();
  await ended;
  const [refused] = (await once(dial(one), 'error')) as [NodeJS.ErrnoException];
  expect(refused.code).toBe('ECONNREFUSED');
  await one.up();
  expect((await exchange(dial(one), Buffer.from('b'), 1)).toString()).toBe('b');
});
