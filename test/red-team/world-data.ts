import { gzipSync } from 'node:zlib';
import { compress } from 'snappyjs';
import { callGrpc, grpcClient, METRICS_PATH, TRACES_PATH } from '../agent/otlp-grpc-client.ts';
import { metricsProtobuf, traceProtobuf, type Json } from '../wire/otlp-requests.ts';
import { encodeV1, encodeV2, type WriteSeries } from '../wire/remote-write-requests.ts';
import type { Canaries } from './canaries.ts';
import { otlpMetrics, otlpSpans } from './world-otlp.ts';

/*
 * What senders tell the domain of the worlds: metrics of every class by every way in, with a canary in every field from which
 * nothing may leave.
 */

/** One delivery of a sender. */
export type Delivery =
  | {
      readonly how: 'http';
      readonly path: string;
      readonly type: string;
      readonly encoding: string;
      readonly body: Uint8Array;
    }
  | { readonly how: 'grpc'; readonly path: string; readonly body: Uint8Array };

/** Where an agent takes telemetry. */
export interface Receivers {
  readonly otlpUrl: string;
  /** Left out: what would come this way does not. */
  readonly grpcUrl?: string | undefined;
}

/** The policy that the agents of the worlds release by. */
export const WORLD_POLICY = `
version: 1
domain: eu
labels: {permit: [pod]}
metrics:
  - {match: up, class: open}
  - {match: open_*, class: open}
  - {match: secret_*, class: sealed}
  - {match: card_*, class: protected}
  - {match: guarded_*, class: aggregate, operators: [sum, count, avg, group], min_series: 3}
  - {match: ranked_*, class: aggregate, operators: [sum, topk, bottomk, limitk, limit_ratio, count_values, quantile]}
  - {match: mute_*, class: aggregate, operators: [sum]}
  - {match: broken_*, class: aggregate, operators: [sum, count]}
`;

/** More values than a public label that no policy lists may have in one answer. */
const ROUTES = 201;

/** Samples of a series, and how far apart they are. */
const SAMPLES = 8;
export const SAMPLE_MS = 15_000;

/** Sends all of it. Throws where a receiver does not take something. */
export async function deliver(deliveries: readonly Delivery[], { otlpUrl, grpcUrl }: Receivers): Promise<void> {
  for (const { how, path, body, ...rest } of deliveries) {
    if (how === 'grpc') {
      if (grpcUrl === undefined) continue;
      const client = grpcClient(new URL(grpcUrl).host);
      try {
        const { code, message } = await callGrpc(client, path, Buffer.from(body));
        if (code !== 0) throw new Error(`${path}: ${code} ${message}`);
      } finally {
        client.close();
      }
      continue;
    }
    const { type, encoding } = rest as { type: string; encoding: string };
    const headers = { 'content-type': type, ...(encoding === '' ? {} : { 'content-encoding': encoding }) };
    const answer = await fetch(`${otlpUrl}${path}`, { method: 'POST', headers, body: new Uint8Array(body) });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }
}

/** Some series at one time, by remote write. */
export function lateSeries(labels: LabelPairs, value: number, timestamp: number): Delivery {
  const series = encodeV1([
    { labels: Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)), samples: [{ value, timestamp }] },
  ]);
  return {
    how: 'http',
    path: '/api/v1/write',
    type: 'application/x-protobuf',
    encoding: 'snappy',
    body: compress(series),
  };
}

/** `endMs`: of the last samples. */
export function worldDeliveries(words: Canaries, endMs: number): readonly Delivery[] {
  const http = (path: string, type: string, encoding: string, body: Uint8Array): Delivery => {
    return { how: 'http', path, type, encoding, body };
  };
  const json = (value: Json): Buffer => Buffer.from(JSON.stringify(value));
  return [
    http(
      '/api/v1/write',
      'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      'snappy',
      compress(encodeV2(worldSeries(words, endMs))),
    ),
    http('/api/v1/write', 'application/x-protobuf', 'snappy', compress(encodeV1(oldSeries(words, endMs)))),
    http('/v1/metrics', 'application/json', '', json(otlpMetrics(words, 'json', endMs))),
    http(
      '/v1/metrics',
      'application/x-protobuf',
      'gzip',
      gzipSync(metricsProtobuf(otlpMetrics(words, 'proto', endMs))),
    ),
    http('/v1/traces', 'application/json', '', json(otlpSpans(words, 'json', endMs))),
    http('/v1/traces', 'application/x-protobuf', '', traceProtobuf(otlpSpans(words, 'proto', endMs))),
    { how: 'grpc', path: METRICS_PATH, body: metricsProtobuf(otlpMetrics(words, 'grpc', endMs)) },
    { how: 'grpc', path: TRACES_PATH, body: traceProtobuf(otlpSpans(words, 'grpc', endMs)) },
  ];
}

