import { Client } from 'undici';
import { cpuSeconds } from './process-stats.ts';
import type { Peer } from './peer.ts';
import { Refusal } from './refusal.ts';

export interface Asked {
  /** From the request's start until the answer was here as a whole. */
  readonly wallMs: number;
  /** Of the server, in steps of 10 ms. */
  readonly cpuMs: number;
  readonly body: string;
}

export interface RangeQuery {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** Longer than any server lets a query run. */
const ANSWER_MS = 10 * 60_000;

export async function askRange(peer: Peer, { query, startMs, endMs, stepMs }: RangeQuery): Promise<Asked> {
  const params = { query, start: String(startMs / 1_000), end: String(endMs / 1_000), step: String(stepMs / 1_000) };
  // Without this VictoriaMetrics moves the steps to whole multiples; the others do not know it.
  return ask(peer, '/api/v1/query_range', { ...params, nocache: '1' });
}

/** The value of an instant query that has one, or undefined when its answer is empty. */
export async function askValue(peer: Peer, query: string, timeMs: number): Promise<number | undefined> {
  const { body } = await ask(peer, '/api/v1/query', { query, time: String(timeMs / 1_000) });
  const { data } = JSON.parse(body) as { readonly data: { readonly result: readonly { value: [number, string] }[] } };
  const [first] = data.result;
  return first === undefined ? undefined : Number(first.value[1]);
}

/** Asks on a connection of its own. Throws a `Refusal` at any answer but 200. */
async function ask(peer: Peer, path: string, params: Readonly<Record<string, string>>): Promise<Asked> {
  const client = new Client(peer.queryUrl, { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS });
  try {
    const cpuBefore = cpuSeconds(peer.pid);
    const startedMs = performance.now();
    const search = new URLSearchParams(params).toString();
    const { statusCode, body: stream } = await client.request({ method: 'GET', path: `${path}?${search}` });
    const body = await stream.text();
    const wallMs = performance.now() - startedMs;
    const cpuMs = (cpuSeconds(peer.pid) - cpuBefore) * 1_000;
    if (statusCode !== 200) throw new Refusal(peer.queryUrl + path, statusCode, body);
    return { wallMs, cpuMs, body };
  } finally {
    await client.close();
  }
}
