import { setTimeout as sleep } from 'node:timers/promises';
import { compress } from 'snappyjs';
import { labelsOf } from '../../src/model/labels.ts';
import { encodeWriteRequest } from '../oracle/remote-write.ts';
import type { Random } from '../random.ts';

/** A sender delivers one request after the other, each again and again with the same bytes until it is told of success. */
export interface Sender {
  /** Sends until `stop` is called; resolves once the last request is acknowledged. */
  run(): Promise<void>;
  stop(): void;
  readonly acknowledged: number;
  /** Requests that were sent again because no answer came, or one that says so, or one was lost. */
  readonly repeated: number;
}

interface Request {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

/** After a failure a sender waits this long: most are the agent's being dead, which takes a second to mend. */
const RETRY_MS = 20;

/** An answer that does not come within this time never will: the agent was killed with the request in its hands. */
const ANSWER_MS = 5_000;

/** One answer in so many is taken for lost although it came: the request is then sent again to an agent that has it. */
const LOST_ANSWERS = 20;

function sender(url: string, random: Random, make: () => { request: Request; acknowledged(): void }): Sender {
  let stopped = false;
  let acknowledged = 0;
  let repeated = 0;
  return {
    async run() {
      while (!stopped) {
        const { request, acknowledged: noted } = make();
        while (!(await deliver(url, request)) || random.chance(1 / LOST_ANSWERS)) {
          repeated++;
          await sleep(RETRY_MS);
        }
        acknowledged++;
        noted();
      }
    },
    stop() {
      stopped = true;
    },
    get acknowledged() {
      return acknowledged;
    },
    get repeated() {
      return repeated;
    },
  };
}

/** Whether the request was acknowledged. Throws when it never can be. */
async function deliver(url: string, { path, headers, body }: Request): Promise<boolean> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url + path, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : new Uint8Array(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    text = await response.text();
  } catch {
    return false;
  }
  if (response.status === 503) return false;
  const lost = text.includes('"partialSuccess"') && text.includes('rejected');
  if (!response.ok || lost) throw new Error(`${path} answered ${response.status} ${text.slice(0, 400)}`);
  return true;
}

/** What the senders of one kind of request are told to have delivered. */
export interface SampleModel {
  /** Requests acknowledged by each worker: request n holds a sample of each of its series at `timeOf(n)`. */
  readonly requests: number[];
}

export const SERIES_PER_WORKER = 20;

/** Data lies in the hour before the start: a request moves time on by so little that even long runs stay inside. */
const SPACING_MS = 10;

export function timeOf(baseMs: number, request: number): number {
  return baseMs + (request + 1) * SPACING_MS;
}

export function sampleOf(request: number, series: number): number {
  return request * 1_000 + series;
}

export function sampleSender(url: string, worker: number, baseMs: number, random: Random, model: SampleModel): Sender {
  let next = 0;
  model.requests[worker] = 0;
  return sender(url, random, () => {
    const request = next++;
    const series = Array.from({ length: SERIES_PER_WORKER }, (_, i) => ({
      labels: labelsOf({ __name__: 'crash_samples', worker: String(worker), series: String(i) }),
      times: Float64Array.of(timeOf(baseMs, request)),
      values: Float64Array.of(sampleOf(request, i)),
    }));
    return {
      request: {
        path: '/api/v1/write',
        headers: {
          'content-type': 'application/x-protobuf',
          'content-encoding': 'snappy',
          'x-prometheus-remote-write-version': '0.1.0',
        },
        body: compress(encodeWriteRequest(series)),
      },
      acknowledged: () => void model.requests[worker]!++,
    };
  });
}

/** What was delivered in all, by worker. */
export interface CountModel {
  readonly sums: number[];
  readonly observations: number[];
  readonly spans: number[];
}

/** A delta sum and a delta exponential histogram in each request. */
export function deltaSender(url: string, worker: number, baseMs: number, random: Random, model: CountModel): Sender {
  let next = 0;
  model.sums[worker] = 0;
  model.observations[worker] = 0;
  return sender(url, random, () => {
    const request = next++;
    const sum = random.int(1, 100);
    const counts = Array.from({ length: 4 }, () => random.int(0, 4));
    const count = counts.reduce((total, one) => total + one, 0);
    const times = {
      startTimeUnixNano: `${timeOf(baseMs, request - 1)}000000`,
      timeUnixNano: `${timeOf(baseMs, request)}000000`,
    };
    const body = {
      resourceMetrics: [
        {
          resource: resource(worker),
          scopeMetrics: [
            {
              metrics: [
                {
                  name: 'crash_delta',
                  sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...times, asInt: String(sum) }] },
                },
                {
                  name: 'crash_histogram',
                  exponentialHistogram: {
                    aggregationTemporality: 1,
                    dataPoints: [
                      {
                        ...times,
                        count,
                        sum: count,
                        scale: 2,
                        positive: { offset: random.int(0, 2), bucketCounts: counts },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    };
    return {
      request: otlp('/v1/metrics', body),
      acknowledged() {
        model.sums[worker]! += sum;
        model.observations[worker]! += count;
      },
    };
  });
}

export function spanSender(url: string, worker: number, random: Random, model: CountModel): Sender {
  model.spans[worker] = 0;
  return sender(url, random, () => {
    const count = random.int(1, 20);
    const nowMs = Date.now();
    const spans = Array.from({ length: count }, () => ({
      traceId: hex(random, 32),
      spanId: hex(random, 16),
      name: 'work',
      kind: 2,
      startTimeUnixNano: `${nowMs - 5}000000`,
      endTimeUnixNano: `${nowMs}000000`,
    }));
    const body = { resourceSpans: [{ resource: resource(worker), scopeSpans: [{ spans }] }] };
    return { request: otlp('/v1/traces', body), acknowledged: () => void (model.spans[worker]! += count) };
  });
}

function otlp(path: string, body: unknown): Request {
  return { path, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function resource(worker: number): unknown {
  return { attributes: [{ key: 'service.name', value: { stringValue: `crash-${worker}` } }] };
}

function hex(random: Random, digits: number): string {
  return Array.from({ length: digits }, () => random.int(1, 15).toString(16)).join('');
}
