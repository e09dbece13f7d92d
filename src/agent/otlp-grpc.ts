import { once } from 'node:events';
import { createServer, type Http2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { parseListen } from '../base/config.ts';
import type { OtlpCore } from './otlp-core.ts';
import { answerCall, turnAway } from './otlp-grpc-call.ts';
import type { BodyBudget } from './request-body.ts';

/** A running listener for OTLP over gRPC. */
export interface GrpcListener {
  /** `http://host:port`, as exporters take it. */
  readonly url: string;
  /** Takes no more calls, lets those under way end, and cuts off what is left after two seconds. */
  close(): Promise<void>;
}

/** Listens for OTLP over gRPC on `host:port` (port 0 takes a free one), without TLS. */
export async function otlpGrpcReceiver(otlp: OtlpCore, budget: BodyBudget, address: string): Promise<GrpcListener> {
  const server = createServer({
    settings: { maxConcurrentStreams: CALLS_PER_CONNECTION, initialWindowSize: WINDOW_BYTES },
  });
  server.maxConnections = CONNECTIONS;
  const sessions = new Set<Http2Session>();
  let calls = 0;

  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    // A connection that breaks takes its calls with it, and they notice themselves.
    session.on('error', () => {});
    session.setLocalWindowSize(WINDOW_BYTES);
    keepAlive(session);
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    if (calls >= CALLS) {
      turnAway(stream, `more than ${CALLS} calls are under way. Send it again later`);
      return;
    }
    calls++;
    stream.once('close', () => calls--);
    answerCall(stream, headers, otlp, budget).catch((error: unknown) => otlp.fault(error));
  });

  const { host, port } = parseListen(address);
  server.listen(port, host);
  // Rejects when the server says `error` instead.
  await once(server, 'listening');
  server.on('error', (error) => otlp.fault(error));
  const bound = server.address() as AddressInfo;

  return {
    url: `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    async close() {
      const closed = once(server, 'close');
      // This tells the connections, too.
      server.close();
      const cutOff = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, CLOSE_GRACE_MS);
      await closed;
      clearTimeout(cutOff);
    },
  };
}

/** Connections at once. Every process of a domain may have one; each costs some 30 KB. */
const CONNECTIONS = 4_096;

/** Calls under way on one connection, as many as other gRPC servers take; exporters have one to ten. */
const CALLS_PER_CONNECTION = 100;

/** Calls under way on all connections. Their bodies are bounded by the budget, this bounds what else they cost. */
const CALLS = 4_096;

/** What a sender may have on its way: 64 KB, the default, would hold up a batch of a megabyte over a long line. */
const WINDOW_BYTES = 1024 * 1024;

/** A connection is asked this often whether its other end is there, and given up when it has not answered by the next. */
const KEEPALIVE_MS = 60_000;

/** As the HTTP servers have it. */
const CLOSE_GRACE_MS = 2_000;

/** Ends connections whose other end is gone or never spoke HTTP/2. */
function keepAlive(session: Http2Session): void {
  let waiting = false;
  const timer = setInterval(() => {
    if (waiting) return session.destroy();
    waiting = session.ping((error) => {
      if (error === null) waiting = false;
    });
    // Neither sent nor going to be: the connection is closing.
    if (!waiting) session.destroy();
  }, KEEPALIVE_MS);
  timer.unref();
  session.once('close', () => clearInterval(timer));
}
