import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { httpServer, listen } from '../../src/base/http.ts';

test('a request that does not arrive is given up', async () => {
  const app = httpServer(pino({ level: 'silent' }));
  app.post('/', async () => 'never');
  const url = new URL(await listen(app, '127.0.0.1:0'));
  expect([app.server.requestTimeout, app.server.headersTimeout]).toEqual([30_000, 10_000]);
  // The same in less time.
  app.server.headersTimeout = 400;
  app.server.requestTimeout = 500;
  const socket = connect(Number(url.port), url.hostname);
  await once(socket, 'connect');
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n1');
  const [reply] = (await once(socket, 'data')) as [Buffer];
  expect(reply.toString()).toMatch(/^HTTP\/1.1 503 [^]*Retry-After: 5/);
  await app.close();
});

test('what is no HTTP request is refused, and not logged', async () => {
  const lines: string[] = [];
  const app = httpServer(pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }));
  const url = new URL(await listen(app, '127.0.0.1:0'));
  for (const [sent, want] of [
    ['POST / HTTP/1.1\r\nsecret header\r\n\r\n', /^HTTP\/1.1 400 /],
    [`GET / HTTP/1.1\r\nHost: a\r\nx: ${'secret'.repeat(10_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
  ] as const) {
    const socket = connect(Number(url.port), url.hostname);
    await once(socket, 'connect');
    socket.write(sent);
    const [reply] = (await once(socket, 'data')) as [Buffer];
    expect(reply.toString()).toMatch(want);
    socket.destroy();
  }
  expect(lines.join('')).toContain('HPE_');
  expect(lines.join('')).not.toMatch(/secret|rawPacket|115,101,99,114,101,116/);
  await app.close();
});
