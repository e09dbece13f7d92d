import { compress } from 'snappyjs';
import type { EgressClass } from '../../src/policy/egress-class.ts';
import { featuresFrom } from '../../src/promql/features.ts';
import { startOracle } from '../oracle/oracle.ts';
import { startWholeAgent } from '../senders/whole-agent.ts';
import { ask, type Ask } from './ask.ts';
import { startFederationSide } from './federation-side.ts';
import { OTLP_JOB, otlpRequests } from './otlp.ts';
import type { Series } from './samples.ts';
import { writeRequests } from './write-requests.ts';

/** A real Prometheus, and an agent or a federation that holds the same samples, by the same bytes. */
export interface Sides {
  /** Root of its query API. */
  readonly oracle: string;
  /** The side that is tried. */
  readonly ask: Ask;
  /** Oracles with the same samples whose storages have the series in other orders; started when first asked for. */
  reordered(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface SidesOptions {
  /** Names of features, which both sides enable. */
  readonly features: readonly string[];
  /** Threads of the store of an agent or of each domain. */
  readonly shards: number;
  /** Domains of a federation; 0 for an agent by itself. */
  readonly domains: number;
  /** Of every metric in each domain. */
  readonly egressClass: EgressClass;
}

/** What an oracle needs so that it keeps when counters started. */
const STORAGE = ['st-storage', 'xor2-encoding', 'histograms-st-encoding'];

export async function startSides(series: readonly Series[], options: SidesOptions): Promise<Sides> {
  const { features, shards, domains, egressClass } = options;
  const enabled = features.length === 0 ? [] : [`--enable-feature=${[...features, ...STORAGE].join(',')}`];
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(closers.splice(0).map((one) => one()));
  };

  async function filledOracle(inOrder: readonly Series[]): Promise<string> {
    const oracle = await startOracle({ args: ['--web.enable-otlp-receiver', ...enabled] });
    closers.push(() => oracle.close());
    await deliver({ write: oracle.remoteWriteUrl, otlp: `${oracle.url}/api/v1/otlp/v1/metrics` }, inOrder, true);
    return oracle.url;
  }

  async function filledFederation(): Promise<Ask> {
    const federation = await startFederationSide(series, {
      domains,
      shards,
      egressClass,
      features: featuresFrom(features),
    });
    closers.push(() => federation.close());
    return federation.ask;
  }

  async function filledAgent(): Promise<Ask> {
    const whole = await startWholeAgent({
      // An oracle makes no labels of a resource's attributes.
      promoteResourceAttributes: [],
      features: featuresFrom(features),
      shards,
    });
    closers.push(() => whole.close());
    const { otlpUrl } = whole.agent;
    await deliver({ write: `${otlpUrl}/api/v1/write`, otlp: `${otlpUrl}/v1/metrics` }, series, false);
    return (query, when) => ask(whole.queryUrl, query, when);
  }

  let others: Promise<readonly string[]> | undefined;
  const started = await Promise.allSettled([filledOracle(series), domains > 0 ? filledFederation() : filledAgent()]);
  const [oracle, tried] = started;
  if (oracle.status === 'fulfilled' && tried.status === 'fulfilled') {
    const reordered = (): Promise<readonly string[]> =>
      (others ??= Promise.all(otherOrders(series).map((inOrder) => filledOracle(inOrder))));
    return { oracle: oracle.value, ask: tried.value, reordered, close };
  }
  await close();
  throw started.find((one) => one.status === 'rejected')?.reason;
}

/** From the last to the first, and with the series of each target, and of each domain, before all others. */
function otherOrders(series: readonly Series[]): Series[][] {
  const firsts = [
    ({ labels }: Series): string => JSON.stringify([labels['job'], labels['instance']]),
    ({ domain }: Series): string => domain,
  ].flatMap((placeOf) => {
    const places = [...new Set(series.map(placeOf))];
    return places.length === 1
      ? []
      : places.map((place) => series.toSorted((a, b) => Number(placeOf(b) === place) - Number(placeOf(a) === place)));
  });
  return [series.toReversed(), ...firsts];
}

interface Receivers {
  readonly write: string;
  readonly otlp: string;
}

/** Sends all samples in the order of time; where `labelled` with the domain as a label of each series. */
async function deliver({ write, otlp }: Receivers, series: readonly Series[], labelled: boolean): Promise<void> {
  const { started = [], plain = [] } = Object.groupBy(series, ({ labels }) =>
    labels['job'] === OTLP_JOB ? 'started' : 'plain',
  );
  for (const body of writeRequests(plain, labelled)) await post(write, compress(body), WRITE_HEADERS);
  const json = { 'Content-Type': 'application/json' };
  for (const request of otlpRequests(started, labelled)) await post(otlp, Buffer.from(JSON.stringify(request)), json);
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
