import { readFile } from 'node:fs/promises';
import { Agent, type Dispatcher } from 'undici';
import { ComityError } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';

/** How the server is told who asks. A file is read for each request, so that what is in it can be renewed. */
export type ServerAuth =
  | { readonly kind: 'bearer'; readonly token: Secret }
  | { readonly kind: 'basic'; readonly username: string; readonly password: Secret };

type Secret = { readonly text: string } | { readonly file: string };

/** When a request must have ended. */
export interface Until {
  /** Ms since the epoch. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface ServerRequest extends Until {
  /** Below the server's URL, such as `/api/v1/query`. */
  readonly path: string;
  /** Sent as a form where there is no body. */
  readonly params?: URLSearchParams;
  /** In the URL, and with GET. */
  readonly isGet?: boolean;
  readonly body?: { readonly bytes: Uint8Array; readonly headers: Readonly<Record<string, string>> };
}

export interface ServerAnswer {
  readonly status: number;
  readonly body: AsyncIterable<Buffer>;
}

/** HTTP to a Prometheus-compatible server. Redirects are not followed: they are answers like any other. */
export interface ServerClient {
  /**
   * Throws `canceled` and `timeout` by what ends the request, and `unavailable` where there is no connection. The messages
   * are the agent's own.
   */
  send<T>(request: ServerRequest, read: (answer: ServerAnswer) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** A server of the same domain that does not take a connection within this is down. */
const CONNECT_MS = 3_000;

/** As many as fragments of a few hubs at once need; the server queues queries by itself. */
const CONNECTIONS = 32;

/** Beyond what a request waits by itself. */
const SERVER_TIMEOUT_MS = 0;

export function serverClient(url: string, auth: ServerAuth | undefined): ServerClient {
  const base = new URL(url);
  const root = base.pathname.replace(/\/+$/, '');
  const agent = new Agent({
    connections: CONNECTIONS,
    connect: { timeout: CONNECT_MS },
    headersTimeout: SERVER_TIMEOUT_MS,
    bodyTimeout: SERVER_TIMEOUT_MS,
  });

  async function options({ path, params, isGet, body }: ServerRequest): Promise<Dispatcher.RequestOptions> {
    const query = params?.toString() ?? '';
    const own = await authorization(auth);
    const headers = { 'user-agent': `Comity/${VERSION}`, ...own };
    const at = { origin: base.origin, path: root + path };
    if (isGet === true) {
      return { ...at, path: at.path + (query === '' ? '' : `?${query}`), method: 'GET', headers };
    }
    if (body !== undefined)
      return { ...at, method: 'POST', body: body.bytes, headers: { ...headers, ...body.headers } };
    const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' };
    return { ...at, method: 'POST', body: query, headers: form };
  }

  return {
    async send(request, read) {
      const leftMs = request.deadlineMs - Date.now();
      if (leftMs <= 0) throw outOfTime();
      const late = AbortSignal.timeout(Math.ceil(leftMs));
      const signal = AbortSignal.any([request.signal, late]);
      try {
        const response = await agent.request({ ...(await options(request)), signal });
        try {
          return await read({ status: response.statusCode, body: response.body });
        } finally {
          // What was not read is not waited for. A body that is given up tells so by an event, too.
          response.body.on('error', () => undefined).destroy();
        }
      } catch (error) {
        if (request.signal.aborted) throw new ComityError('canceled', 'the query was cancelled by whoever asked it');
        if (late.aborted) throw outOfTime();
        if (error instanceof ComityError) throw error;
        throw new ComityError('unavailable', 'the server of this domain does not answer', { cause: error });
      }
    },
    close: () => agent.destroy(),
  };
}

function outOfTime(): ComityError {
  return new ComityError('timeout', 'the server of this domain did not answer in time');
}

async function authorization(auth: ServerAuth | undefined): Promise<Record<string, string>> {
  if (auth === undefined) return {};
  if (auth.kind === 'bearer') return { authorization: `Bearer ${await read(auth.token)}` };
  const pair = `${auth.username}:${await read(auth.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

async function read(secret: Secret): Promise<string> {
  if ('text' in secret) return secret.text;
  try {
    return (await readFile(secret.file, 'utf8')).trim();
  } catch (error) {
    throw new ComityError('unavailable', `cannot read ${secret.file}`, { cause: error });
  }
}

/** A body of at most `limit` bytes. Throws `limit`, naming `name`. */
export async function readBody(body: AsyncIterable<Buffer>, limit: number, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > limit) throw tooMuch(limit, 'bytes', name);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function tooMuch(limit: number, what: string, name: string): ComityError {
  return new ComityError(
    'limit',
    `the server of this domain answers more than the ${limit} ${what} allowed (${name}). Aggregate, raise the step, or ` +
      'narrow the selectors',
  );
}

/** What the server said cannot be what a server of its kind says. */
export function garbled(what: string): ComityError {
  return new ComityError('unavailable', `the server of this domain answers what cannot be read: ${what}`);
}
