import { compare, matrixOf } from './answers.ts';
import { askRange, askValue, type Asked, type RangeQuery } from './ask.ts';
import { passedSince } from './border-proxy.ts';
import { INTERVAL_MS, startOf } from './dataset.ts';
import { deliverSplit, splitDatasets } from './federation-data.ts';
import { killOne } from './federation-fault.ts';
import {
  COMITY,
  PROMXY,
  REFERENCE,
  startSystems,
  THANOS_DISTRIBUTED,
  type Federation,
  type System,
} from './federation-systems.ts';
import { Refusal } from './refusal.ts';
import { judge, leftOut, type Figures, type Measured, type Row } from './row.ts';
import { mean, median } from './statistics.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from './workload.ts';

interface FederatedQuery {
  readonly query: string;
  /** Which systems do part of it in the domains, beside ours; the others take the samples out. */
  readonly pushedDownBy: readonly string[];
  /** Asked of ours with this relative error for quantiles, besides. */
  readonly approx?: number;
  /** Whether it reads next to nothing, so that there is nothing to be faster in. */
  readonly isEmpty?: true;
}

const COUNTER = 'http_server_requests_total';
const CLASSIC = 'http_server_response_seconds';

/** Counters, classic histograms of 14 series each, and how long they have been there. */
const COUNTERS = 10_000;
const HISTOGRAMS = 200;
const HOUR_MS = 3_600_000;
const DATA_MS = 2 * HOUR_MS + 600_000;

const BOTH = [THANOS_DISTRIBUTED, PROMXY];

const QUERIES: readonly FederatedQuery[] = [
  { query: `sum by (service) (rate(${COUNTER}[5m]))`, pushedDownBy: BOTH },
  { query: `sum by (service) (rate(${COUNTER}[1h]))`, pushedDownBy: BOTH },
  { query: `avg by (service) (rate(${COUNTER}[5m]))`, pushedDownBy: BOTH },
  { query: `count by (service) (${COUNTER})`, pushedDownBy: BOTH },
  { query: `topk(5, rate(${COUNTER}[5m]))`, pushedDownBy: BOTH },
  { query: `quantile by (service) (0.9, rate(${COUNTER}[5m]))`, pushedDownBy: [], approx: 0.01 },
  { query: `histogram_quantile(0.9, sum by (service, le) (rate(${CLASSIC}_bucket[5m])))`, pushedDownBy: BOTH },
  {
    query: `sum by (service, domain) (rate(${COUNTER}[5m])) / on (service) group_left () sum by (service) (rate(${COUNTER}[5m]))`,
    pushedDownBy: BOTH,
  },
  { query: `absent(${COUNTER}{service="none"})`, pushedDownBy: BOTH, isEmpty: true },
];

const DOMAINS = ['north', 'south', 'west'];

/** Sums in another order differ in their last bits. */
const RELATIVE = 1e-9;

/** How many times faster, and how many times fewer bytes than one that takes samples out. */
const TIMES_FASTER = 5;
const TIMES_FEWER = 50;

/** W5: the same samples in three domains, asked as one. */
export async function federated(settings: Settings): Promise<Row[]> {
  const { seed, scale, progress } = settings;
  const scrapes = Math.ceil(DATA_MS / INTERVAL_MS);
  const startMs = startOf(scrapes);
  const endMs = Math.floor((startMs + scrapes * INTERVAL_MS) / 1_000) * 1_000;
  const counters = Math.ceil(COUNTERS * scale);
  const histograms = Math.ceil(HISTOGRAMS * scale);
  const split = splitDatasets(
    [
      { seed, series: counters, startMs, kinds: ['counter'] },
      { seed: seed + 1, series: histograms, startMs, kinds: ['classic'] },
    ],
    DOMAINS,
  );
  const federation = await startSystems(DOMAINS);
  try {
    progress(`W5: ${counters} counters and ${histograms} classic histograms in ${DOMAINS.length} domains`);
    const { places, reference } = federation;
    const receivers = places.map(({ agent, prometheus }, i) => ({
      data: split.parts[i]!,
      urls: [agent.url, ...(prometheus === undefined ? [] : [prometheus.url])],
    }));
    const whole = { data: split.whole, urls: reference === undefined ? [] : [reference.url] };
    await deliverSplit(split, [...receivers, whole], scrapes, progress);
    const all = reference === undefined ? federation.systems : [...federation.systems, reference];
    const filled = split.parts.filter(({ series }) => series.some(({ kind }) => kind === 'counter')).length;
    for (const system of all) await untilWhole(system, filled, endMs, progress);

    const range = { startMs: endMs - HOUR_MS, endMs, stepMs: INTERVAL_MS };
    const rows: Row[] = [];
    for (const query of QUERIES) rows.push(...(await compareOn(query, range, federation, settings)));
    return [...rows, ...(await killOne(federation, range, settings))];
  } finally {
    await federation.close();
  }
}

/** What has just been started may not know of all its domains yet. */
const WHOLE_MS = 120_000;

