import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { dataset, INTERVAL_MS } from './dataset.ts';
import { deliverAll } from './deliver.ts';
import { startHub, type HubPeer } from './hub.ts';
import type { Peer } from './peer.ts';
import { startAgent } from './peers.ts';
import { judge, type Measured, type Row } from './row.ts';
import { median, percentile } from './statistics.ts';
import type { Settings } from './workload.ts';

const SERIES = 2_000;
const RANGE_MS = 3_600_000;
const SCRAPES = (RANGE_MS + 300_000) / INTERVAL_MS;

/** Small queries one at a time, and an hour of a dashboard's panel so often at once. */
const IDLE_QUERIES = 60;
const BUSY_QUERIES = 200;
const LANES = 32;

const WITHOUT_MAIN = fileURLToPath(new URL('without-ledger.ts', import.meta.url));

/** The same queries through a hub with the ledger and without: what a record before each answer costs. */
export async function ledger({ seed, scale, repeat, progress }: Settings): Promise<Row[]> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const systems = [
      await startSystem('comity', undefined, stops),
      await startSystem('comity, no ledger', WITHOUT_MAIN, stops),
    ];
    const startMs = Math.floor(Date.now() / INTERVAL_MS) * INTERVAL_MS - SCRAPES * INTERVAL_MS;
    const data = dataset({ seed, series: Math.ceil(SERIES * scale), startMs, kinds: ['counter'] });
    await deliverAll(
      systems.map(({ agent }) => agent),
      data,
      SCRAPES,
      progress,
    );
    const rounds = systems.map((): { idleMs: number[]; perSecond: number[] } => ({ idleMs: [], perSecond: [] }));
    for (let round = 0; round <= repeat; round++) {
      // One after the other, in another order each time: what else the machine does meets both.
      for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const one = await measure(systems[i]!.hub, {
          timeMs: startMs + (SCRAPES - 1) * INTERVAL_MS,
          part: round === 0 ? 0.2 : 1,
        });
        // The first round warms both up.
        if (round > 0) {
          rounds[i]!.idleMs.push(...one.idleMs);
          rounds[i]!.perSecond.push(one.perSecond);
        }
      }
      progress(`  ledger, round ${round} of ${repeat}`);
    }
    const measured = systems.map(({ name }, i): Measured => {
      const { idleMs, perSecond } = rounds[i]!;
      return {
        peer: name,
        figures: {
          aloneP50Ms: median(idleMs)!,
          aloneP99Ms: percentile(idleMs, 0.99)!,
          requestsPerSecond: median(perSecond)!,
        },
      };
    });
    const [own, bare] = measured as [Measured, Measured];
    const addedMs = own.figures.aloneP50Ms! - bare.figures.aloneP50Ms!;
    const judged = { ...own, figures: { ...own.figures, addedMs } };
    return [
      judge('ledger', 'one query at a time', { kind: 'bound', figure: 'addedMs', better: 'less', atMost: 10 }, [
        judged,
        bare,
      ]),
      judge(
        'ledger load',
        `${LANES} queries at once`,
        { kind: 'ratio', figure: 'requestsPerSecond', better: 'more', atLeast: 0.95 },
        measured,
      ),
    ];
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

interface System {
  readonly name: string;
  readonly agent: Peer;
  readonly hub: HubPeer;
}

async function startSystem(name: string, main: string | undefined, stops: (() => Promise<void>)[]): Promise<System> {
  const policy = 'version: 1\ndomain: bench\n';
  const agent = await startAgent({ name: `agent of ${name}`, policy, main });
  stops.push(() => agent.close());
  const hub = await startHub(new Map([['bench', agent]]), { name, main });
  stops.push(() => hub.close());
  return { name, agent, hub };
}

interface Asking {
  /** At which time; that of the last samples, however long ago they were sent. */
  readonly timeMs: number;
  /** Of all queries. */
  readonly part: number;
}

async function measure(
  { queryUrl }: HubPeer,
  { timeMs, part }: Asking,
): Promise<{ readonly idleMs: readonly number[]; readonly perSecond: number }> {
  const pool = new Pool(queryUrl, { connections: LANES });
  const [end, start] = [timeMs / 1_000, (timeMs - RANGE_MS) / 1_000].map(String) as [string, string];
  const instant = new URLSearchParams({ query: 'sum by (service) (http_server_requests_total)', time: end }).toString();
  const rates = { query: 'sum by (service) (rate(http_server_requests_total[5m]))', start, end, step: '15' };
  const range = new URLSearchParams(rates).toString();
  const ask = async (path: string): Promise<number> => {
    const startedMs = performance.now();
    const { statusCode, body } = await pool.request({ method: 'GET', path });
    const text = await body.text();
    if (statusCode !== 200 || !text.includes('"value')) throw new Error(`${statusCode} ${text.slice(0, 400)}`);
    return performance.now() - startedMs;
  };
  try {
    const idleMs: number[] = [];
    for (let i = 0; i < IDLE_QUERIES * part; i++) idleMs.push(await ask(`/api/v1/query?${instant}`));
    let left = Math.ceil(BUSY_QUERIES * part);
    const all = left;
    const startedMs = performance.now();
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        while (left-- > 0) await ask(`/api/v1/query_range?${range}`);
      }),
    );
    return { idleMs, perSecond: (all / (performance.now() - startedMs)) * 1_000 };
  } finally {
    await pool.close();
  }
}
