import { toComityError } from '../base/errors.ts';
import type { StepGrid } from '../model/grid.ts';
import type { CoverageQuestion, CoverageRead, CoverageRun } from '../plan/frames/coverage-codec.ts';
import type { TimeRange } from '../plan/read-range.ts';
import { askVector } from './ask.ts';
import type { ServerClient, Until } from './client.ts';
import type { Engine, Server } from './server.ts';
import type { SourceState } from './streams.ts';

/** Times at which a server is asked for one question: their answer is about the steps from the last time on. */
const POINTS_MAX = 1_000;

/** Samples of `up` that one question may make a server read, as they are every 15 s. Past that it is asked at fewer times. */
const SAMPLES_MAX = 20_000_000;
const UP_INTERVAL_MS = 15_000;

/** In a shorter window there may be no scrape at all. */
const WINDOW_MS_MIN = 5 * 60_000;

/** What is true and answered: no answer may come from a cache of the server's. */
const SETTINGS = { nocache: '1', latency_offset: '1ms' };

interface AskedServer {
  readonly client: ServerClient;
  readonly engine: Engine;
}

/** Targets at one time. */
interface Targets {
  readonly expected: number;
  readonly missing: number;
}

/**
 * The targets that the server scrapes, over the steps of a question: a target counts as missing at a step if a scrape failed
 * in any time that the step reads, or if none was made. Whose metrics are read makes no difference. Steps are taken together
 * where each by itself would cost too much: then what one misses all of them do. Without targets, or while the server does
 * not answer, what is known of it now holds for all steps.
 */
export async function sourceCoverage(
  client: ServerClient,
  server: (until: Until) => Promise<Server>,
  { grid, reads }: CoverageQuestion,
  state: SourceState,
  until: Until,
): Promise<readonly CoverageRun[]> {
  try {
    const asked: AskedServer = { client, engine: (await server(until)).engine };
    const relative = hullOf(reads.filter(({ fixed }) => !fixed));
    const fixed = hullOf(reads.filter((read) => read.fixed));
    const [byStep, always] = await Promise.all([
      relative && targetRuns(asked, grid, relative, state.expected, until),
      fixed && targetRuns(asked, { startMs: 0, stepMs: 1, steps: 1 }, fixed, state.expected, until),
    ]);
    const beside = always?.[0];
    const runs = byStep ?? [{ steps: grid.steps, expected: 0, missing: 0 }];
    if (runs.every(({ expected }) => expected === 0) && (beside?.expected ?? 0) === 0) return knownNow(grid, state);
    return runs.map(({ steps, expected, missing }) => {
      const most = Math.max(expected, beside?.expected ?? 0);
      return { steps, expected: most, observed: most - Math.min(most, missing + (beside?.missing ?? 0)) };
    });
  } catch (error) {
    if (toComityError(error).code === 'canceled') throw error;
    return knownNow(grid, state);
  }
}

function knownNow({ steps }: StepGrid, { expected, observed }: SourceState): readonly CoverageRun[] {
  return [{ steps, expected, observed: Math.min(observed, expected) }];
}

async function targetRuns(
  { client, engine }: AskedServer,
  { startMs, stepMs, steps }: StepGrid,
  read: TimeRange,
  targets: number,
  until: Until,
): Promise<(Targets & { readonly steps: number })[]> {
  const window = (each: number): number => Math.max(WINDOW_MS_MIN, read.toMs - read.fromMs + 1) + (each - 1) * stepMs;
  const cost = (each: number): number =>
    Math.ceil(steps / each) * (window(each) / UP_INTERVAL_MS) * Math.max(1, targets);
  let each = Math.ceil(steps / POINTS_MAX);
  while (each < steps && cost(each) > SAMPLES_MAX) each = Math.min(steps, each * 2);

  const points = Math.ceil(steps / each);
  // A window ends with what the last of its steps reads.
  const times = { startMs: startMs + (each - 1) * stepMs + read.toMs, stepMs: each * stepMs, steps: points };
  const inWindow = `count(min by (job, instance) (min_over_time(up[${window(each)}ms])) == 1)`;
  // One that was scraped shortly before is awaited, unless a marker says that it is gone.
  const before =
    engine === 'prometheus' ? `up offset ${window(each)}ms` : `default_rollup(up[5m] offset ${window(each)}ms)`;
  const awaited = `count(count by (job, instance) (count_over_time(up[${window(each)}ms]) or ${before}))`;
  const ask = async (query: string): Promise<Float64Array> => {
    const { rows } = await askVector(client, query, times, SETTINGS, until);
    return rows[0]?.values ?? new Float64Array(points);
  };
  const [expected, observed] = await Promise.all([ask(awaited), ask(inWindow)]);
  return Array.from(expected, (count, at) => ({
    steps: Math.min(each, steps - at * each),
    expected: count,
    missing: Math.max(0, count - observed[at]!),
  }));
}

function hullOf(reads: readonly CoverageRead[]): TimeRange | undefined {
  if (reads.length === 0) return undefined;
  return {
    fromMs: Math.min(...reads.map(({ fromMs }) => fromMs)),
    toMs: Math.max(...reads.map(({ toMs }) => toMs)),
  };
}
