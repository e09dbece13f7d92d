import { newTraceparent } from '../../../src/base/traceparent.ts';
import { toComityError } from '../../../src/base/errors.ts';
import { noteTexts } from '../../../src/engine/notes.ts';
import { answerDifference } from '../../../src/federationtest/same.ts';
import { openColumnsCache, type ColumnsCache } from '../../../src/hub/cache/columns-cache.ts';
import { runQuery, type QueryResult } from '../../../src/hub/query.ts';
import { openDomain, type Federation } from '../../../src/hub/registry.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../../../src/model/grid.ts';
import { ALL_FEATURES } from '../../../src/promql/features.ts';
import { parseExpr } from '../../../src/promql/parse.ts';
import { instantResult, rangeResult, type Result } from '../../../src/promqltest/result.ts';
import { randomFrom, type Random } from '../../random.ts';
import {
  fillSamples,
  openSimulatedDomain,
  TICK_MS,
  type SimulatedDomain,
  type SimulatedStream,
} from './simulated-domain.ts';

/** A query that is asked again and again as time goes on. */
export interface Panel {
  readonly text: string;
  /** 0 for an instant query. */
  readonly rangeMs: number;
  readonly stepMs: number;
  /** Whether the range ends at a multiple of the step, as dashboards have it. */
  readonly isAligned: boolean;
  readonly approx?: number;
}

const MINUTE_MS = 60_000;
/** A multiple of a minute. */
const START_MS = 1_700_000_040_000;

const QUERIES = [
  'sum by (job) (rate(requests_total[5m]))',
  'sum(rate(requests_total{code="500"}[2m])) / sum(rate(requests_total[2m]))',
  'rate(odd_counter[3m])',
  'sum(increase(odd_counter[1m]))',
  'avg(temperature)',
  'temperature',
  'max by (domain) (temperature) - min by (domain) (temperature)',
  'stddev(temperature)',
  'topk(2, temperature)',
  'histogram_quantile(0.9, sum by (le) (rate(took_bucket[5m])))',
  'histogram_quantile(0.9, sum(rate(native[5m])))',
  'sum(native)',
  'avg(native)',
  'native',
  'histogram_count(sum(native))',
  'sum(mixed)',
  'rate(mixed[2m])',
  'avg_over_time(mixed[3m])',
  'absent(sometimes)',
  'sum(sometimes)',
  'count(sometimes offset 4m)',
  'temperature offset -2m',
  'sum(temperature - temperature offset 10m)',
  'sum(temperature @ 1700000000)',
  'sum(temperature @ end())',
  'temperature / scalar(avg(temperature @ start()))',
  'max_over_time(sum(temperature)[5m:30s])',
  'avg_over_time(rate(requests_total[1m])[4m:1m])',
  'sum(max_over_time(temperature[10m:1m]))',
  'quantile(0.5, temperature)',
  'count_values("v", round(temperature))',
  'rate(requests_total[2m] smoothed)',
  'increase(odd_counter[2m] anchored)',
  'rate({__name__=~"temperature|odd_counter"}[2m])',
  'sum by (job) (rate({__name__=~"odd_counter|sometimes"}[2m]))',
  'last_over_time({__name__=~"temperature|sometimes"}[2m])',
  'topk(scalar(count(sometimes)), temperature @ 1700000000)',
  'timestamp(temperature)',
  'temperature > 20',
  'temperature and sometimes',
  'temperature * on (domain, instance) sometimes',
  'predict_linear(temperature[5m], 60)',
  'coverage(temperature)',
  'sum(temperature) and on () (min(coverage(temperature)) > 0.9)',
  'sum_over_time(temperature[5m])',
  'sum({__name__=~"native|mixed"})',
] as const;

export function randomPanel(random: Random): Panel {
  const isInstant = random.chance(0.1);
  const panel = {
    text: random.pick(QUERIES),
    rangeMs: isInstant ? 0 : random.pick([5, 15, 30, 60]) * MINUTE_MS,
    stepMs: random.pick([15_000, 15_000, 30_000, MINUTE_MS, 17_000]),
    isAligned: random.chance(0.8),
  };
  // So long that it is asked in windows, most of which are empty.
  if (!isInstant && random.chance(0.05)) return { ...panel, rangeMs: 20 * 24 * 60 * MINUTE_MS, stepMs: 5 * MINUTE_MS };
  return random.chance(0.1) ? { ...panel, text: 'quantile by (job) (0.9, temperature)', approx: 0.01 } : panel;
}

