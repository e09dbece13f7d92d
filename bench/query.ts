import { difference, matrixOf } from './answers.ts';
import { askRange, type Asked, type RangeQuery } from './ask.ts';
import { dataset, INTERVAL_MS, startOf } from './dataset.ts';
import { deliverAll, withPeers, type Started } from './deliver.ts';
import type { Peer } from './peer.ts';
import { comityWith, startComity, startPrometheus, startVictoria } from './peers.ts';
import { memoryOf } from './process-stats.ts';
import { Refusal } from './refusal.ts';
import { judge, leftOut, type Measured, type Row, type Target } from './row.ts';
import { mean, median } from './statistics.ts';
import type { Settings } from './workload.ts';

interface QueryWorkload {
  readonly workload: string;
  readonly what: string;
  readonly window: string;
  readonly series: number;
  readonly dataMs: number;
  readonly rangeMs: number;
  readonly stepMs: number;
  /** How many times faster than Prometheus ours must be: at the first query after a restart, and later. */
  readonly cold: number;
  readonly warm: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Answers that are asked for before those that count, and those. */
interface Rounds {
  readonly warmUp: number;
  readonly warm: number;
}

const ROUNDS: Rounds = { warmUp: 5, warm: 15 };

/** Sums of ten thousand rates in another order differ in their last bits. */
const RELATIVE = 1e-9;

/** Ours as it comes, what it is judged by, and ours in other numbers of threads. */
const STARTS = {
  comity: startComity,
  prometheus: startPrometheus,
  'victoria-metrics': startVictoria,
  'comity, one thread': comityWith({ name: 'comity, one thread', shards: 0 }),
  'comity, two shards': comityWith({ name: 'comity, two shards', shards: 2 }),
};

/** W3: rates of counters over five minutes, summed by service. */
export function shortWindow(settings: Settings): Promise<Row[]> {
  return rateQuery(
    {
      workload: 'W3',
      what: '1 h at 15 s',
      window: '5m',
      series: 10_000,
      dataMs: HOUR_MS + 10 * MINUTE_MS,
      rangeMs: HOUR_MS,
      stepMs: INTERVAL_MS,
      cold: 5,
      warm: 20,
    },
    settings,
  );
}

/** W4: the same over an hour, and over a day. */
export async function longWindow(settings: Settings): Promise<Row[]> {
  const hour: QueryWorkload = {
    workload: 'W4 [1h]',
    what: '1 h at 15 s',
    window: '1h',
    series: 10_000,
    dataMs: 2 * HOUR_MS + 10 * MINUTE_MS,
    rangeMs: HOUR_MS,
    stepMs: INTERVAL_MS,
    cold: 10,
    warm: 10,
  };
  const day: QueryWorkload = {
    ...hour,
    workload: 'W4 day',
    what: '1 d at 1 min',
    window: '5m',
    series: 2_000,
    dataMs: 24 * HOUR_MS + 10 * MINUTE_MS,
    rangeMs: 24 * HOUR_MS,
    stepMs: MINUTE_MS,
  };
  return [...(await rateQuery(hour, settings)), ...(await rateQuery(day, settings))];
}

async function rateQuery(workload: QueryWorkload, settings: Settings): Promise<Row[]> {
  const { seed, scale, progress } = settings;
  const series = Math.ceil(workload.series * scale);
  const scrapes = Math.ceil(workload.dataMs / INTERVAL_MS);
  const startMs = startOf(scrapes);
  const endMs = Math.floor((startMs + scrapes * INTERVAL_MS) / 1_000) * 1_000;
  const query: RangeQuery = {
    query: `sum by (service) (rate(http_server_requests_total[${workload.window}]))`,
    startMs: endMs - workload.rangeMs,
    endMs,
    stepMs: workload.stepMs,
  };
  const what = `sum by (service) (rate(x[${workload.window}])), ${series.toLocaleString('en-US')} series, ${workload.what}`;
  return withPeers(STARTS, async (started, peers) => {
    progress(`${workload.workload}: ${what}`);
    await deliverAll(peers, dataset({ seed, series, startMs, kinds: ['counter'] }), scrapes, progress);
    const cold = await askCold(peers, query, settings);
    const warm = await askWarm(peers, query, settings);
    return [
      judge(`${workload.workload} cold`, `${what}, first after a restart`, faster(workload.cold), cold.of(started)),
      judge(`${workload.workload} warm`, what, faster(workload.warm), warm.of(started)),
    ];
  });
}

export function faster(times: number): Target {
  return { kind: 'ratio', figure: 'wallMs', better: 'less', atLeast: times };
}

/** The first query after a clean stop and a start, as many times as rounds are asked for. */
async function askCold(peers: readonly Peer[], query: RangeQuery, { repeat, progress }: Settings): Promise<Answers> {
  const answers = collectAnswers();
  for (let round = 0; round < repeat; round++) {
    const bodies = new Map<string, string>();
    for (const peer of peers) {
      await peer.stop();
      await peer.start();
      const asked = await answers.ask(peer, query);
      if (asked === undefined) continue;
      bodies.set(peer.name, asked.body);
      progress(
        `  cold ${peer.name}, ${round + 1} of ${repeat}: ${asked.wallMs.toFixed(0)} ms, CPU ${asked.cpuMs.toFixed(0)} ms`,
      );
    }
    assertAgreed(bodies);
  }
  return answers;
}

/** In turns, so that a slow second of the machine meets all of them. */
export async function askWarm(
  peers: readonly Peer[],
  query: RangeQuery,
  { progress }: Pick<Settings, 'progress'>,
  { warmUp: first, warm }: Rounds = ROUNDS,
): Promise<Answers> {
  const warmUp = collectAnswers();
  const answers = collectAnswers();
  for (let round = 0; round < first + warm; round++) {
    const bodies = new Map<string, string>();
    for (const peer of peers) {
      const asked = await (round < first ? warmUp : answers).ask(peer, query);
      if (asked !== undefined) bodies.set(peer.name, asked.body);
    }
    assertAgreed(bodies);
  }
  for (const { peer, figures } of answers.of(peers.map((peer) => ({ name: peer.name, peer })))) {
    progress(`  warm ${peer}: ${figures.wallMs?.toFixed(0)} ms, CPU ${figures.cpuMs?.toFixed(0)} ms`);
  }
  return answers;
}

export interface Answers {
  /** Undefined when the server refused. */
  ask(peer: Peer, query: RangeQuery): Promise<Asked | undefined>;
  /** Medians, but the mean of the CPU time, which is counted in steps that are long beside a short query. */
  of(started: readonly Started[]): Measured[];
}

function collectAnswers(): Answers {
  const asked = new Map<string, (Asked & { readonly peakBytes: number })[]>();
  const refusals = new Map<string, string>();
  return {
    async ask(peer, query) {
      try {
        const one = await askRange(peer, query);
        const { peakBytes } = memoryOf(peer.pid);
        asked.set(peer.name, [...(asked.get(peer.name) ?? []), { ...one, body: '', peakBytes }]);
        return one;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refusals.set(peer.name, `refused: ${error.message}`);
        return undefined;
      }
    },
    of: (started) =>
      started.map(({ name, peer }): Measured => {
        if (peer === undefined) return leftOut(name);
        const all = asked.get(name) ?? [];
        if (all.length === 0) return { peer: name, figures: {}, note: refusals.get(name) ?? 'not asked' };
        const figures = {
          wallMs: median(all.map(({ wallMs }) => wallMs))!,
          cpuMs: mean(all.map(({ cpuMs }) => cpuMs))!,
          peakBytes: median(all.map(({ peakBytes }) => peakBytes))!,
        };
        return { peer: name, figures };
      }),
  };
}

/** A fast wrong answer is worth nothing. VictoriaMetrics' rates are others by design: it does not extrapolate. */
function assertAgreed(bodies: ReadonlyMap<string, string>): void {
  const reference = bodies.get('prometheus');
  if (reference === undefined) return;
  const want = matrixOf(reference);
  for (const [name, body] of bodies) {
    const found = difference(matrixOf(body), want, name.startsWith('comity') ? RELATIVE : Infinity);
    if (found !== undefined) throw new Error(`${name} gives another answer than prometheus: ${found}`);
  }
}
