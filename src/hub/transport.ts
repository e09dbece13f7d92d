import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { Pool } from 'undici';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/** What a domain serves to hubs. */
export type Endpoint = 'query' | 'labels' | 'status' | 'explain';

/** The way to one domain's agent. */
export interface Transport {
  /** Sends a message of proto/federation.proto and gives the answer. Fails as undici does, and with `limit` past `answerBytes`. */
  send(endpoint: Endpoint, body: Uint8Array, signal: AbortSignal): Promise<TransportAnswer>;
  close(): Promise<void>;
}

export interface TransportAnswer {
  readonly statusCode: number;
  /** As they were before compression. */
  readonly bytes: Uint8Array;
  /** How many were sent. */
  readonly wireBytes: number;
}

/** Where an agent listens for hubs, and what it knows this one by. */
export interface AgentAddress {
  readonly url: string;
  readonly token: string;
}

/** A domain whose network drops packets is given up after this. */
const CONNECT_MS = 2_000;

const decompress = promisify(zstdDecompress);

/** HTTP to an agent, over at most `connections` connections. */
export function httpTransport({ url, token }: AgentAddress, connections: number): Transport {
  const pool = new Pool(url, { connections, connect: { timeout: CONNECT_MS } });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/x-protobuf',
    'accept-encoding': 'zstd',
  };
  return {
    async send(endpoint, body, signal) {
      const response = await pool.request({
        path: `/federation/v1/${endpoint}`,
        method: 'POST',
        body,
        headers,
        signal,
      });
      const { statusCode } = response;
      const raw = await readBounded(response.body);
      const zipped = response.headers['content-encoding'] === 'zstd';
      const bytes = zipped ? await decompress(raw, { maxOutputLength: LIMITS.answerBytes }) : raw;
      return { statusCode, bytes, wireBytes: raw.length };
    },
    close: () => pool.destroy(),
  };
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > LIMITS.answerBytes) throw new ComityError('limit', `an answer of over ${LIMITS.answerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
