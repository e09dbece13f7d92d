import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { compare, matrixOf } from './answers.ts';
import { askRange, type RangeQuery } from './ask.ts';
import { passedSince } from './border-proxy.ts';
import { INTERVAL_MS, startOf } from './dataset.ts';
import { deliverSplit, splitDatasets } from './federation-data.ts';
import { openPolicy } from './federation-systems.ts';
import { startHub, type HubPeer } from './hub.ts';
import { startAgent, type AgentPeer } from './peers.ts';
import { cpuSeconds } from './process-stats.ts';
import { judge, type Figures, type Measured, type Row } from './row.ts';
import { mean } from './statistics.ts';
import type { Settings } from './workload.ts';

const COUNTER = 'http_server_requests_total';
const GAUGE = 'process_resident_memory_megabytes';
const CLASSIC = 'http_server_response_seconds';

/** As a dashboard of a few services has them: totals, parts, ratios, quantiles, the worst few. */
const PANELS: readonly string[] = [
  `sum(rate(${COUNTER}[5m]))`,
  `sum by (service) (rate(${COUNTER}[5m]))`,
  `sum by (domain) (rate(${COUNTER}[5m]))`,
  `sum by (code) (rate(${COUNTER}[5m]))`,
  `sum by (method) (rate(${COUNTER}[5m]))`,
  `sum by (route) (increase(${COUNTER}[10m]))`,
  `sum by (service) (rate(${COUNTER}{code="500"}[5m])) / sum by (service) (rate(${COUNTER}[5m]))`,
  `sum(rate(${COUNTER}{code=~"5.."}[5m])) / sum(rate(${COUNTER}[5m]))`,
  `avg by (service) (rate(${COUNTER}[5m]))`,
  `topk(5, sum by (service, route) (rate(${COUNTER}[5m])))`,
  `count by (domain) (${COUNTER})`,
  `sum by (service) (${GAUGE})`,
  `max by (service) (${GAUGE})`,
  `min by (domain) (${GAUGE})`,
  `avg by (service) (avg_over_time(${GAUGE}[5m]))`,
  `stddev by (domain) (${GAUGE})`,
  `histogram_quantile(0.5, sum by (le) (rate(${CLASSIC}_bucket[5m])))`,
  `histogram_quantile(0.99, sum by (le) (rate(${CLASSIC}_bucket[5m])))`,
  `histogram_quantile(0.9, sum by (service, le) (rate(${CLASSIC}_bucket[5m])))`,
  `sum(rate(${CLASSIC}_sum[5m])) / sum(rate(${CLASSIC}_count[5m]))`,
];

const DOMAINS = ['north', 'south', 'west'];
const COUNTERS = 4_000;
const GAUGES = 2_000;
const HISTOGRAMS = 100;
const HOUR_MS = 3_600_000;

/** Refreshes over data that was there before, and those that wait for theirs, 15 s each. */
const REFRESHES = 40;
const LIVE_REFRESHES = 12;

const WARM_UP = 3;

/** The last of the former ends that long before the data does, so that all its steps are settled. */
const SETTLED_MS = 5 * 60_000;
const DATA_MS = HOUR_MS + REFRESHES * INTERVAL_MS + SETTLED_MS + 15 * 60_000;

/** Requests under way at once, as browsers send them. */
const AT_ONCE = 6;

/** How many times less than its first load a refresh must ask for: it has one new step, and the last one again. */
const TIMES_LESS = 50;

