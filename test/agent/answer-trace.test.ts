import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { federationEndpoint } from '../../src/agent/answer.ts';
import { httpServer, listen } from '../../src/base/http.ts';
import type { Border } from '../../src/border/border.ts';
import { borderOver } from '../border/domain.ts';
import { REQUEST_ID } from '../plan/beside.ts';
import { encodeStatusRequest } from '../../src/plan/frames/status-codec.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

const app = httpServer(pino({ level: 'silent' }));
afterEach(() => app.close());

it('what goes wrong is told with the id of the hub’s trace', async () => {
  const told: (string | undefined)[][] = [];
  const broken = {
    ...borderOver({} as Border['data'], '{version: 1, domain: eu}'),
    status(): never {
      throw new Error('the disk is gone');
    },
  } satisfies Border;
  federationEndpoint(app, {
    border: broken,
    consumers: [{ name: 'hub', jurisdiction: 'de', token: 'token' }],
    onReleased: () => undefined,
    onFault: ({ message }, traceId) => told.push([message, traceId]),
  });
  const url = await listen(app, '127.0.0.1:0');
  for (const traceparent of [`00-${TRACE}-b7ad6b7169203331-01`, 'nonsense']) {
    const headers = { authorization: 'Bearer token', 'content-type': 'application/x-protobuf', traceparent };
    const response = await fetch(`${url}/federation/v1/status`, {
      method: 'POST',
      headers,
      body: Buffer.from(encodeStatusRequest(REQUEST_ID)),
    });
    expect(response.status).toBe(500);
    expect(Buffer.from(await response.arrayBuffer()).toString()).not.toContain('disk');
  }
  expect(told).toEqual([
    ['the disk is gone', TRACE],
    ['the disk is gone', undefined],
  ]);
});
