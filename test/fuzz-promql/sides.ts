import { compress } from 'snappyjs';
import { featuresFrom } from '../../src/promql/features.ts';
import { startOracle } from '../oracle/oracle.ts';
import { startWholeAgent } from '../senders/whole-agent.ts';
import { encodeV2, STALE, type WriteSeries } from '../wire/remote-write-requests.ts';
import { OTLP_JOB, otlpRequests } from './otlp.ts';
import { DOMAIN, histogramMessage, type Series } from './samples.ts';

/** A real Prometheus and a real agent that hold the same samples, by the same bytes. */
export interface Sides {
  /** Roots of their query APIs. */
  readonly oracle: string;
  readonly agent: string;
  /** Oracles with the same samples whose storages have the series in other orders; started when first asked for. */
  reordered(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface SidesOptions {
  /** Names of features, which both sides enable. */
  readonly features: readonly string[];
  /** Threads of the agent's store. */
  readonly shards: number;
}

/** The time of one request: samples come in the order of time, so that none is out of order. */
const SLICE_MS = 10 * 60_000;

/** What an oracle needs so that it keeps when counters started. */
const STORAGE = ['st-storage', 'xor2-encoding', 'histograms-st-encoding'];

export async function startSides(series: readonly Series[], { features, shards }: SidesOptions): Promise<Sides> {
  const enabled = features.length === 0 ? [] : [`--enable-feature=${[...features, ...STORAGE].join(',')}`];
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(closers.splice(0).map((one) => one()));
  };

  async function filledOracle(inOrder: readonly Series[]): Promise<string> {
    const oracle = await startOracle({ args: ['--web.enable-otlp-receiver', ...enabled] });
    closers.push(() => oracle.close());
    await deliver({ write: oracle.remoteWriteUrl, otlp: `${oracle.url}/api/v1/otlp/v1/metrics` }, inOrder, DOMAIN);
    return oracle.url;
  }

  async function filledAgent(): Promise<string> {
    const whole = await startWholeAgent({
      // An oracle makes no labels of a resource's attributes.
      promoteResourceAttributes: [],
      features: featuresFrom(features),
      shards,
    });
    closers.push(() => whole.close());
    const { otlpUrl } = whole.agent;
    await deliver({ write: `${otlpUrl}/api/v1/write`, otlp: `${otlpUrl}/v1/metrics` }, series, undefined);
    return whole.queryUrl;
  }

  let others: Promise<readonly string[]> | undefined;
  const started = await Promise.allSettled([filledOracle(series), filledAgent()]);
  const [oracle, agent] = started;
  if (oracle.status === 'fulfilled' && agent.status === 'fulfilled') {
    const reordered = (): Promise<readonly string[]> =>
      (others ??= Promise.all(otherOrders(series).map((inOrder) => filledOracle(inOrder))));
    return { oracle: oracle.value, agent: agent.value, reordered, close };
  }
  await close();
  throw started.find((one) => one.status === 'rejected')?.reason;
}

/** From the last to the first, and with the series of each target before all others. */
function otherOrders(series: readonly Series[]): Series[][] {
  const targetOf = ({ labels }: Series): string => JSON.stringify([labels['job'], labels['instance']]);
  const targets = [...new Set(series.map(targetOf))];
  const first = (target: string): Series[] =>
    series.toSorted((a, b) => Number(targetOf(b) === target) - Number(targetOf(a) === target));
  return [series.toReversed(), ...targets.map(first)];
}

interface Receivers {
  readonly write: string;
  readonly otlp: string;
}

/** Sends all samples in the order of time; `domain` is a label for each series. */
async function deliver(
  { write, otlp }: Receivers,
  series: readonly Series[],
  domain: string | undefined,
): Promise<void> {
  const { started = [], plain = [] } = Object.groupBy(series, ({ labels }) =>
    labels['job'] === OTLP_JOB ? 'started' : 'plain',
  );
  for (const body of writeRequests(plain, domain)) await post(write, body, WRITE_HEADERS);
  const json = { 'Content-Type': 'application/json' };
  for (const request of otlpRequests(started, domain)) await post(otlp, Buffer.from(JSON.stringify(request)), json);
}

const WRITE_HEADERS = {
  'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  'Content-Encoding': 'snappy',
  'X-Prometheus-Remote-Write-Version': '2.0.0',
};

async function post(url: string, body: Uint8Array, headers: Readonly<Record<string, string>>): Promise<void> {
  const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) });
  const text = await response.text();
  const isTaken = response.ok && !text.includes('rejected');
  if (!isTaken) throw new Error(`${url} refused samples: ${response.status} ${text.slice(0, 500)}`);
}

/** The series as requests of remote write 2.0, one for each slice of time. */
function* writeRequests(series: readonly Series[], domain: string | undefined): Generator<Uint8Array> {
  const times = series.flatMap(({ samples }) => samples.map(({ timeMs }) => timeMs));
  const last = times.reduce((a, b) => Math.max(a, b), -Infinity);
  const first = times.reduce((a, b) => Math.min(a, b), Infinity);
  for (let from = first; from <= last; from += SLICE_MS) {
    const slice = series.map((one) => writeSeries(one, domain, from, from + SLICE_MS));
    yield compress(encodeV2(slice.filter((one) => one !== undefined)));
  }
}

function writeSeries(
  { labels, samples }: Series,
  domain: string | undefined,
  fromMs: number,
  toMs: number,
): WriteSeries | undefined {
  const within = samples.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs);
  if (within.length === 0) return undefined;
  const all = Object.entries(domain === undefined ? labels : { ...labels, domain });
  return {
    labels: all.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    samples: within.flatMap(({ timeMs, value }) =>
      typeof value === 'object' ? [] : [{ value: value === 'stale' ? STALE : value, timestamp: timeMs }],
    ),
    histograms: within.flatMap(({ timeMs, value }) =>
      typeof value === 'object' ? [histogramMessage(value, timeMs)] : [],
    ),
  };
}
