import { promisify } from 'node:util';
import { constants, zstdDecompress } from 'node:zlib';
import { Pool } from 'undici';
import { ComityError, messageOf } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/** What a domain serves to hubs. Each answer comes with a receipt, but for those about the ledger itself. */
export const ENDPOINTS = ['query', 'labels', 'status', 'explain', 'series', 'metadata', 'exemplars', 'ledger'] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

/** The way to one agent. */
export interface Transport {
  /** Sends a message of proto/federation.proto and gives the answer. Fails as undici does, and with `limit` past its bytes. */
  send(endpoint: Endpoint, body: Uint8Array, context: SendContext): Promise<TransportAnswer>;
  close(): Promise<void>;
}

export interface SendContext {
  /** Aborts the request, wherever it is: the agent sees its connection close. */
  readonly signal: AbortSignal;
  /** W3C traceparent; its span is this request. */
  readonly trace: string;
}

export interface TransportAnswer {
  readonly statusCode: number;
  /** As they were before compression. */
  readonly bytes: Uint8Array;
  /** How many were sent. */
  readonly wireBytes: number;
  /** When the agent wants to be asked again; undefined where it did not say. */
  readonly retryAfterMs?: number | undefined;
}

/** Where an agent listens for hubs, and what it knows this one by. */
export interface AgentAddress {
  readonly url: string;
  readonly token: string;
  /** The verifier key of its ledger; without, the first one that it shows is trusted. */
  readonly ledgerKey?: string | undefined;
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
    async send(endpoint, body, { signal, trace }) {
      const response = await pool.request({
        path: `/federation/v1/${endpoint}`,
        method: 'POST',
        body,
        headers: { ...headers, traceparent: trace },
        signal,
      });
      const { statusCode } = response;
      const raw = await readBounded(response.body);
      const zipped = response.headers['content-encoding'] === 'zstd';
      const bytes = zipped ? await unzipped(raw) : raw;
      return {
        statusCode,
        bytes,
        wireBytes: raw.length,
        retryAfterMs: readRetryAfter(response.headers['retry-after']),
      };
    },
    close: () => pool.destroy(),
  };
}

/** An answer with its receipt. */
const BODY_BYTES_MAX = LIMITS.answerBytes + LIMITS.receiptBytes;

async function readBounded(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new ComityError('limit', `an answer of over ${LIMITS.answerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A frame may claim a window of any size, and with it memory, before it gives a byte: no answer needs more than this. */
const WINDOW_BITS_MAX = 25;

async function unzipped(raw: Buffer): Promise<Buffer> {
  const params = { [constants.ZSTD_d_windowLogMax]: WINDOW_BITS_MAX };
  try {
    return await decompress(raw, { maxOutputLength: BODY_BYTES_MAX, params });
  } catch (error) {
    throw new ComityError('bad_data', `an answer that cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** Of RFC 9110: whole seconds, or a date. What is neither says nothing. */
export function readRetryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  // A date that lacks its zone or its day's name is none of HTTP's, though JavaScript reads it.
  const date = /^[A-Z][a-z]{2,8}, .* GMT$/.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
