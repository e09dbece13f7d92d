import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { STATUS_CODES } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Agent, request, type Dispatcher } from 'undici';
import { ComityError } from '../../base/errors.ts';
import { VERSION } from '../../base/version.ts';
import type { HttpOptions, Secret, TlsOptions } from './http-config.ts';
import type { BodyBudget } from '../request-body.ts';
import type { ScrapeJob } from './job.ts';

/** What a target answered. */
export interface Exposition {
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
  /** To be called when the body is no longer needed. */
  release(): void;
}

/** Fetches what the targets of one job expose. */
export interface ScrapeClient {
  /**
   * One scrape. Throws a `ComityError` that says why there is no exposition, or whatever `signal` was aborted with.
   */
  fetch(url: string, timeoutMs: number, signal: AbortSignal): Promise<Exposition>;
  close(): Promise<void>;
}

/** Prometheus follows as many. */
const REDIRECTS = 10;

/** Connections wait this long for the next scrape; the interval is often a minute. */
const KEEP_ALIVE_MS = 65_000;

/** How often certificates and keys in files are looked at: they are renewed days before they end. */
const TLS_RELOAD_MS = 30_000;

const unzip = promisify(gunzip);

export function scrapeClient(job: ScrapeJob, budget: BodyBudget): ScrapeClient {
  const agents = agentOf(job.http.tls, job.intervalMs);

  async function fetch(url: string, timeoutMs: number, closed: AbortSignal): Promise<Exposition> {
    const late = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([closed, late]);
    try {
      const response = await follow(url, timeoutMs, signal);
      return await readBody(response, job.bodyBytes, budget);
    } catch (error) {
      if (closed.aborted) throw closed.reason;
      if (late.aborted) throw new ComityError('timeout', `no complete answer within ${timeoutMs / 1000} s`);
      throw error instanceof ComityError ? error : new ComityError('unavailable', reasonOf(error), { cause: error });
    }
  }

  async function follow(first: string, timeoutMs: number, signal: AbortSignal): Promise<Response> {
    let url = parseUrl(first);
    const { origin } = url;
    for (let redirects = 0; ; redirects++) {
      const headers = {
        accept: job.accept,
        'accept-encoding': job.compression ? 'gzip' : 'identity',
        'user-agent': `Comity/${VERSION}`,
        'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000),
        // What is secret stays with the target it was given for.
        ...(url.origin === origin ? await ownHeaders(job.http) : {}),
      };
      const response = await send(url, { headers, signal, dispatcher: await agents.current() });
      const location = response.headers['location'];
      if (![301, 302, 303, 307, 308].includes(response.statusCode) || !job.http.followRedirects) return response;
      if (typeof location !== 'string') return response;
      await response.body.dump();
      if (redirects === REDIRECTS) throw new ComityError('unavailable', `stopped after ${REDIRECTS} redirects`);
      url = parseUrl(new URL(location, url).href);
    }
  }

  return { fetch, close: agents.close };
}

type Response = Dispatcher.ResponseData<unknown>;
type SendOptions = Parameters<typeof request>[1];

/** A connection that the target has just closed is no reason to call the target down. */
async function send(url: URL, options: SendOptions): Promise<Response> {
  try {
    return await request(url, options);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code !== 'UND_ERR_SOCKET' && code !== 'ECONNRESET') throw error;
    return request(url, options);
  }
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw new ComityError('bad_config', `${text} is no URL`);
  const url = new URL(text);
  if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  throw new ComityError('bad_config', `${url.protocol} is neither http nor https`);
}

