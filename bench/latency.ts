import { setTimeout as sleep } from 'node:timers/promises';
import { askRange, type RangeQuery } from './ask.ts';
import { dataset, INTERVAL_MS, type Dataset } from './dataset.ts';
import { deliverAll, withPeers } from './deliver.ts';
import { openSender } from './load.ts';
import { sendAtRate } from './paced.ts';
import type { Peer } from './peer.ts';
import { startComity, startPrometheus } from './peers.ts';
import { Refusal } from './refusal.ts';
import {
  REMOTE_WRITE_HEADERS,
  REMOTE_WRITE_PATH,
  remoteWriteScrapes,
  type ScrapeBatches,
} from './remote-write-batches.ts';
import { judge, leftOut, type Figures, type Measured, type Row } from './row.ts';
import { mean, median, percentile } from './statistics.ts';
import type { Settings } from './workload.ts';

/** What is queried: an hour of counters, and ten minutes before. */
const QUERIED_SERIES = 10_000;
const RANGE_MS = 3_600_000;
const QUERIED_SCRAPES = (RANGE_MS + 600_000) / INTERVAL_MS;

/** What is written meanwhile: the data set. */
const LIVE_SERIES = 50_000;

/** All that is written lies behind what is queried and before now; at the highest rates that is hours of samples. */
const LIVE_MS = 6 * 3_600_000;

/** Scrapes that are sent as fast as they are taken, to learn what a server can. */
const CAPACITY_SCRAPES = 10;

/** Part of that at which requests come. */
const RATE_PART = 0.4;

/** So long each time; a tenth of a second later the first request. */
const PHASE_SECONDS = 6;
const QUERY_LEAD_MS = 100;

const HEAVY = [
  'sum by (service) (quantile_over_time(0.9, http_server_requests_total[5m]))',
  'sum by (service) (stddev_over_time(http_server_requests_total[5m]))',
];

/** Ingest beside queries: latency of remote-write requests at a fixed rate, alone and while heavy queries run. */
export async function latency(settings: Settings): Promise<Row[]> {
  const { seed, scale, progress, repeat } = settings;
  const queried = Math.ceil(QUERIED_SERIES * scale);
  const live = Math.ceil(LIVE_SERIES * scale);
  const liveStartMs = Date.now() - LIVE_MS;
  const endMs = Math.floor(liveStartMs / 1_000) * 1_000;
  const query = { startMs: endMs - RANGE_MS, endMs, stepMs: INTERVAL_MS };
  progress(`latency: ${live.toLocaleString('en-US')} live series`);
  return withPeers({ comity: startComity, prometheus: startPrometheus }, async (started, peers) => {
    const startMs = liveStartMs - QUERIED_SCRAPES * INTERVAL_MS;
    await deliverAll(peers, dataset({ seed, series: queried, startMs, kinds: ['counter'] }), QUERIED_SCRAPES, progress);
    const writes = new Map<string, Writes>();
    for (const peer of peers) {
      const data = dataset({ seed, series: live, startMs: liveStartMs, firstSeries: queried });
      writes.set(peer.name, await openWrites(peer, data, query));
    }
    for (let round = 0; round < repeat; round++) {
      for (const [name, one] of writes) {
        await one.round();
        progress(`  ${name}, round ${round + 1} of ${repeat}`);
      }
    }
    const measured = started.map(({ name }): Measured => writes.get(name)?.measured() ?? leftOut(name));
    const what = `remote write at ${RATE_PART * 100} % of what is taken, ${HEAVY.length} queries in turn`;
    return [judge('latency', what, { kind: 'bound', figure: 'p99Growth', better: 'less', atMost: 2 }, measured)];
  });
}

/** One server under writes. */
interface Writes {
  /** A phase alone, and a phase beside queries. */
  round(): Promise<void>;
  measured(): Measured;
}

/** Learns what the server can take, and goes on from there. */
async function openWrites(peer: Peer, data: Dataset, range: Omit<RangeQuery, 'query'>): Promise<Writes> {
  const scrapes = remoteWriteScrapes(data, Infinity);
  const perSecond = RATE_PART * (await capacity(peer, scrapes));
  const alone: number[][] = [];
  const busy: number[][] = [];
  const queryMs: number[] = [];
  let refused: string | undefined;

  /** Made before the clock runs, so that this process has nothing to do then but to send. */
  function phaseBatches(): ScrapeBatches[] {
    const batches: ScrapeBatches[] = [];
    let bodies = 0;
    while (bodies < perSecond * PHASE_SECONDS) {
      const next = scrapes.next().value!;
      bodies += next.bodies.length;
      batches.push(next);
    }
    return batches;
  }

  const send = (batches: readonly ScrapeBatches[]): Promise<number[]> =>
    sendAtRate(peer.url + REMOTE_WRITE_PATH, REMOTE_WRITE_HEADERS, batches, perSecond);

  async function queriesUntil(done: AbortSignal): Promise<void> {
    for (let i = 0; !done.aborted; i++) {
      const { wallMs } = await askRange(peer, { ...range, query: HEAVY[i % HEAVY.length]! });
      queryMs.push(wallMs);
    }
  }

  return {
    async round() {
      if (refused !== undefined) return;
      const done = new AbortController();
      try {
        alone.push(await send(phaseBatches()));
        const batches = phaseBatches();
        const queries = queriesUntil(done.signal);
        // Its failure is seen at the end; until then nothing must be unhandled.
        queries.catch(() => undefined);
        await sleep(QUERY_LEAD_MS);
        busy.push(await send(batches).finally(() => done.abort()));
        await queries;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refused = `refused: ${error.message}`;
      }
    },
    measured() {
      if (refused !== undefined) return { peer: peer.name, figures: {}, note: refused };
      return { peer: peer.name, figures: figuresOf(perSecond, alone, busy, queryMs) };
    },
  };
}

function figuresOf(
  requestsPerSecond: number,
  alone: readonly number[][],
  busy: readonly number[][],
  queryMs: readonly number[],
): Figures {
  const of = (rounds: readonly number[][], p: number): number => median(rounds.map((all) => percentile(all, p)!))!;
  const aloneP99Ms = of(alone, 0.99);
  const busyP99Ms = of(busy, 0.99);
  return {
    requestsPerSecond,
    aloneP50Ms: of(alone, 0.5),
    aloneP99Ms,
    busyP50Ms: of(busy, 0.5),
    busyP99Ms,
    p99Growth: busyP99Ms / aloneP99Ms,
    queries: queryMs.length,
    queryMs: mean(queryMs)!,
  };
}

/** Requests a second that it takes when they come as fast as they can. */
async function capacity({ url }: Peer, scrapes: Iterator<ScrapeBatches>): Promise<number> {
  const batches = Array.from({ length: CAPACITY_SCRAPES }, () => scrapes.next().value as ScrapeBatches);
  const sender = openSender(url + REMOTE_WRITE_PATH, REMOTE_WRITE_HEADERS);
  try {
    // The first has the new series, which cost more.
    await sender.send(batches[0]!.bodies);
    const startedMs = performance.now();
    let requests = 0;
    for (const { bodies } of batches.slice(1)) {
      await sender.send(bodies);
      requests += bodies.length;
    }
    return (requests / (performance.now() - startedMs)) * 1_000;
  } finally {
    await sender.close();
  }
}