/** W6: a dashboard that is loaded once and refreshed as the time goes on, with and without what the hub keeps. */
export async function dashboard(settings: Settings): Promise<Row[]> {
  const { seed, scale, progress } = settings;
  const scrapes = Math.ceil(DATA_MS / INTERVAL_MS);
  const startMs = startOf(scrapes);
  const kinds = [
    ['counter', COUNTERS],
    ['gauge', GAUGES],
    ['classic', HISTOGRAMS],
  ] as const;
  let firstSeries = 0;
  const options = kinds.map(([kind, series], i) => {
    const some = { seed: seed + i, series: Math.ceil(series * scale), startMs, kinds: [kind], firstSeries };
    firstSeries += some.series;
    return some;
  });
  const split = splitDatasets(options, DOMAINS);
  const stops: (() => Promise<void>)[] = [];
  try {
    const agents = new Map<string, AgentPeer>();
    for (const domain of DOMAINS) {
      const agent = await startAgent({ name: `agent ${domain}`, domain, policy: openPolicy(domain) });
      stops.push(agent.close);
      agents.set(domain, agent);
    }
    const receivers = [...agents.values()].map(({ url }, i) => ({ data: split.parts[i]!, urls: [url] }));
    progress(`W6: ${PANELS.length} panels over ${firstSeries} counters, gauges and classic histograms`);
    let delivered = 0;
    /** Delivers so many scrapes and answers the last step that they cover. */
    const deliver = async (count: number): Promise<number> => {
      await deliverSplit(split, receivers, count, count > 1 ? progress : () => undefined);
      delivered += count;
      return stepAt(startMs + delivered * INTERVAL_MS);
    };
    const start = async (name: string, cacheBytes: number): Promise<HubPeer> => {
      const hub = await startHub(agents, { name, cacheBytes });
      stops.push(hub.close);
      return hub;
    };
    const run = (hub: HubPeer, ends: Ends): Promise<Run> => runDashboard(hub, [...agents.values()], ends, progress);
    await deliver(scrapes);
    const live = await run(await start('comity, live', CACHE_BYTES), {
      refreshes: LIVE_REFRESHES,
      async at(refresh) {
        const dueMs = startMs + (delivered + 1) * INTERVAL_MS;
        if (refresh > 0) await sleep(Math.max(0, dueMs + INTERVAL_MS / 15 - Date.now()));
        return deliver(Math.max(1, Math.floor((Date.now() - startMs) / INTERVAL_MS) - delivered));
      },
    });
    const lastMs = stepAt(startMs + delivered * INTERVAL_MS - SETTLED_MS);
    const settled: Ends = {
      refreshes: REFRESHES,
      at: async (refresh) => lastMs - (REFRESHES - refresh) * INTERVAL_MS,
    };
    const settledWithout = await run(await start('nothing kept', 0), settled);
    const settledKept = await run(await start('comity', CACHE_BYTES), settled);
    assertAgreed(settledKept, settledWithout);
    return rowsOf({ live, kept: settledKept, without: settledWithout });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

function stepAt(timeMs: number): number {
  return Math.floor(timeMs / INTERVAL_MS) * INTERVAL_MS;
}

const CACHE_BYTES = 256 * 1024 * 1024;

interface Run {
  readonly first: Load;
  /** The mean of all of them. */
  readonly refresh: Load;
  /** Of the last refresh, panel by panel. */
  readonly bodies: readonly string[];
}

/** What a dashboard cost when all its panels were there. */
interface Load {
  readonly wallMs: number;
  readonly agentCpuMs: number;
  readonly hubCpuMs: number;
  readonly bytes: number;
  /** Steps of fragments that domains were asked for; undefined where the hub does not count them. */
  readonly steps: number | undefined;
}

/** Where the steps of a dashboard end: the first load is number 0. */
interface Ends {
  readonly refreshes: number;
  /** Answers when that load is to be made. */
  at(refresh: number): Promise<number>;
}

async function runDashboard(
  hub: HubPeer,
  agents: readonly AgentPeer[],
  ends: Ends,
  progress: Settings['progress'],
): Promise<Run> {
  const limit = pLimit(AT_ONCE);
  let bodies: readonly string[] = [];
  const load = async (endMs: number): Promise<Load> => {
    const before = {
      bytes: passedSince(hub.borders),
      agents: cpuOf(agents),
      hub: cpuOf([hub]),
      steps: await stepsAsked(hub),
    };
    const startedMs = performance.now();
    bodies = await Promise.all(
      PANELS.map((query) =>
        limit(async () => {
          const range: RangeQuery = { query, startMs: endMs - HOUR_MS, endMs, stepMs: INTERVAL_MS };
          return (await askRange({ queryUrl: hub.queryUrl, pids: [] }, range)).body;
        }),
      ),
    );
    const wallMs = performance.now() - startedMs;
    const passed = passedSince(hub.borders, before.bytes);
    const steps = await stepsAsked(hub);
    return {
      wallMs,
      agentCpuMs: cpuOf(agents) - before.agents,
      hubCpuMs: cpuOf([hub]) - before.hub,
      bytes: passed.in + passed.out,
      steps: steps === undefined || before.steps === undefined ? undefined : steps - before.steps,
    };
  };
  const firstMs = await ends.at(0);
  // Compiles what is hot in hub and agents, at steps between those that count.
  for (let i = 0; i < WARM_UP; i++) await load(firstMs - INTERVAL_MS / 2 - i * 1_000);
  const first = await load(firstMs);
  const refreshes: Load[] = [];
  while (refreshes.length < ends.refreshes) refreshes.push(await load(await ends.at(refreshes.length + 1)));
  const steps = refreshes.flatMap((one) => one.steps ?? []);
  const refresh: Load = {
    wallMs: mean(refreshes.map(({ wallMs }) => wallMs))!,
    agentCpuMs: mean(refreshes.map(({ agentCpuMs }) => agentCpuMs))!,
    hubCpuMs: mean(refreshes.map(({ hubCpuMs }) => hubCpuMs))!,
    bytes: mean(refreshes.map(({ bytes }) => bytes))!,
    steps: mean(steps),
  };
  progress(`  ${hub.name}: first ${JSON.stringify(first)}, each refresh ${JSON.stringify(refresh)}`);
  return { first, refresh, bodies };
}

function cpuOf(peers: readonly { readonly pid: number }[]): number {
  return peers.reduce((sum, { pid }) => sum + cpuSeconds(pid) * 1_000, 0);
}

/** From the hub's own metrics. */
async function stepsAsked({ url }: HubPeer): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = /^comity_hub_cache_misses_total (\S+)$/m.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** A sum over a window that was read from another start differs in its last bit. */
const RELATIVE = 1e-12;

/** Kept columns must say what asking again says. */
function assertAgreed(kept: Run, without: Run): void {
  for (const [i, query] of PANELS.entries()) {
    const { first } = compare(matrixOf(kept.bodies[i]!), matrixOf(without.bodies[i]!), RELATIVE);
    if (first !== undefined) throw new Error(`${query}: what is kept gives another answer: ${first}`);
  }
}

function rowsOf({ live, kept, without }: Readonly<Record<'live' | 'kept' | 'without', Run>>): Row[] {
  const what = `${PANELS.length} panels of 1 h at 15 s, moved on by 15 s`;
  const lines = (name: string, { first, refresh }: Run): Measured[] => [
    { peer: `${name}, a refresh`, figures: figuresOf(refresh) },
    { peer: `${name}, first load`, figures: figuresOf(first) },
  ];
  const target = { kind: 'ratio', figure: 'stepsAsked', better: 'less', atLeast: TIMES_LESS } as const;
  return [
    judge('W6', `${what}, settled`, target, [...lines('comity', kept), ...lines('nothing kept', without)]),
    judge('W6', `${what}, as the samples come`, target, lines('comity', live)),
  ];
}

function figuresOf({ wallMs, agentCpuMs, hubCpuMs, bytes, steps }: Load): Figures {
  // A hub that keeps nothing does not count them.
  const asked = steps === undefined || steps === 0 ? {} : { stepsAsked: steps };
  return { wallMs, agentCpuMs, hubCpuMs, totalBytes: bytes, ...asked };
}
