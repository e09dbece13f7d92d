import { request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What a hub asked, and what an honest agent says to it. */
export interface Heard {
  readonly path: string;
  readonly body: Buffer;
  readonly honest: { readonly statusCode: number; readonly encoding: string; readonly body: Buffer };
}

/** Answers on the bare connection, however it likes. */
export type Lie = (socket: Socket, heard: Heard) => void;

export interface LyingServer {
  readonly url: string;
  /** Asked for anything but its status it lies; undefined for the truth. */
  lie: Lie | undefined;
  /** Bytes that it could send so far. */
  sentBytes(): number;
  /** Questions but for the status. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** A server before a real agent, which knows no more of HTTP than it must: HTTP libraries are too polite to lie. */
export async function startLyingServer(agentUrl: string): Promise<LyingServer> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  let lie: Lie | undefined;
  let closedBytes = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      closedBytes += socket.bytesWritten;
    });
    let read = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      read = Buffer.concat([read, chunk]);
      for (let one = nextRequest(read); one !== undefined; one = nextRequest(read)) {
        read = read.subarray(one.length);
        void answer(socket, one);
      }
    });
  });

  async function answer(socket: Socket, { path, headers, body }: HttpRequest): Promise<void> {
    const honest = await forward(agentUrl, path, headers, body);
    const isStatus = path.endsWith('/status');
    if (!isStatus) asked.push(path);
    if (isStatus || lie === undefined) reply(socket, honest);
    else lie(socket, { path, body, honest });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get lie() {
      return lie;
    },
    set lie(next) {
      lie = next;
    },
    asked,
    sentBytes: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, closedBytes),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An answer as HTTP has it. */
export function reply(
  socket: Socket,
  { statusCode, encoding, body }: Heard['honest'],
  headers: Readonly<Record<string, string>> = {},
): void {
  socket.write(head(statusCode, { 'content-encoding': encoding, 'content-length': String(body.length), ...headers }));
  socket.write(body);
}

export function head(statusCode: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === '' ? [] : [`${name}: ${value}\r\n`]));
  return `HTTP/1.1 ${statusCode} Something\r\ncontent-type: application/x-protobuf\r\n${lines.join('')}\r\n`;
}

interface HttpRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Of all of it. */
  readonly length: number;
}

/** The request at the beginning of what was read; undefined until it is whole. */
function nextRequest(read: Buffer): HttpRequest | undefined {
  const end = read.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = read.subarray(0, end).toString('latin1').split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const length = end + 4 + Number(headers['content-length'] ?? 0);
  if (read.length < length) return undefined;
  return { path: first.split(' ')[1]!, headers, body: read.subarray(end + 4, length), length };
}

async function forward(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<Heard['honest']> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const { authorization = '', 'accept-encoding': accepts = '' } = headers;
    const sent = { authorization, 'accept-encoding': accepts, 'content-type': 'application/x-protobuf' };
    httpRequest(`${url}${path}`, { method: 'POST', headers: sent, agent: false }, resolve)
      .on('error', reject)
      .end(body);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const { statusCode = 0, headers: given } = response;
  return { statusCode, encoding: given['content-encoding'] ?? '', body: Buffer.concat(chunks) };
}