type Exemplar = NonNullable<WriteSeries['exemplars']>[number];

type LabelPairs = Readonly<Record<string, string>>;

interface Shape {
  readonly help?: string;
  readonly unit?: string;
  /** Prometheus's numbers for types. */
  readonly type?: number;
  readonly exemplars?: WriteSeries['exemplars'];
  readonly histograms?: WriteSeries['histograms'];
}

const GAUGE = 2;
const COUNTER = 1;
const HISTOGRAM = 3;

function worldSeries(words: Canaries, endMs: number): readonly WriteSeries[] {
  const all: WriteSeries[] = [];
  const add = (name: string, labels: LabelPairs, value: number, shape: Shape = {}): void => {
    const isCounter = shape.type === COUNTER || shape.type === HISTOGRAM;
    const samples = Array.from({ length: SAMPLES }, (_, i) => ({
      value: isCounter && i < SAMPLES - 1 ? Math.floor((value * i) / SAMPLES) : value,
      timestamp: endMs - (SAMPLES - 1 - i) * SAMPLE_MS,
    }));
    const { help = `What ${name.split('_')[0]} counts.`, unit = '', type = GAUGE } = shape;
    const pairs = Object.entries({ __name__: name, job: 'shop', ...labels }).sort(([a], [b]) => (a < b ? -1 : 1));
    all.push({
      labels: pairs,
      ...(shape.histograms === undefined ? { samples } : { histograms: shape.histograms }),
      ...(shape.exemplars === undefined ? {} : { exemplars: shape.exemplars }),
      metadata: { type, help, unit },
    });
  };
  const restricted = (metric: string): LabelPairs => ({
    customer: words.word(`${metric} customer (a label of nobody knows what)`),
    user: words.word(`${metric} user (a subject)`),
    email: `${words.word(`${metric} email (prohibited)`)}@example.com`,
    client_ip: words.word(`${metric} client_ip (prohibited)`),
    instance: words.word(`${metric} instance (quasi, not listed)`),
    node: words.word(`${metric} node (quasi, not listed)`),
    'kunde.name': words.word(`${metric} kunde.name (a name in quotes)`),
  });
  const exemplar = (place: string, value = words.number(`${place} exemplar's value`)): Exemplar => ({
    labels: [
      ['email', words.word(`${place} exemplar's email`)],
      ['trace_id', words.word(`${place} exemplar's trace_id`)],
      ['customer', words.word(`${place} exemplar's customer`)],
    ],
    value,
    timestamp: endMs - 1_000,
  });
  // Of what is kept, the host's name may not leave, and its exemplar with it. The other keeps none of its labels and leaves.
  const onHost = (): Exemplar => ({
    labels: [['host.name', words.word("open bucket exemplar's host.name (quasi, not listed)")]],
    value: words.number("value of an open bucket's exemplar with a host.name"),
    timestamp: endMs - 2_000,
  });

  add('up', { instance: words.word('open instance (quasi, not listed)') }, 1);
  for (const service of ['cart', 'pay', 'mail']) {
    for (const i of [1, 2, 3]) {
      const pod = `pod-${i}`;
      add('shop_orders_total', { service, pod, ...restricted('aggregate') }, 40 * i, { type: COUNTER });
      add('shop_stock', { service, pod, ...restricted('aggregate') }, 10 + i);
    }
    add('open_queue', { service }, 3);
    add('open_tagged', { service, ...restricted('open') }, 4);
    add('ranked_score', { service, pod: 'pod-1' }, service.length);
    add('ranked_tagged', { service, ...restricted('aggregate, ranked') }, service.length);
    add('mute_level', { service }, 6);
    add('shop_named', { service, [words.word("a label's name, aggregate")]: 'x' }, 7);
    for (const [le, count] of [
      ['1', 4],
      ['2', 7],
      ['+Inf', 9],
    ] as const) {
      const shape = { type: HISTOGRAM, exemplars: [exemplar('aggregate bucket')] };
      add(
        'shop_latency_seconds_bucket',
        { service, le, customer: words.word('aggregate bucket customer') },
        count,
        shape,
      );
      add('open_latency_seconds_bucket', { service, le }, count, {
        type: HISTOGRAM,
        exemplars: [onHost(), exemplar('open bucket', 0.5)],
      });
    }
    add('shop_size', { service, customer: words.word('native histogram customer') }, 0, {
      type: HISTOGRAM,
      histograms: nativeOf(endMs, 6, 12.5),
    });
  }

  const help = (): Shape => ({
    help: words.word('help of a sealed family'),
    unit: words.word('unit of a sealed family'),
  });
  for (const service of ['cart', 'pay']) {
    add('secret_balance', { service, ...restricted('sealed') }, words.number('sealed gauge'), help());
    add('secret_deals_total', { service }, words.count('sealed counter'), { ...help(), type: COUNTER });
    add('secret_latency_bucket', { service, le: '1' }, words.count('sealed bucket'), { type: HISTOGRAM });
    add('secret_latency_bucket', { service, le: '+Inf' }, words.count('sealed bucket'), {
      type: HISTOGRAM,
      exemplars: [exemplar('sealed bucket')],
    });
    add('secret_size', { service }, 0, {
      type: HISTOGRAM,
      histograms: nativeOf(endMs, words.count('sealed native count'), words.number('sealed native sum')),
    });
    const user = { service, user: words.word('protected user'), customer: words.word('protected customer') };
    add('card_spend', user, words.number('protected gauge'));
    add('card_payments_total', user, words.count('protected counter'), { type: COUNTER });
    add('card_latency_bucket', { ...user, le: '1' }, words.count('protected bucket'), { type: HISTOGRAM });
  }
  // Buckets that have to be mended, which notes tell of.
  for (const i of [1, 2]) {
    const count = words.count('a bucket to be mended');
    const customer = words.word('broken customer');
    for (const [le, value] of [
      ['1', count],
      ['2', 0],
      ['+Inf', 0],
    ] as const) {
      add('broken_latency_bucket', { le, customer }, value, { type: GAUGE });
      if (i === 1) add('guarded_broken_bucket', { le, service: 'solo' }, Math.min(value, 5_000), { type: GAUGE });
    }
  }
  for (let i = 0; i < ROUTES; i++) add('routes', { route: `/people/${i}` }, 1);
  add(
    `secret_${words.word('name of a sealed metric')}`,
    { service: 'cart' },
    words.number('sealed by an unknown name'),
  );
  for (const [service, people] of [
    ['solo', 1],
    ['pair', 2],
    ['crew', 5],
  ] as const) {
    for (let i = 0; i < people; i++) {
      // A mean of those who may be added up must not look like a canary itself.
      const place = `guarded, one of ${people}`;
      const number = people < 3 ? words.number(place) : i < 3 ? words.count(place) : 1_000_000;
      add('guarded_salary', { service, employee: words.word('guarded employee') }, number);
    }
  }
  return all;
}

/** A native histogram at the end: `count` observations that sum up to `sum`. */
function nativeOf(endMs: number, count: number, sum: number): NonNullable<WriteSeries['histograms']> {
  const one = {
    countInt: count,
    sum,
    schema: 0,
    zeroThreshold: 0,
    zeroCountInt: 0,
    positiveSpans: [{ offset: 1, length: 1 }],
    positiveDeltas: [count],
  };
  return [{ ...one, timestamp: endMs }];
}

/** Of the protocol's first version, under names that nothing else has. */
function oldSeries(words: Canaries, endMs: number): readonly WriteSeries[] {
  const names = [
    'client_ip',
    'email',
    'exported_email',
    'http_url',
    'password',
    'user',
    'user.email',
    'x_forwarded_for',
  ];
  const labels = names.map((name) => [name, words.word(`remote write 1.0 ${name}`)] as const);
  const labelled = {
    labels: [['email', words.word('remote write 1.0 exemplar')] as const],
    value: 1,
    timestamp: endMs,
  };
  return [
    {
      labels: [['__name__', 'old_total'], ...labels],
      samples: [{ value: 1, timestamp: endMs }],
      exemplars: [labelled],
    },
  ];
}
