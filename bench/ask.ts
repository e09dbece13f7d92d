import { Client } from 'undici';
import { cpuSeconds } from './process-stats.ts';
import { Refusal } from './refusal.ts';

export interface Asked {
  /** From the request's start until the answer was here as a whole. */
  readonly wallMs: number;
  /** Of the server's processes, in steps of 10 ms. */
  readonly cpuMs: number;
  readonly body: string;
}

export interface RangeQuery {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** A server of Prometheus's API: one process, or several that answer together. */
export type Server = { readonly queryUrl: string } & ({ readonly pid: number } | { readonly pids: readonly number[] });

/** Longer than any server lets a query run. */
const ANSWER_MS = 10 * 60_000;

/** `more`: parameters that only this server knows. */
export async function askRange(
  server: Server,
  { query, startMs, endMs, stepMs }: RangeQuery,
  more: Readonly<Record<string, string>> = {},
): Promise<Asked> {
  const params = { query, start: String(startMs / 1_000), end: String(endMs / 1_000), step: String(stepMs / 1_000) };
  // Without this VictoriaMetrics moves the steps to whole multiples; the others do not know it.
  return ask(server, '/api/v1/query_range', { ...params, nocache: '1', ...more });
}

/** The value of an instant query that has one, or undefined when its answer is empty. */
export async function askValue(server: Server, query: string, timeMs: number): Promise<number | undefined> {
  const { body } = await ask(server, '/api/v1/query', { query, time: String(timeMs / 1_000) });
  const { data } = JSON.parse(body) as { readonly data: { readonly result: readonly { value: [number, string] }[] } };
  const [first] = data.result;
  return first === undefined ? undefined : Number(first.value[1]);
}

/** Asks on a connection of its own. Throws a `Refusal` at any answer but 200. */
async function ask(server: Server, path: string, params: Readonly<Record<string, string>>): Promise<Asked> {
  const cpu = (): number =>
    ('pid' in server ? [server.pid] : server.pids).reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const client = new Client(server.queryUrl, { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS });
  try {
    const cpuBefore = cpu();
    const startedMs = performance.now();
    const search = new URLSearchParams(params).toString();
    const { statusCode, body: stream } = await client.request({ method: 'GET', path: `${path}?${search}` });
    const body = await stream.text();
    const wallMs = performance.now() - startedMs;
    const cpuMs = (cpu() - cpuBefore) * 1_000;
    if (statusCode !== 200) throw new Refusal(server.queryUrl + path, statusCode, body);
    return { wallMs, cpuMs, body };
  } finally {
    await client.close();
  }
}
