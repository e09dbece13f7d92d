import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { zstdDecompressSync } from 'node:zlib';
import type { Crossings } from './crossings.ts';

/** An answer on its way from an agent to a hub. */
export interface Passing {
  /** `query`, `status`, … */
  readonly path: string;
  readonly status: number;
  /** Decompressed. */
  readonly body: Buffer;
}

/** What stands between an agent and a hub, reads all that passes and may put something else in its place. */
export interface WireTap {
  /** Where the hub finds the agent. */
  readonly url: string;
  /** Gives the body that goes on; undefined for the truth. */
  tamper: ((passing: Passing) => Buffer) | undefined;
  /** Asks another agent from now on, with its token. */
  redirect(agent: { readonly url: string; readonly token: string }): void;
  /** Answers so far by path. */
  readonly passed: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** Listens on the loopback interface; `crossings` get every answer with its headers. */
export async function startWireTap(agentUrl: string, crossings: Crossings): Promise<WireTap> {
  const passed = new Map<string, number>();
  let tamper: WireTap['tamper'];
  let target: { readonly url: string; readonly token?: string } = { url: agentUrl };

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bytesOf(request);
    const answer = await forward(target, request, body);
    const sent = await bytesOf(answer);
    const path = (request.url ?? '').replace('/federation/v1/', '');
    passed.set(path, (passed.get(path) ?? 0) + 1);
    crossings.crossed(`the agent's answer to a hub's ${path}`, sent);
    crossings.crossed(`headers of the answer to a hub's ${path}`, Buffer.from(answer.rawHeaders.join('\n')));
    const status = answer.statusCode ?? 502;
    const plain = answer.headers['content-encoding'] === 'zstd' ? zstdDecompressSync(sent) : sent;
    const said = tamper?.({ path, status, body: plain }) ?? plain;
    response.writeHead(status, {
      'content-type': answer.headers['content-type'] ?? 'application/x-protobuf',
      'content-length': said.length,
    });
    response.end(said);
  }

  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get tamper() {
      return tamper;
    },
    set tamper(next) {
      tamper = next;
    },
    redirect: (agent) => void (target = agent),
    passed,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function forward(
  target: { readonly url: string; readonly token?: string },
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<IncomingMessage> {
  const { host: _, connection: __, 'transfer-encoding': ___, ...given } = headers;
  const authorization = target.token === undefined ? {} : { authorization: `Bearer ${target.token}` };
  return new Promise((resolve, reject) => {
    httpRequest(`${target.url}${url ?? ''}`, { method, headers: { ...given, ...authorization }, agent: false }, resolve)
      .on('error', reject)
      .end(body);
  });
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
