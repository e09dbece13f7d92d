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
  expect(reply.toString()).toMatch(/^HTTP\/1.1 408 /);
  await app.close();
});
