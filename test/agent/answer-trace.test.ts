import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { federationEndpoint } from '../../src/agent/answer.ts';
import { httpServer, listen } from '../../src/base/http.ts';
import type { Border } from '../../src/border/release.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

const app = httpServer(pino({ level: 'silent' }));
afterEach(() => app.close());

it('what goes wrong is told with the id of the hub’s trace', async () => {
  const told: (string | undefined)[][] = [];
  const broken = {
    status(): never {
      throw new Error('the disk is gone');
    },
  } as unknown as Border;
  federationEndpoint(app, {
    border: broken,
    token: 'token',
    onReleased: () => undefined,
    onFault: ({ message }, traceId) => told.push([message, traceId]),
  });
  const url = await listen(app, '127.0.0.1:0');
  for (const traceparent of [`00-${TRACE}-b7ad6b7169203331-01`, 'nonsense']) {
    const headers = { authorization: 'Bearer token', 'content-type': 'application/x-protobuf', traceparent };
    const response = await fetch(`${url}/federation/v1/status`, { method: 'POST', headers, body: new Uint8Array(0) });
    expect(response.status).toBe(500);
    expect(Buffer.from(await response.arrayBuffer()).toString()).not.toContain('disk');
  }
  expect(told).toEqual([
    ['the disk is gone', TRACE],
    ['the disk is gone', undefined],
  ]);
});