function gridOf({ rangeMs, stepMs, isAligned }: Panel, nowMs: number): QueryGrid {
  const endMs = isAligned ? Math.floor(nowMs / stepMs) * stepMs : nowMs;
  return rangeMs === 0 ? instantGrid(endMs) : rangeGrid(endMs - rangeMs, endMs, stepMs);
}

/** What a query came to, as far as anybody can tell. */
export interface Seen {
  readonly result: Result | undefined;
  /** All the rest. */
  readonly beside: string;
  readonly cachedSteps: number;
}

export interface Dashboard {
  readonly domains: readonly SimulatedDomain[];
  readonly federation: Federation;
  readonly cache: ColumnsCache;
  readonly audited: object[];
  nowMs: number;
  /** Time goes on by so many ticks, with all that senders and operators do. */
  live(ticks: number): Promise<void>;
  /** Asks a panel; `useCache` as for `Asking`. */
  ask(panel: Panel, useCache: boolean): Promise<Seen>;
  /** Asks it with the cache and without; what differs, or undefined. */
  difference(panel: Panel): Promise<string | undefined>;
  close(): Promise<void>;
}

export interface DashboardOptions {
  readonly seed: number;
  readonly cacheBytes?: number;
  readonly domains?: number;
  /** Whether anything but regular deliveries happens. */
  readonly isCalm?: boolean;
}

export async function openDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { seed, cacheBytes = 64 * 1024 * 1024, isCalm = false } = options;
  const random = randomFrom(seed).fork(1);
  const trouble = random.pick([0.1, 0.3, 1]);
  const names = ['eu', 'us', 'ap'].slice(0, options.domains ?? 2);
  const domains = await Promise.all(names.map((name) => openSimulatedDomain(name, START_MS, 3)));
  const cache = openColumnsCache(cacheBytes);
  const audited: object[] = [];
  const audit = {
    write(entry: object): void {
      if (!isCalm && random.chance(0.02)) throw new Error('no space is left');
      audited.push(entry);
    },
    close: () => undefined,
  };
  const registry = domains.map(({ name, way }) => openDomain({ name, jurisdiction: 'test' }, [way]));
  const federation: Federation = { registry, domainLabel: 'domain', cache, audit };

  async function run(panel: Panel, useCache: boolean): Promise<{ result: QueryResult; grid: QueryGrid }> {
    const grid = gridOf(panel, dashboard.nowMs);
    const result = await runQuery(
      {
        text: panel.text,
        expr: parseExpr(panel.text, FEATURES),
        grid,
        approx: panel.approx,
        lookbackMs: 5 * MINUTE_MS,
        features: { ...FEATURES, delayedNameRemoval: false, startTimestamps: false, typeAndUnitLabels: false },
        deadlineMs: Date.now() + 30_000,
        allowPartial: true,
        signal: new AbortController().signal,
        trace: newTraceparent(),
        useCache,
      },
      federation,
    );
    return { result, grid };
  }

  const dashboard: Dashboard = {
    domains,
    federation,
    cache,
    audited,
    nowMs: START_MS,
    async live(ticks) {
      for (let tick = 0; tick < ticks; tick++) {
        dashboard.nowMs += TICK_MS;
        for (const domain of domains) {
          domain.nowMs = dashboard.nowMs;
          if (!isCalm) await disturb(domain, random, trouble);
          // A breaker goes by a clock that is not this one.
          for (const { breaker } of registry.flatMap(({ replicas }) => replicas)) breaker.heard();
          await deliver(domain, isCalm ? [] : domain.streams.filter(({ isPaused }) => isPaused));
        }
      }
    },
    async ask(panel, useCache) {
      try {
        const { result, grid } = await run(panel, useCache);
        const { value, notes, coverage, warnings, parts } = result;
        const cachedSteps = parts.reduce((sum, { answer }) => sum + (answer?.ok ? answer.value.cachedSteps : 0), 0);
        const said = noteTexts(notes, panel.text, Infinity);
        const plain = panel.rangeMs === 0 ? instantResult(value, grid) : rangeResult(value, grid);
        const sorted = { said: [said.warnings.toSorted(), said.infos.toSorted()] };
        const beside = JSON.stringify({ coverage, warnings, ...sorted });
        // How a silent domain is described hangs on how often it was asked.
        return {
          result: plain,
          beside: beside.replaceAll(/not asked: .*? next try in \d+ s/g, 'host not found'),
          cachedSteps,
        };
      } catch (error) {
        const { code, message } = toComityError(error);
        if (code === 'internal') throw error;
        return { result: undefined, beside: `${code}: ${message}`, cachedSteps: 0 };
      }
    },
    async difference(panel) {
      const cached = await dashboard.ask(panel, true);
      const fresh = await dashboard.ask(panel, false);
      const where = JSON.stringify({ ...panel, nowMs: dashboard.nowMs });
      if (cached.beside !== fresh.beside) return `${where}\nfresh:  ${fresh.beside}\ncached: ${cached.beside}`;
      if (cached.result === undefined || fresh.result === undefined) return undefined;
      const difference = answerDifference(fresh.result, cached.result, false, () => 1e6);
      if (difference === undefined) return undefined;
      const { problem, expected, got } = difference;
      return `${where}\n${problem}\nfresh:  ${expected}\ncached: ${got}`;
    },
    async close() {
      for (const domain of domains) await domain.close();
    },
  };

  // What was before anybody looked.
  dashboard.nowMs -= 90 * MINUTE_MS;
  for (let tick = 0; tick < 90 * 4; tick++) {
    dashboard.nowMs += TICK_MS;
    for (const domain of domains) {
      domain.nowMs = dashboard.nowMs;
      await deliver(domain, []);
    }
  }
  return dashboard;
}

