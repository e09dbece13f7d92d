import { createServer as createHttpServer, request, type Server as HttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Somewhere between a hub and an agent. */
export interface Proxy {
  readonly url: string;
  close(): Promise<void>;
}

export interface Line extends Proxy {
  /** From now on nothing comes through, and what is sent is lost; connections stay. */
  cut(): void;
  /** Ends the connections that were cut, so that new ones are made. */
  mend(): void;
}

/** A thin line: each chunk is late by `latencyMs`, and no more than `bytesPerSecond` go through it in either direction. */
export async function throttle(url: string, latencyMs: number, bytesPerSecond: number): Promise<Line> {
  let isCut = false;
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const freeAtMs = { up: 0, down: 0 };
  const pipe = (from: Socket, to: Socket, direction: 'up' | 'down'): void => {
    from.on('data', (chunk: Buffer) => {
      freeAtMs[direction] = Math.max(freeAtMs[direction], performance.now()) + (chunk.length / bytesPerSecond) * 1000;
      setTimeout(() => !isCut && to.writable && to.write(chunk), freeAtMs[direction] - performance.now() + latencyMs);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => setTimeout(() => to.destroy(), latencyMs));
    sockets.add(from);
    from.on('close', () => sockets.delete(from));
  };
  const server = createServer((client) => {
    const agent = connect(Number(port), hostname);
    pipe(client, agent, 'up');
    pipe(agent, client, 'down');
  });
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await closed(server);
  };
  return {
    url: await listening(server),
    cut: () => (isCut = true),
    mend() {
      isCut = false;
      for (const socket of sockets) socket.destroy();
    },
    close,
  };
}

/** Counts the queries that an agent has under way. */
export interface Counter extends Proxy {
  readonly queries: { now: number; most: number; all: number };
  /** The traceparent of each. */
  readonly traces: string[];
}

export async function countQueries(url: string): Promise<Counter> {
  const queries = { now: 0, most: 0, all: 0 };
  const traces: string[] = [];
  const server = createHttpServer((asked, reply) => {
    const isQuery = asked.url === '/federation/v1/query';
    if (isQuery) {
      queries.all++;
      traces.push(String(asked.headers['traceparent']));
      queries.most = Math.max(queries.most, ++queries.now);
      reply.once('close', () => queries.now--);
    }
    const { method = 'POST', headers } = asked;
    const agent = request(`${url}${asked.url ?? ''}`, { method, headers }, (answer) => {
      reply.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(reply);
    });
    agent.on('error', () => reply.destroy());
    reply.on('close', () => agent.destroy());
    asked.pipe(agent);
  });
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await closed(server);
  };
  return { url: await listening(server), queries, traces, close };
}

async function listening(server: Server | HttpServer): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function closed(server: Server | HttpServer): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
