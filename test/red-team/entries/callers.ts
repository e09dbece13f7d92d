import { attempt, denied, type Attempt, type Entry } from '../attempt.ts';
import { errorCode } from '../hostile-hub.ts';
import { rawQuery } from '../wire.ts';

/** Who asks, and with whose token. */
export const CALLER_ENTRIES: readonly Entry[] = [
  {
    name: 'invented consumers',
    attempts: [
      ...[
        ['no token', {}],
        ['an empty token', { authorization: 'Bearer ' }],
        ['a guessed token', { authorization: `Bearer ${'a'.repeat(32)}` }],
        [
          'a token in the name of basic authentication',
          { authorization: `Basic ${Buffer.from('hub:hub').toString('base64')}` },
        ],
        ['a token that is an object', { authorization: 'Bearer [object Object]' }],
        ['a token that is a property of every object', { authorization: 'Bearer __proto__' }],
        ['a very long token', { authorization: `Bearer ${'x'.repeat(8_000)}` }],
        [
          'a user in a header',
          { authorization: '', 'x-scope-orgid': 'admin', 'x-remote-user': 'hub', 'x-consumer': 'hub' },
        ],
      ].map(([what, headers]) =>
        denied(what as string, 401, 'unauthorized', ({ hub }) =>
          hub.send('/federation/v1/query', rawQuery([]), { authorization: '', ...(headers as Record<string, string>) }),
        ),
      ),
      ...['status', 'explain', 'labels', 'series', 'metadata', 'exemplars', 'ledger'].map((path) =>
        denied(`/federation/v1/${path} without a token`, 401, 'unauthorized', ({ hub }) =>
          hub.send(`/federation/v1/${path}`, Buffer.alloc(0), { authorization: '' }),
        ),
      ),
      denied('no token, and no such path', 401, 'unauthorized', ({ hub }) =>
        hub.send('/no/such/path', undefined, { authorization: '' }),
      ),
      almost(
        'the token with one letter changed',
        (token) => `Bearer ${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`,
      ),
      almost('the beginning of the token', (token) => `Bearer ${token.slice(0, -1)}`),
      almost('the token and more', (token) => `Bearer ${token}0`),
      almost('the token without its scheme', (token) => token),
      almost('the token as a password', (token) => `Basic ${token}`),
      attempt('every', 'a consumer named in the request', 'the ledger names whoever has the token', async ({ hub }) => {
        const reply = await hub.send('/federation/v1/status', rawQuery([]).subarray(0, 0), {
          'x-consumer': 'somebody else',
        });
        return reply.status === 400 ? undefined : `an empty request was answered ${reply.status} ${errorCode(reply)}`;
      }),
    ],
  },
  {
    name: 'token reuse',
    attempts: [
      attempt('every', "another domain's token", '401 unauthorized', async ({ hub, agent }) => {
        const other = await agent({});
        const reply = await other.hub.send('/federation/v1/query', rawQuery([]), {
          authorization: `Bearer ${hub.token}`,
        });
        return reply.status === 401 ? undefined : `it was answered ${reply.status}`;
      }),
    ],
    pending: 'tokens to join with, used twice: agents do not join a hub with one yet',
  },
  {
    name: 'replay under another user',
    attempts: [],
    pending: 'people have no tokens of their own yet: every request is in the name of the hub',
  },
  {
    name: 'CSR for another domain',
    attempts: [],
    pending: 'there is no certificate authority yet that would sign one',
  },
  {
    name: 'trace by id above the level',
    attempts: ['/api/traces/0af7651916cd43dd8448eb211c80319c', '/federation/v1/trace', '/api/v2/search'].map((path) =>
      denied(`GET ${path}`, 404, 'not_found', ({ hub }) => hub.send(path)),
    ),
    pending: 'there is no endpoint for traces yet, and no span leaves but as span metrics',
  },
];

function almost(what: string, authorization: (token: string) => string): Attempt {
  return denied(what, 401, 'unauthorized', ({ hub }) =>
    hub.send('/federation/v1/query', rawQuery([]), { authorization: authorization(hub.token) }),
  );
}
