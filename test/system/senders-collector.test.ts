import { describe, expect, test } from 'vitest';
import { freePorts } from '../../scripts/demo/processes.ts';
import { randomFrom } from '../random.ts';
import { findOrBuildCollector, knowsRemoteWrite2, REMOTE_WRITE_2_GATE, startCollector } from '../senders/collector.ts';
import { forgetfulGrpcProxy, forgetfulHttpProxy, type ForgetfulProxy } from '../senders/forgetful-proxy.ts';
import { otlpProducer, type OtlpProducer } from '../senders/otlp-rounds.ts';
import { shownCalls, shownExemplars, rawSamples, until } from '../senders/query-api.ts';
import { startWholeAgent, type WholeAgent } from '../senders/whole-agent.ts';

/** A real OpenTelemetry Collector that hands on to a whole agent what it is sent, by every exporter that it has for that. */

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = 5;
const RUN = { concurrent: true, timeout: 60_000 } as const;

const collector = await findOrBuildCollector();
const hasVersion2 = collector !== undefined && (await knowsRemoteWrite2(collector));

describe.skipIf(collector === undefined)(`what went into a Collector, seed ${SEED}`, () => {
  test('is what the local query API shows', RUN, async () => {
    const { complaints } = await compareAll(false);
    expect(complaints).toEqual([]);
  });

  test('is shown once when the first answer to each request is lost', RUN, async () => {
    const { proxies, complaints } = await compareAll(true);
    // Metrics and, but by remote write, spans.
    for (const { counts } of proxies) expect(counts.dropped).toBeGreaterThanOrEqual(ROUNDS);
    for (const { counts } of proxies) expect(counts.answered).toBeGreaterThanOrEqual(counts.dropped);
    expect(complaints).toEqual([]);
  });
});

/** Where a Collector may deliver. */
interface Targets {
  readonly httpUrl: string;
  readonly grpcUrl: string;
}

interface Exporter {
  readonly type: 'otlp' | 'otlphttp' | 'prometheusremotewrite';
  config(targets: Targets): object;
}

/** One consumer each, so that rounds arrive in their order. */
const IN_ORDER = {
  sending_queue: { num_consumers: 1 },
  retry_on_failure: { initial_interval: '20ms', max_interval: '200ms' },
};

const EXPORTERS: Readonly<Record<string, Exporter>> = {
  grpc: {
    type: 'otlp',
    config: ({ grpcUrl }) => ({ endpoint: new URL(grpcUrl).host, tls: { insecure: true }, ...IN_ORDER }),
  },
  http: { type: 'otlphttp', config: ({ httpUrl }) => ({ endpoint: httpUrl, ...IN_ORDER }) },
  json: { type: 'otlphttp', config: ({ httpUrl }) => ({ endpoint: httpUrl, encoding: 'json', ...IN_ORDER }) },
  zstd: { type: 'otlphttp', config: ({ httpUrl }) => ({ endpoint: httpUrl, compression: 'zstd', ...IN_ORDER }) },
  write: { type: 'prometheusremotewrite', config: ({ httpUrl }) => remoteWrite(httpUrl) },
  ...(hasVersion2 && {
    write2: {
      type: 'prometheusremotewrite',
      config: ({ httpUrl }) => ({ ...remoteWrite(httpUrl), protobuf_message: 'io.prometheus.write.v2.Request' }),
    },
  }),
};

function remoteWrite(httpUrl: string): object {
  return {
    endpoint: `${httpUrl}/api/v1/write`,
    remote_write_queue: { num_consumers: 1 },
    retry_on_failure: IN_ORDER.retry_on_failure,
  };
}

/** One receiver, one pipeline and one exporter for each of `EXPORTERS`. */
function collectorConfig(ports: ReadonlyMap<string, number>, targets: Targets): object {
  const receivers: Record<string, object> = {};
  const exporters: Record<string, object> = {};
  const pipelines: Record<string, object> = {};
  for (const [name, { type, config }] of Object.entries(EXPORTERS)) {
    receivers[`otlp/${name}`] = { protocols: { http: { endpoint: `127.0.0.1:${ports.get(name)}` } } };
    exporters[`${type}/${name}`] = config(targets);
    const pipeline = { receivers: [`otlp/${name}`], exporters: [`${type}/${name}`] };
    pipelines[`metrics/${name}`] = pipeline;
    if (type !== 'prometheusremotewrite') pipelines[`traces/${name}`] = pipeline;
  }
  const telemetry = { metrics: { level: 'none' }, logs: { level: 'warn' } };
  return { receivers, exporters, service: { telemetry, pipelines } };
}

