import { Agent, Pool, type Dispatcher } from 'undici';
import { adminSocket, type DeleteAnswer, type ShardDeletion, type StatsAnswer } from '../../src/agent/admin.ts';
import type { Compaction } from '../../src/store/store.ts';

/** Asks an agent. What does not come to an answer rejects with `NoAnswer`, as when it is killed meanwhile. */
export interface Client {
  instant(query: string, timeMs: number): Promise<QueryResult>;
  range(query: string, startMs: number, endMs: number, stepMs: number): Promise<QueryResult>;
  /** The label sets of the series that satisfy a selector. */
  seriesOf(selector: string): Promise<readonly Readonly<Record<string, string>>[]>;
  remove(selector: string, fromMs: number, toMs: number): Promise<DeleteAnswer>;
  deletions(): Promise<readonly ShardDeletion[]>;
  compact(): Promise<Compaction>;
  backup(to: string): Promise<{ readonly bytes: number }>;
  stats(): Promise<StatsAnswer>;
  /** From then on every question rejects, with another error than `NoAnswer`. */
  close(): Promise<void>;
}

export interface QueryResult {
  readonly resultType: string;
  readonly result: readonly ResultSeries[];
}

export interface ResultSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Point;
  readonly values?: readonly Point[];
  readonly histogram?: NativeResult;
  readonly histograms?: readonly NativeResult[];
}

export type Point = readonly [seconds: number, value: string];
export type NativeResult = readonly [seconds: number, histogram: NativeJson];

export interface NativeJson {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [rule: number, low: string, high: string, count: string])[];
}

/** No answer came, or one that says to try again: the agent was killed, or is not up yet. */
export class NoAnswer extends Error {}

/** An agent answers queries and most of its administration sooner, on a busy machine too. */
const ANSWER_MS = 60_000;
/** Compactions and copies of large stores take longer. */
const LONG_MS = 600_000;

export function connect(queryUrl: string, store: string): Client {
  const queries = new Pool(queryUrl, { connections: 4, bodyTimeout: ANSWER_MS, headersTimeout: ANSWER_MS });
  const admin = new Agent({
    connect: { socketPath: adminSocket(store) },
    bodyTimeout: LONG_MS,
    headersTimeout: LONG_MS,
  });
  let isClosed = false;
  const answered = async (path: string, send: () => Promise<Dispatcher.ResponseData>): Promise<never> => {
    if (isClosed) throw new Error(`${path}: nothing is asked any more`);
    return answerOf(path, send);
  };
  const ask = (path: string, params: Readonly<Record<string, string>>): Promise<never> =>
    answered(path, () =>
      queries.request({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(params).toString(),
      }),
    );
  const tell = (method: 'GET' | 'POST', path: string, body?: unknown): Promise<never> =>
    answered(path, () =>
      admin.request({
        origin: 'http://agent',
        method,
        path,
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      }),
    );
  return {
    instant: (query, timeMs) => ask('/api/v1/query', { query, time: seconds(timeMs) }),
    range: (query, startMs, endMs, stepMs) =>
      ask('/api/v1/query_range', { query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) }),
    seriesOf: (selector) => ask('/api/v1/series', { 'match[]': selector, start: '0', end: seconds(FAR_MS) }),
    remove: (selector, fromMs, toMs) =>
      tell('POST', '/delete', { match: [selector], start: seconds(fromMs), end: seconds(toMs) }),
    deletions: () => tell('GET', '/deletions'),
    compact: () => tell('POST', '/compact', {}),
    backup: (to) => tell('POST', '/backup', { to }),
    stats: () => tell('GET', '/stats'),
    async close() {
      isClosed = true;
      await Promise.all([queries.destroy(), admin.destroy()]);
    },
  };
}

/** After all that is sent. */
export const FAR_MS = 32_503_680_000_000;

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}

/** The `data` of an answer in Prometheus's envelope. Rejects with the error that there is instead. */
async function answerOf(path: string, send: () => Promise<Dispatcher.ResponseData>): Promise<never> {
  let statusCode: number;
  let text: string;
  try {
    const response = await send();
    statusCode = response.statusCode;
    text = await response.body.text();
  } catch (error) {
    throw new NoAnswer(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (statusCode === 503) throw new NoAnswer(`${path}: ${text.slice(0, 200)}`);
  if (statusCode !== 200) throw new Error(`${path} answered ${statusCode} ${text.slice(0, 400)}`);
  return (JSON.parse(text) as { data: never }).data;
}
