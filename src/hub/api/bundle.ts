import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { requestParams } from '../../api/params.ts';
import { whileConnected } from '../../api/while-connected.ts';
import { ComityError } from '../../base/errors.ts';
import type { HubBundles } from '../bundles.ts';

/** Seconds that a question may wait for something new. */
const WAIT_SECONDS_MAX = 30;

/** Questions that wait: each is a connection. One of every agent of a large federation. */
const WAITING_MAX = 4_096;

/**
 * GET /federation/v1/bundle: a signed policy bundle for agents, as it lies in its file. `after` is the digest of the one that
 * the agent has in force (none when empty): it gets the one that follows, or the newest. With `If-None-Match` it gets 304 while
 * that is still the same, after at most `wait` seconds. 404 while there is none.
 */
export function bundleApi(app: FastifyInstance, bundles: HubBundles, token: string | undefined): void {
  const stopping = new AbortController();
  let waiting = 0;
  app.addHook('preClose', async () => stopping.abort());

  app.get('/federation/v1/bundle', async (request, reply) => {
    if (token !== undefined && !isSame(`Bearer ${token}`, request.headers.authorization ?? '')) {
      throw new ComityError('unauthorized', 'the request does not carry the token for policy bundles');
    }
    const params = requestParams(request);
    const after = params.get('after') ?? '';
    const waitMs = secondsParam(params.get('wait')) * 1000;
    const known = request.headers['if-none-match'];
    const signal = AbortSignal.any([whileConnected(reply), stopping.signal, AbortSignal.timeout(waitMs)]);
    const isNews = (): boolean => {
      const offer = bundles.after(after);
      return offer !== undefined && `"${offer.etag}"` !== known;
    };
    if (waitMs > 0 && waiting < WAITING_MAX) {
      waiting++;
      try {
        while (!isNews() && !signal.aborted) await bundles.changed(signal);
      } finally {
        waiting--;
      }
    }
    const offer = bundles.after(after);
    if (offer === undefined) throw new ComityError('not_found', 'no policy bundle has been published here');
    reply.header('etag', `"${offer.etag}"`).header('cache-control', 'no-cache');
    if (!isNews()) return reply.code(304).send();
    return reply.type('application/json').send(offer.text);
  });
}

function secondsParam(text: string | null): number {
  if (text === null) return 0;
  if (!/^\d{1,4}$/.test(text)) throw new ComityError('bad_data', 'invalid parameter "wait": give whole seconds');
  return Math.min(Number(text), WAIT_SECONDS_MAX);
}

/** Digests have one length, so comparing them tells nothing of the token's. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