const FEATURES = { ...ALL_FEATURES, coverageFunction: true };

/** All streams but the paused ones deliver the samples of now. */
async function deliver(domain: SimulatedDomain, paused: readonly SimulatedStream[]): Promise<void> {
  const { nowMs, streams } = domain;
  for (const stream of paused) stream.missed.push(nowMs);
  const live = streams.filter((stream) => !paused.includes(stream));
  if (live.length === 0) return;
  await domain.append(
    (builder) => {
      for (const stream of live) fillSamples(builder, stream, nowMs);
    },
    { fromMs: nowMs, toMs: nowMs },
  );
  for (const stream of live) stream.lastMs = nowMs;
}

/** What goes wrong once in a while. */
async function disturb(domain: SimulatedDomain, random: Random, trouble: number): Promise<void> {
  const { nowMs } = domain;
  for (const stream of domain.streams) {
    if (!stream.isPaused && random.chance(0.02 * trouble)) stream.isPaused = true;
    else if (stream.isPaused && random.chance(0.12)) await comeBack(domain, stream, random.chance(0.7));
  }
  const stream = random.pick(domain.streams);
  if (random.chance(0.05 * trouble)) {
    const timeMs = nowMs - random.int(1, 60 * 60) * 1000 - 1;
    const nudge = random.int(1, 9);
    await domain.append((builder) => fillSamples(builder, stream, timeMs, nudge), { fromMs: timeMs, toMs: timeMs });
  }
  if (random.chance(0.02 * trouble)) {
    const fromMs = nowMs - random.int(1, 60) * MINUTE_MS;
    const __name__ = random.pick(['temperature', 'requests_total', 'sometimes', 'native']);
    const instance = stream.labels['instance']!;
    await domain.delete({ __name__, instance }, { fromMs, toMs: fromMs + random.int(0, 5) * MINUTE_MS });
  }
  if (random.chance(0.02 * trouble)) domain.restart(random.chance(0.3));
  if (random.chance(0.02 * trouble)) domain.setPolicy(random.pick(POLICIES));
  if (random.chance(0.01 * trouble)) await domain.retain(nowMs - random.int(30, 80) * MINUTE_MS);
  domain.silent = random.chance(domain.silent ? 0.5 : 0.01 * trouble);
  domain.tellsLate = !random.chance(domain.tellsLate ? 0.01 * trouble : 0.5);
}

/** A stream delivers again, and perhaps all that it has kept in the meantime. */
async function comeBack(domain: SimulatedDomain, stream: SimulatedStream, catchesUp: boolean): Promise<void> {
  stream.isPaused = false;
  const { missed } = stream;
  if (!catchesUp || missed.length === 0) return;
  const fromMs = Math.min(...missed);
  await domain.append(
    (builder) => {
      for (const timeMs of missed) fillSamples(builder, stream, timeMs);
    },
    { fromMs, toMs: Math.max(...missed) },
  );
  stream.missed = [];
}

const POLICIES: readonly (readonly object[])[] = [
  [{ match: '*', class: 'open' }],
  [
    { match: '*', class: 'open' },
    { match: 'nothing', class: 'sealed' },
  ],
  [
    { match: '*', class: 'open' },
    { match: 'sometimes', class: 'sealed' },
  ],
  [
    { match: '*', class: 'open' },
    { match: 'temperature', class: 'aggregate' },
  ],
];
