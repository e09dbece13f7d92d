import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import {
  connect,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * A proxy that hands every request on and waits for the answer, but resets the sender's connection instead of answering the
 * first time that it sees these bytes: to the sender the request may or may not have arrived.
 */
export interface ForgetfulProxy {
  /** Root, without a slash at the end. */
  readonly url: string;
  /** Requests whose answer was kept from the sender, and requests that were answered. */
  readonly counts: { readonly dropped: number; readonly answered: number };
  close(): Promise<void>;
}

/** In front of a receiver over HTTP/1.1. */
export async function forgetfulHttpProxy(target: string): Promise<ForgetfulProxy> {
  const memory = requestMemory();
  const server = createServer((request, response) => {
    const { socket } = request;
    forward(target, request)
      .then(({ body, answer, answerBody }) => {
        if (memory.isNew(request.url, body)) return void socket.resetAndDestroy();
        const headers = [...answer.headers].filter(([name]) => !OF_CONNECTION.has(name));
        response.writeHead(answer.status, Object.fromEntries(headers));
        response.end(answerBody);
      })
      // What the proxy itself does wrong is told, too: a test that misses samples looks here.
      .catch((error: unknown) => void response.writeHead(502).end(String(error)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: urlOf(server.address()), counts: memory.counts, close };
}

/** Headers of one connection or of one coding of a body, which the proxy makes anew. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'host',
  'keep-alive',
  'transfer-encoding',
]);

async function forward(target: string, request: IncomingMessage) {
  const body = await buffer(request);
  const headers = Object.entries(request.headers)
    .filter(([name]) => !OF_CONNECTION.has(name))
    .map(([name, value]): [string, string] => [name, String(value)]);
  const answer = await fetch(`${target}${request.url}`, { method: 'POST', headers, body: new Uint8Array(body) });
  return { body, answer, answerBody: Buffer.from(await answer.arrayBuffer()) };
}

/** In front of a receiver of gRPC without TLS. */
export async function forgetfulGrpcProxy(target: string): Promise<ForgetfulProxy> {
  const memory = requestMemory();
  const upstream = connect(target);
  upstream.on('error', () => {});
  const server = createHttp2Server();
  /** By the sender's port: a session does not give its socket away. */
  const sockets = new Map<number | undefined, Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.set(socket.remotePort, socket);
    socket.on('error', () => {});
  });
  server.on('sessionError', () => {});

  async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const body = await buffer(stream);
    const { ':authority': _authority, ...sent } = headers;
    const request = upstream.request(sent);
    let head: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    request.on('response', (got) => (head = got));
    request.on('trailers', (got) => (trailers = got));
    request.end(body);
    const answerBody = await buffer(request);
    if (memory.isNew(headers[':path'], body)) {
      sockets.get(stream.session?.socket.remotePort)?.resetAndDestroy();
      return;
    }
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.respond(head, { waitForTrailers: true });
    stream.end(answerBody);
  }

  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    answer(stream, headers).catch(() => stream.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const close = async () => {
    upstream.destroy();
    for (const socket of sockets.values()) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: urlOf(server.address()), counts: memory.counts, close };
}

function requestMemory() {
  const seen = new Set<string>();
  const counts = { dropped: 0, answered: 0 };
  return {
    counts,
    isNew(path: string | undefined, body: Buffer): boolean {
      const digest = createHash('sha256').update(`${path}\n`).update(body).digest('hex');
      const isNew = !seen.has(digest);
      seen.add(digest);
      if (isNew) counts.dropped++;
      else counts.answered++;
      return isNew;
    },
  };
}

function urlOf(address: string | AddressInfo | null): string {
  return `http://127.0.0.1:${(address as AddressInfo).port}`;
}
