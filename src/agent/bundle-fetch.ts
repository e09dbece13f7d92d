import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Agent as HttpAgent, request } from 'undici';
import { ComityError, messageOf } from '../base/errors.ts';
import { watchPath } from '../base/watch-path.ts';
import { BUNDLE_BYTES, BundleError } from '../policy/bundle.ts';
import { readShelf } from '../policy/bundle-shelf.ts';
import type { PolicySource } from './policy-source.ts';

/** Where an agent's bundles come from. */
export type BundleOrigin =
  | { readonly kind: 'file'; readonly path: string; readonly pollMs: number }
  | { readonly kind: 'hub'; readonly url: string; readonly token: string | undefined; readonly pollMs: number };

/** Looks for bundles and offers them to the policy. */
export interface BundleFetch {
  /** Questions that were not answered. */
  failures(): number;
  close(): Promise<void>;
}

/** A hub holds a question for so long while it has nothing new. */
const WAIT_SECONDS = 25;

/** Past that, it is not going to answer. */
const TIMEOUT_MS = (WAIT_SECONDS + 10) * 1000;

/** Between questions of a hub that does not answer; doubled each time, up to the greatest. */
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 30_000;

/** Starts looking. Bundles that are refused are logged once and counted by the policy. */
export function fetchBundles(origin: BundleOrigin, policy: PolicySource, log: Logger): BundleFetch {
  const stopping = new AbortController();
  let failures = 0;
  const onFailure = (error: unknown): void => {
    failures++;
    log.warn({ reason: messageOf(error), failures }, 'policy bundles cannot be looked for');
  };
  const running =
    origin.kind === 'hub'
      ? askHub(origin, policy, log, onFailure, stopping.signal)
      : readFiles(origin, policy, log, onFailure, stopping.signal);
  return {
    failures: () => failures,
    async close() {
      stopping.abort();
      await running;
    },
  };
}

async function askHub(
  { url, token, pollMs }: Extract<BundleOrigin, { kind: 'hub' }>,
  policy: PolicySource,
  log: Logger,
  onFailure: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const dispatcher = new HttpAgent({ connections: 1, maxResponseSize: BUNDLE_BYTES });
  let etag: string | undefined;
  let retryMs = RETRY_MS_MIN;
  try {
    while (!signal.aborted) {
      const startedMs = performance.now();
      let pauseMs: number;
      try {
        const answer = await ask(url, policy.told().bundleDigest, { token, etag, dispatcher, signal });
        retryMs = RETRY_MS_MIN;
        // Where one was taken, the next may be there already.
        const taken = answer !== undefined && (await offered(policy, answer.text, log));
        etag = taken ? undefined : (answer?.etag ?? etag);
        pauseMs = taken ? 0 : pollMs - (performance.now() - startedMs);
      } catch (error) {
        if (signal.aborted) return;
        onFailure(error);
        pauseMs = retryMs;
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {});
    }
  } finally {
    await dispatcher.destroy();
  }
}

/** The bundle that a hub offers to whoever has this one in force; undefined while it is the one with the tag, or none. */
async function ask(
  url: string,
  inForce: string,
  {
    token,
    etag,
    dispatcher,
    signal,
  }: { token: string | undefined; etag: string | undefined; dispatcher: HttpAgent; signal: AbortSignal },
): Promise<{ readonly text: string; readonly etag: string | undefined } | undefined> {
  const { statusCode, headers, body } = await request(`${url}/federation/v1/bundle`, {
    query: { after: inForce, wait: WAIT_SECONDS },
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
    },
    dispatcher,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    signal,
  });
  if (statusCode !== 200) {
    await body.dump();
    // 404: no bundle has been published yet.
    if (statusCode === 304 || statusCode === 404) return undefined;
    throw new ComityError('unavailable', `${url} answered ${statusCode} to a question for the policy bundle`);
  }
  const tag = headers['etag'];
  return { text: await body.text(), etag: typeof tag === 'string' ? tag : undefined };
}

async function readFiles(
  { path, pollMs }: Extract<BundleOrigin, { kind: 'file' }>,
  policy: PolicySource,
  log: Logger,
  onFailure: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const told = new Map<string, string>();
  let refused: string | undefined;
  let running: Promise<void> = Promise.resolve();
  // They are looked at over and over.
  const onProblem = (file: string, words: string): void => {
    if (told.get(file) !== words) log.warn({ file, words }, 'no policy bundle');
    told.set(file, words);
  };
  const look = async (): Promise<void> => {
    try {
      for (;;) {
        const inForce = policy.told().bundleDigest;
        const shelf = readShelf(path, onProblem);
        const next = shelf.after(inForce);
        if (signal.aborted || next === undefined || next.etag === refused) return;
        const taken = await offered(policy, next.text, log);
        refused = taken ? undefined : next.etag;
        if (!taken) return;
      }
    } catch (error) {
      onFailure(error);
    }
  };
  const soon = (): void => {
    running = running.then(look);
  };
  soon();
  const stop = watchPath(path, soon, pollMs);
  await new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', resolve, { once: true });
  });
  stop();
  await running;
}

async function offered(policy: PolicySource, text: string, log: Logger): Promise<boolean> {
  try {
    return await policy.offer(text);
  } catch (error) {
    // Anything else is no fault of the bundle, which may be taken the next time.
    if (!(error instanceof BundleError)) throw error;
    log.error({ fault: error.fault, reason: error.message }, 'a policy bundle is refused: the one in force stays');
    return false;
  }
}
