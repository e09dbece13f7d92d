import { once } from 'node:events';
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { otlpGrpcReceiver, type GrpcListener } from '../../src/agent/otlp-grpc.ts';
import type { OtlpCoreDeps } from '../../src/agent/otlp-core.ts';
import { type Harness, startReceiver } from './otlp-harness.ts';

export const METRICS_PATH = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
export const TRACES_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export interface GrpcHarness extends Harness {
  readonly grpc: GrpcListener;
  /** `host:port` of the gRPC listener. */
  readonly target: string;
}

/** A receiver over HTTP and gRPC that keeps what it is sent. */
export async function startGrpc(deps: Partial<OtlpCoreDeps> = {}, bodyBytesAtOnce?: number): Promise<GrpcHarness> {
  const harness = await startReceiver(deps, bodyBytesAtOnce);
  const grpc = await otlpGrpcReceiver(harness.otlp, harness.budget, '127.0.0.1:0');
  const close = async (): Promise<void> => {
    await grpc.close();
    await harness.close();
  };
  return { ...harness, grpc, target: new URL(grpc.url).host, close };
}

/** What a gRPC client is told. */
export interface GrpcReply {
  readonly code: number;
  readonly message: string;
  readonly body: Buffer | undefined;
  readonly metadata: Metadata | undefined;
}

/** One call by grpc-js. */
export async function callGrpc(
  client: Client,
  path: string,
  body: Buffer,
  headers = new Metadata(),
): Promise<GrpcReply> {
  return new Promise((resolve) => {
    const same = (bytes: Buffer): Buffer => bytes;
    client.makeUnaryRequest(path, same, same, body, headers, (error: ServiceError | null, reply?: Buffer) => {
      resolve({ code: error?.code ?? 0, message: error?.details ?? '', body: reply, metadata: error?.metadata });
    });
  });
}

export function grpcClient(target: string, gzip = false): Client {
  return new Client(target, credentials.createInsecure(), {
    'grpc.default_compression_algorithm': gzip ? 2 : 0,
    'grpc.enable_retries': 0,
  });
}

/** A message with its prefix. `length` replaces the true length. */
export function framed(message: Uint8Array, flag = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** What came back on a stream of HTTP/2, trailers among the headers. */
export interface RawReply {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One call by plain HTTP/2: `chunks` are sent as they are; `end` leaves the stream open when false. */
export async function callRaw(
  session: ClientHttp2Session,
  chunks: readonly Uint8Array[],
  headers: Record<string, string> = {},
  end = true,
): Promise<RawReply> {
  const stream = session.request({
    ':method': 'POST',
    ':path': METRICS_PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  let got: IncomingHttpHeaders = {};
  const parts: Buffer[] = [];
  stream.on('response', (response) => (got = { ...got, ...response }));
  stream.on('trailers', (trailers) => (got = { ...got, ...trailers }));
  stream.on('data', (part: Buffer) => parts.push(part));
  // Servers may end a stream that is still being written.
  stream.on('error', () => {});
  for (const chunk of chunks) stream.write(chunk);
  if (end) stream.end();
  await once(stream, 'close');
  return { headers: got, body: Buffer.concat(parts) };
}

export async function connectRaw(url: string): Promise<ClientHttp2Session> {
  const session = connect(url);
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}