async function untilWhole(
  system: System,
  domains: number,
  timeMs: number,
  progress: Settings['progress'],
): Promise<void> {
  const deadlineMs = Date.now() + WHOLE_MS;
  for (;;) {
    const found = await askValue(system, `count(count by (domain) (${COUNTER}))`, timeMs).catch((error: unknown) => {
      if (error instanceof Refusal) return error.message;
      throw error;
    });
    if (found === domains) return;
    if (Date.now() > deadlineMs) {
      progress(`  ${system.name} does not see all domains: ${found ?? 'an empty answer'}`);
      return;
    }
    await sleep(500);
  }
}

/** Rounds that are not kept: what is hot is compiled in them. */
const WARM_UP = 3;

interface Kept extends Asked {
  readonly bytes: number;
}

/** One query on every system in turns, and what its answers are worth against those of one Prometheus with everything. */
async function compareOn(
  { query, pushedDownBy, approx, isEmpty }: FederatedQuery,
  range: Omit<RangeQuery, 'query'>,
  { systems, reference, leftOut: missing }: Federation,
  { repeat, progress }: Settings,
): Promise<Row[]> {
  progress(`W5: ${query}`);
  const [own, ...peers] = systems as [System, ...System[]];
  const ways: readonly Way[] = [
    { system: own, name: COMITY, params: {}, relative: RELATIVE },
    ...(approx === undefined
      ? []
      : [{ system: own, name: `${COMITY}, approx ${approx}`, params: { approx: String(approx) }, relative: approx }]),
    ...[...peers, ...(reference === undefined ? [] : [reference])].map((system) => ({
      system,
      name: system.name,
      params: {},
      relative: RELATIVE,
    })),
  ];
  const kept = ways.map((): Kept[] => []);
  const refused = ways.map((): string | undefined => undefined);
  for (let round = -WARM_UP; round < 2 * repeat - 1; round++) {
    for (const [i, way] of ways.entries()) {
      if (refused[i] !== undefined) continue;
      try {
        const one = await askCounted(way, { query, ...range });
        if (round >= 0) kept[i]!.push(one);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refused[i] = `refused: ${error.message}`;
      }
    }
  }
  const want = kept[ways.findIndex(({ name }) => name === REFERENCE)]?.at(-1)?.body;
  const measured = ways.map(({ name, system, relative }, i): Measured => {
    const all = kept[i]!;
    if (all.length === 0) return { peer: name, figures: {}, note: refused[i] };
    const right =
      want === undefined ? {} : correctness(all.at(-1)!.body, want, relative, `${name}: ${query}`, progress);
    const figures: Figures = {
      wallMs: median(all.map(({ wallMs }) => wallMs))!,
      cpuMs: mean(all.map(({ cpuMs }) => cpuMs))!,
      ...(system === reference ? {} : { totalBytes: median(all.map(({ bytes }) => bytes))! }),
      ...right,
    };
    progress(`  ${name}: ${JSON.stringify(figures)}`);
    return { peer: name, figures };
  });
  // Ours in another way and everything in one place are shown beside the others, not judged.
  const judged = measured.map((one) => (isPeer(one.peer) && isEmpty !== true ? one : { ...one, atLeast: 0 }));
  const bytes = judged.flatMap(({ peer, figures, note, atLeast }): Measured[] => {
    if (peer === REFERENCE) return [];
    const { totalBytes } = figures;
    const kept = totalBytes === undefined ? {} : { totalBytes };
    return [{ peer, figures: kept, note, atLeast: atLeast ?? timesFewer(peer, pushedDownBy) }];
  });
  const absent = missing.map(leftOut);
  return [
    judge('W5', query, { kind: 'ratio', figure: 'wallMs', better: 'less', atLeast: TIMES_FASTER, of: 'each' }, [
      ...judged,
      ...absent,
    ]),
    judge(
      'W5 bytes',
      query,
      { kind: 'ratio', figure: 'totalBytes', better: 'less', atLeast: TIMES_FEWER, of: 'each' },
      [...bytes, ...absent.filter(({ peer }) => peer !== REFERENCE)],
    ),
  ];
}

interface Way {
  readonly system: System;
  readonly name: string;
  readonly params: Readonly<Record<string, string>>;
  /** How far values may be off. */
  readonly relative: number;
}

async function askCounted({ system, params }: Way, query: RangeQuery): Promise<Kept> {
  const before = passedSince(system.borders);
  const asked = await askRange(system, query, params);
  const { in: towards, out } = passedSince(system.borders, before);
  return { ...asked, bytes: towards + out };
}

function isPeer(name: string): boolean {
  return !name.startsWith(COMITY) && name !== REFERENCE;
}

/** No more than where it is pushed down; Thanos's own engine is held to nothing there, as it sends what each domain has. */
function timesFewer(peer: string, pushedDownBy: readonly string[]): number {
  return pushedDownBy.includes(peer) ? 1 : TIMES_FEWER;
}

function correctness(
  body: string,
  want: string,
  relative: number,
  what: string,
  progress: Settings['progress'],
): Figures {
  const { series, wrong, missing, offBy, first } = compare(matrixOf(body), matrixOf(want), relative);
  if (first !== undefined)
    progress(`  ${what}: of ${series} series ${wrong} wrong, ${missing} missing, off by ${offBy}; ${first}`);
  return { series, wrongSeries: wrong, missingSeries: missing, offBy };
}