async function ownHeaders({
  basicAuth,
  authorization,
  headers,
}: HttpOptions): Promise<Record<string, string | string[]>> {
  const own: Record<string, string | string[]> = {};
  for (const { name, value } of headers) {
    const before = own[name] ?? [];
    own[name] = [...(typeof before === 'string' ? [before] : before), await read(value)];
  }
  if (basicAuth !== undefined) {
    const pair = `${await read(basicAuth.username)}:${await read(basicAuth.password)}`;
    own['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  if (authorization !== undefined) {
    own['authorization'] = `${authorization.type} ${await read(authorization.credentials)}`;
  }
  return own;
}

async function read(secret: Secret): Promise<string> {
  if ('text' in secret) return secret.text;
  try {
    return (await readFile(secret.file, 'utf8')).trim();
  } catch (error) {
    throw new ComityError('bad_config', `cannot read ${secret.file}: ${(error as Error).message}`);
  }
}

/** The body, decompressed, with at most `limit` bytes before and after that. */
async function readBody(response: Response, limit: number, budget: BodyBudget): Promise<Exposition> {
  const { statusCode, headers, body } = response;
  // A body that is given up tells so by an event, too, and one that nobody hears would end the process.
  body.on('error', () => undefined);
  let held = 0;
  const hold = (bytes: number): void => {
    budget.take(bytes);
    held += bytes;
  };
  const release = (): void => {
    budget.release(held);
    held = 0;
  };
  try {
    if (statusCode !== 200) {
      throw new ComityError(
        'unavailable',
        `the target answered HTTP status ${statusCode} ${STATUS_CODES[statusCode] ?? ''}`,
      );
    }
    const encoding = String(headers['content-encoding'] ?? 'identity').toLowerCase();
    if (encoding !== 'gzip' && encoding !== 'identity') {
      throw new ComityError('unsupported_media_type', `the target compressed its answer with ${encoding}, not gzip`);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of body as AsyncIterable<Buffer>) {
      hold(chunk.length);
      if (held >= limit) throw tooLarge(limit);
      chunks.push(chunk);
    }
    let whole: Buffer = Buffer.concat(chunks);
    if (encoding === 'gzip' && whole.length > 0) {
      whole = await gunzipBounded(whole, limit);
      hold(Math.max(0, whole.length - held));
    }
    const contentType = headers['content-type'];
    return { body: whole, contentType: typeof contentType === 'string' ? contentType : undefined, release };
  } catch (error) {
    release();
    body.destroy();
    throw error;
  }
}

async function gunzipBounded(body: Buffer, limit: number): Promise<Buffer> {
  try {
    return await unzip(body, { maxOutputLength: limit - 1 });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw new ComityError('bad_data', `the target's answer is no gzip: ${(error as Error).message}`);
  }
}

function tooLarge(limit: number): ComityError {
  return new ComityError('body_too_large', `the target's answer has ${limit} bytes or more (body_size_limit)`);
}

/** The reason at the bottom: several addresses that all refuse come as one error around theirs. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const { message, cause } = error as Error;
  return cause instanceof Error && message === '' ? reasonOf(cause) : message;
}

interface Agents {
  current(): Promise<Agent>;
  close(): Promise<void>;
}

/** Connections with the certificates as they are in their files now. */
function agentOf(tls: TlsOptions, connectMs: number): Agents {
  let agent: Agent | undefined;
  let digest = '';
  let loadedAt = -Infinity;

  async function load(): Promise<Agent> {
    loadedAt = performance.now();
    const [ca, cert, key] = await Promise.all([tls.ca, tls.cert, tls.key].map(async (one) => one && read(one)));
    const now = createHash('sha256')
      .update(JSON.stringify([ca, cert, key]))
      .digest('base64');
    if (agent !== undefined && now === digest) return agent;
    const before = agent;
    digest = now;
    agent = new Agent({
      keepAliveTimeout: KEEP_ALIVE_MS,
      // The scrape's own timeout holds for all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: connectMs,
        rejectUnauthorized: !tls.insecure,
        ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined || key === undefined ? {} : { cert, key }),
      },
    });
    // Scrapes under way end on the old connections.
    void before?.close();
    return agent;
  }

  const files = [tls.ca, tls.cert, tls.key].some((one) => one !== undefined && 'file' in one);
  return {
    async current() {
      const stale = files && performance.now() - loadedAt > TLS_RELOAD_MS;
      return agent === undefined || stale ? load() : agent;
    },
    async close() {
      await agent?.destroy();
    },
  };
}
