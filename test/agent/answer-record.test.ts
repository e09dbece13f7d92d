import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { federationEndpoint } from '../../src/agent/answer.ts';
import { httpServer } from '../../src/base/http.ts';
import { openReleased } from '../../src/border/released.ts';
import { releaseError } from '../../src/border/release-error.ts';
import { ComityError } from '../../src/base/errors.ts';
import { encodeQueryRequest } from '../../src/plan/frames/query-codec.ts';
import { encodeStatusRequest } from '../../src/plan/frames/status-codec.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { anyFragment, borderOver, readingBy } from '../border/domain.ts';
import { recordsInMemory } from '../border/records.ts';
import { ASKED_BESIDE, REQUEST_ID } from '../plan/beside.ts';
import { memoryShards } from '../shard/memory-shards.ts';

const POLICY = '{version: 1, domain: eu, default_class: open}';
const queries = openQueries(memoryShards([], 1, readingBy(POLICY)));
const records = recordsInMemory();
const border = { ...borderOver(queries, POLICY), recorder: records };
const TYPE = 'application/x-protobuf';

function endpoint() {
  const app = httpServer(pino({ level: 'silent' }));
  federationEndpoint(app, {
    border,
    consumers: [
      { name: 'hub', jurisdiction: 'de', token: 'token-of-the-hub' },
      { name: 'sre', jurisdiction: 'us', token: 'token-of-the-sre' },
    ],
    onReleased: () => {},
    onFault: () => {},
  });
  return app;
}

const app = endpoint();
afterEach(() => {
  records.drafts.length = 0;
});

async function send(path: string, payload: Uint8Array, token: string | undefined, type = TYPE) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const headers = { 'content-type': type, ...authorization };
  return app.inject({ method: 'POST', url: path, headers, payload: Buffer.from(payload) });
}

const QUERY = encodeQueryRequest({
  lookbackMs: 1_000,
  timeLeftMs: 1_000,
  features: NO_FEATURES,
  fragments: [anyFragment('up')],
  ...ASKED_BESIDE,
});
const STATUS = encodeStatusRequest(REQUEST_ID);

it.each<[string, string, Uint8Array, string, number, object]>([
  [
    'an answer',
    '/query',
    QUERY,
    'token-of-the-hub',
    200,
    { what: 'query', consumer: { name: 'hub', jurisdiction: 'de' } },
  ],
  [
    'to another',
    '/status',
    STATUS,
    'token-of-the-sre',
    200,
    { what: 'status', consumer: { name: 'sre', jurisdiction: 'us' } },
  ],
  [
    'a request that cannot be read',
    '/query',
    Buffer.from('canary'),
    'token-of-the-hub',
    400,
    { what: 'error', fragments: [] },
  ],
  [
    'one of another version',
    '/status',
    Buffer.of(8, 2),
    'token-of-the-hub',
    400,
    { what: 'error', decision: 'refused' },
  ],
  [
    'a path that there is not',
    '/nothing',
    QUERY,
    'token-of-the-sre',
    404,
    { what: 'error', consumer: { name: 'sre', jurisdiction: 'us' } },
  ],
])('%s is recorded', async (_, path, body, token, status, want) => {
  const response = await send(`/federation/v1${path}`, body, token);
  expect(response.statusCode).toBe(status);
  expect(records.drafts).toMatchObject([want]);
});

it.each<[string, string, string | undefined]>([
  ['no token', '/federation/v1/query', undefined],
  ['a wrong one', '/federation/v1/query', 'token-of-the-hug'],
  ['no token and no such path', '/federation/v1/nothing', undefined],
])('to somebody with %s a constant is said, and not recorded', async (_, path, token) => {
  const response = await send(path, QUERY, token);
  expect(response.statusCode).toBe(401);
  const constant = openReleased(await releaseError(new ComityError('unauthorized', ''), undefined, border)).bytes;
  expect(Buffer.compare(response.rawPayload, constant)).toBe(0);
  expect(records.drafts).toEqual([]);
});

it('a leaf that cannot be written keeps the answer back', async () => {
  const { record } = records;
  records.record = () => Promise.reject(new ComityError('unavailable', 'the disk is full'));
  const response = await send('/federation/v1/query', QUERY, 'token-of-the-hub');
  records.record = record;
  expect(response.statusCode).toBe(503);
  expect(response.rawPayload.length).toBeLessThan(40);
});
