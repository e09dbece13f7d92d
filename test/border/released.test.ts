import { Readable } from 'node:stream';
import Fastify from 'fastify';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { federationEndpoint } from '../../src/agent/answer.ts';
import { ComityError } from '../../src/base/errors.ts';
import { httpServer } from '../../src/base/http.ts';
import { releaseError } from '../../src/border/release-error.ts';
import { releaseStatus } from '../../src/border/release.ts';
import { openReleased, type Released } from '../../src/border/released.ts';
import { decodeExplainAnswer } from '../../src/plan/frames/explain-codec.ts';
import { decodeReleased } from '../../src/plan/frames/receipt-codec.ts';
import { encodeQueryRequest } from '../../src/plan/frames/query-codec.ts';
import { decodeErrorAnswer, decodeStatusAnswer } from '../../src/plan/frames/status-codec.ts';
import { FEDERATION_VERSION } from '../../src/plan/frames/version.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { localShard } from '../../src/shard/local-shard.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { memorySource } from '../memory-source.ts';
import { ASKED_BESIDE, REQUEST_ID } from '../plan/beside.ts';
import { bareSource } from '../shard/memory-shards.ts';
import { anyFragment, borderOver, readingBy } from './domain.ts';
import { answerIn, ASKED } from './records.ts';

/** What a caller in bad faith would write. */
const forge = (value: unknown): Released => value as Released;

const POLICY = '{version: 1, domain: eu, labels: {permit: []}}';
const SHARDS = [localShard(bareSource(memorySource([])), readingBy(POLICY))];
const BORDER = borderOver(openQueries(SHARDS), POLICY);
const status = (): Promise<Released> => releaseStatus({ id: REQUEST_ID }, ASKED, BORDER);
const REAL = await status();

describe('Released', () => {
  it('cannot be written down elsewhere: this file would not compile without these marks', () => {
    // @ts-expect-error the brand is a symbol that no other module can name
    const forged: Released = { kind: 'query', byteLength: 3 };
    // @ts-expect-error bytes are not released bytes
    const bytes: Released = new Uint8Array(3);
    expect(() => openReleased(forged)).toThrow(/not released by the border/);
    expect(() => openReleased(bytes)).toThrow(/not released by the border/);
  });

  it('is told from its copy and from a cast at run time', async () => {
    const real = await status();
    expect(openReleased(real).bytes.length).toBe(real.byteLength);
    const copy = { ...real };
    expect(() => openReleased(copy)).toThrow(/not released/);
    expect(() => openReleased(forge({ secret: 'raw' }))).toThrow(/not released/);
  });

  it('cannot be changed after its release', async () => {
    expect(Object.isFrozen(await status())).toBe(true);
  });
});