async function compareAll(losesAnswers: boolean) {
  const stops: (() => Promise<void>)[] = [];
  try {
    const whole = await startWholeAgent();
    stops.push(() => whole.close());
    const proxies: ForgetfulProxy[] = [];
    const targets = { httpUrl: whole.agent.otlpUrl, grpcUrl: whole.agent.grpcUrl! };
    if (losesAnswers) {
      proxies.push(await forgetfulHttpProxy(targets.httpUrl), await forgetfulGrpcProxy(targets.grpcUrl));
      for (const proxy of proxies) stops.push(() => proxy.close());
      [targets.httpUrl, targets.grpcUrl] = proxies.map(({ url }) => url) as [string, string];
    }
    const names = Object.keys(EXPORTERS);
    const free = await freePorts(names.length);
    const ports = new Map(names.map((name, i) => [name, free[i]!]));
    const urls = free.map((port) => `http://127.0.0.1:${port}`);
    const sender = await startCollector(
      collector!,
      collectorConfig(ports, targets),
      urls,
      hasVersion2 ? [REMOTE_WRITE_2_GATE] : [],
    );
    stops.push(() => sender.close());
    const producers = await Promise.all(names.map(async (name, i) => produce(whole, name, urls[i]!)));
    // What comes again may come late.
    await until(async () => proxies.every(({ counts }) => counts.answered >= counts.dropped));
    try {
      for (const producer of producers) await checkShown(whole, producer);
      const complaints = await whole.complaints();
      // All of it is on disk.
      await whole.restart();
      for (const producer of producers) await checkShown(whole, producer);
      return { proxies, complaints };
    } catch (error) {
      if (error instanceof Error) error.message += `\nThe Collector's log ends:\n${sender.log()}`;
      throw error;
    }
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

interface Produced extends OtlpProducer {
  readonly firstMs: number;
}

/** Sends some rounds to a receiver of the Collector, and waits until the agent has as much as they are. */
async function produce(whole: WholeAgent, name: string, url: string): Promise<Produced> {
  const isWrite = EXPORTERS[name]!.type === 'prometheusremotewrite';
  const random = randomFrom(SEED).fork(Object.keys(EXPORTERS).indexOf(name));
  const producer = otlpProducer(random, { service: name, withDeltas: !isWrite, isPromoted: !isWrite });
  const firstMs = Date.now() - ROUNDS * 1000;
  for (let round = 0; round < ROUNDS; round++) {
    const timeMs = firstMs + round * 1000;
    await send(`${url}/v1/metrics`, producer.metrics(timeMs));
    if (!isWrite) await send(`${url}/v1/traces`, producer.spans(timeMs));
  }
  const produced = { ...producer, firstMs };
  await until(async () => (await shownOf(whole, produced)).size >= producer.shown.size);
  const countOf = (calls: ReadonlyMap<string, number>) => [...calls.values()].reduce((sum, count) => sum + count, 0);
  await until(async () => countOf(await shownCalls(whole.queryUrl, producer.job)) >= countOf(producer.calls));
  return produced;
}

async function checkShown(whole: WholeAgent, produced: Produced): Promise<void> {
  const { job, shown, calls, exemplars, firstMs } = produced;
  expect(shown.size).toBeGreaterThan(50);
  expect(Object.fromEntries(await shownOf(whole, produced)), job).toEqual(Object.fromEntries(shown));
  expect(Object.fromEntries(await shownCalls(whole.queryUrl, job)), job).toEqual(Object.fromEntries(calls));
  expect(await shownExemplars(whole.queryUrl, `{job="${job}"}`, firstMs, Date.now()), job).toEqual(exemplars());
}

function shownOf(whole: WholeAgent, { job, firstMs }: Produced) {
  const selector = `{job="${job}",__name__!~"target_info|traces_.+"}`;
  return rawSamples(whole.queryUrl, firstMs - 1, Date.now(), selector);
}

async function send(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  expect([response.status, await response.text()]).toEqual([200, '{"partialSuccess":{}}']);
}
