import Fastify, { type FastifyInstance } from 'fastify';
import { compress } from 'snappyjs';
import type { ReceiverDeps } from '../../src/agent/receiver.ts';
import { remoteWriteReceiver } from '../../src/agent/remote-write-receiver.ts';
import { bodyBudget } from '../../src/agent/request-body.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import type { Batch } from '../../src/model/batch.ts';
import type { RemoteWriteMessage } from '../../src/wire/remote-write/decode.ts';
import { allStored } from '../wire/remote-write-requests.ts';

export interface Harness {
  readonly app: FastifyInstance;
  readonly batches: Batch[];
  /** What the receiver told its surroundings, in order, but for batches. */
  readonly calls: string[];
}

export interface HarnessOptions extends Partial<ReceiverDeps> {
  readonly bodyBytesAtOnce?: number;
}

/** A receiver that keeps what it is sent. `options` replace parts of it. */
export async function startReceiver({ bodyBytesAtOnce, ...deps }: HarnessOptions = {}): Promise<Harness> {
  const batches: Batch[] = [];
  const calls: string[] = [];
  const app = Fastify();
  const all: ReceiverDeps = {
    async append(batch) {
      batches.push(batch);
      return allStored(batch);
    },
    admission: ADMIT_ALL,
    onStreams: (signal, streams, nowMs) => void calls.push(`streams ${signal} ${JSON.stringify(streams)} ${nowMs}`),
    domain: 'eu',
    domainLabel: 'domain',
    now: () => 7,
    counters: {
      answered: (...args) => void calls.push(`answered ${args.join(' ')}`),
      accepted: (...args) => void calls.push(`accepted ${args.join(' ')}`),
      rejected: (...args) => void calls.push(`rejected ${args.join(' ')}`),
    },
    ...deps,
  };
  await remoteWriteReceiver(app, all, bodyBudget(bodyBytesAtOnce ?? LIMITS.bodyBytesAtOnce));
  return { app, batches, calls };
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Record<string, unknown>;
  /** The three headers of 2.0: samples, histograms, exemplars. */
  readonly written: string | undefined;
}

export async function post(
  { app }: Pick<Harness, 'app'>,
  payload: Uint8Array,
  headers: Record<string, string>,
): Promise<Answer> {
  const reply = await app.inject({ method: 'POST', url: '/api/v1/write', headers, payload: Buffer.from(payload) });
  const written = ['samples', 'histograms', 'exemplars'].map((what) => {
    return reply.headers[`x-prometheus-remote-write-${what}-written`];
  });
  return {
    status: reply.statusCode,
    text: reply.body,
    headers: reply.headers,
    written: written.every((one) => one === undefined) ? undefined : written.join(' '),
  };
}

/** A request as Prometheus sends it. */
export function write(harness: Pick<Harness, 'app'>, message: RemoteWriteMessage, body: Uint8Array): Promise<Answer> {
  const isV1 = message === 'prometheus.WriteRequest';
  return post(harness, compress(body), {
    'content-type': isV1 ? 'application/x-protobuf' : `application/x-protobuf;proto=${message}`,
    'content-encoding': 'snappy',
    'x-prometheus-remote-write-version': isV1 ? '0.1.0' : '2.0.0',
  });
}