describe('the federation endpoint', () => {
  const TOKEN = 'a-token-of-this-domain';
  const HUB = { name: 'hub', jurisdiction: 'de', token: TOKEN };

  async function inject(payload: unknown, token = TOKEN) {
    const faults: ComityError[] = [];
    const app = Fastify();
    federationEndpoint(app, {
      border: BORDER,
      consumers: [HUB],
      onReleased: () => {},
      onFault: (error) => faults.push(error),
    });
    app.post('/federation/v1/leak', async (_request, reply) => {
      if (payload instanceof Error) throw payload;
      return reply.send(payload);
    });
    const response = await app.inject({
      method: 'POST',
      url: '/federation/v1/leak',
      headers: { authorization: `Bearer ${token}` },
    });
    await app.close();
    return { response, faults };
  }

  it.each<[string, unknown]>([
    ['an object', { secret: 'canary' }],
    ['a cast', forge({ secret: 'canary' })],
    ['a string', 'canary'],
    ['a buffer', Buffer.from('canary')],
    ['a stream', Readable.from(['canary'])],
    ['a copy of something released', { ...REAL }],
    ['nothing', undefined],
    [
      'an error with a body',
      Object.assign(new Error('canary'), { statusCode: 500, body: 'canary', headers: { x: 'canary' } }),
    ],
  ])('sends nothing of %s, which the border did not make', async (_name, payload) => {
    const { response, faults } = await inject(payload);
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('canary');
    expect(JSON.stringify(response.headers)).not.toContain('canary');
    expect(faults.map((fault) => fault.code)).toContain(payload instanceof Error ? 'internal' : 'not_released');
  });

  it('sends what the border made', async () => {
    const released = await status();
    const { response, faults } = await inject(released);
    expect(response.statusCode).toBe(200);
    expect(response.rawPayload.length).toBe(released.byteLength);
    expect(decodeStatusAnswer(answerIn(released), { id: REQUEST_ID }).status.domain).toBe('eu');
    expect(faults).toEqual([]);
  });

  it('answers a request of another version with its own, and fragments with verdicts', async () => {
    const app = httpServer(pino({ level: 'silent' }));
    federationEndpoint(app, {
      border: BORDER,
      consumers: [HUB],
      onReleased: () => {},
      onFault: (fault) => expect.fail(fault.message),
    });
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/x-protobuf' };
    for (const path of ['query', 'explain', 'labels']) {
      // A message of version 2 with nothing else in it.
      const url = `/federation/v1/${path}`;
      const old = await app.inject({ method: 'POST', url, headers, payload: Buffer.from([8, 2]) });
      expect(old.statusCode).toBe(400);
      expect(decodeErrorAnswer(old.rawPayload)).toEqual({ version: FEDERATION_VERSION, code: 'unsupported' });
    }
    const fragments = [anyFragment('partial sum(up)'), anyFragment('up')];
    const request = encodeQueryRequest({
      lookbackMs: 1,
      timeLeftMs: 1_000,
      features: NO_FEATURES,
      fragments,
      ...ASKED_BESIDE,
    });
    const url = '/federation/v1/explain';
    const answer = await app.inject({ method: 'POST', url, headers, payload: Buffer.from(request) });
    expect(answer.statusCode).toBe(200);
    expect(
      decodeExplainAnswer(decodeReleased(answer.rawPayload).answer, { ...ASKED_BESIDE, fragments }).verdicts,
    ).toEqual([
      { rules: [{ metric: 'up', class: 'aggregate', rule: 'default' }], series: 0 },
      { refusal: { code: 'class_aggregate', name: 'up', node: 0 } },
    ]);
    await app.close();
  });

  it.each<[string, number, Record<string, string>]>([
    ['/federation/v1/nothing', 404, { authorization: `Bearer ${TOKEN}` }],
    ['/federation/v1/nothing', 401, {}],
    ['/federation/v1/query', 415, { authorization: `Bearer ${TOKEN}`, 'content-type': 'text/plain' }],
    ['/federation/v1/query', 400, { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/x-protobuf' }],
    ['/%zz', 400, {}],
  ])('%s is answered with %d and no word of its own', async (url, status, headers) => {
    const faults: ComityError[] = [];
    const app = httpServer(pino({ level: 'silent' }));
    federationEndpoint(app, {
      border: BORDER,
      consumers: [HUB],
      onReleased: () => {},
      onFault: (error) => faults.push(error),
    });
    const response = await app.inject({ method: 'POST', url, headers, payload: 'canary' });
    await app.close();
    expect([response.statusCode, response.body.includes('canary'), response.body.includes('zz')]).toEqual([
      status,
      false,
      false,
    ]);
    expect(faults).toEqual([]);
  });

  it.each([['wrong-token-of-a-domain'], ['']])('answers 401 to the token %j and says nothing else', async (token) => {
    const { response } = await inject(await status(), token);
    expect(response.statusCode).toBe(401);
    const refusal = await releaseError(new ComityError('unauthorized', ''), undefined, BORDER);
    expect(Buffer.compare(response.rawPayload, openReleased(refusal).bytes)).toBe(0);
  });
});
