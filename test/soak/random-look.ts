import type { Random } from '../random.ts';
import { lookAtExpression } from './expression-look.ts';
import { selectorOf, type Look, type Model, type Selection } from './model.ts';
import { lookAtSamples, type LookDeps } from './raw-look.ts';
import { BUCKETS, KINDS, type Kind } from './schedule.ts';

/** Samples that a question of the final sweep is about, at most. */
const SWEEP_SAMPLES = 100_000;

/** Rounds that a random question for raw samples is about, at most. */
const ROUNDS_MAX = 160;

/** Asks a random question and compares the answer. */
export async function lookAnywhere(deps: LookDeps, random: Random): Promise<void> {
  await random.weighted([
    [4, () => lookAtExpression(deps, random)],
    [2, () => lookAtRecent(deps, randomSelection(random))],
    [2, () => lookAtPast(deps, random)],
    [3, () => lookAtDeleted(deps, random)],
  ])();
}

/** What came last, which is in memory and in write-ahead logs. */
async function lookAtRecent({ model, ...deps }: LookDeps, selection: Selection, taken?: Look): Promise<void> {
  const { schedule } = model;
  const first = schedule.lasting[0]!;
  const toMs = schedule.timeOf(first, (taken?.end.attempted ?? model.attempted) + 2);
  await lookAtSamples({ model, ...deps }, selection, toMs - 2 * schedule.delayMax * schedule.stepMs, toMs, taken);
}

/** The same for everything. */
export async function lookAtAllRecent(deps: LookDeps, taken?: Look): Promise<void> {
  for (const kind of KINDS) await lookAtRecent(deps, { kinds: [kind] }, taken);
}

/** Any time since the beginning. */
export async function lookAtPast(deps: LookDeps, random: Random, taken?: Look): Promise<void> {
  const { schedule, attempted } = deps.model;
  const first = schedule.lasting[0]!;
  const toMs = schedule.timeOf(first, random.int(0, attempted + 1)) + random.int(0, schedule.stepMs);
  const fromMs = toMs - random.int(1, ROUNDS_MAX) * schedule.stepMs;
  await lookAtSamples(deps, randomSelection(random), fromMs, toMs, taken);
}

/** The edges and the inside of what was deleted, for samples that should not be there and for neighbours that should. */
export async function lookAtDeleted(deps: LookDeps, random: Random, taken?: Look): Promise<void> {
  const { schedule, deletions, attempted } = deps.model;
  if (deletions.length === 0) return;
  const low = random.chance(0.5) ? Math.max(0, deletions.length - 8) : 0;
  const { selection, fromMs, toMs } = deletions[random.int(low, deletions.length - 1)]!;
  const first = schedule.lasting[0]!;
  const begin = Math.max(fromMs, schedule.timeOf(first, 0));
  const end = Math.min(toMs, schedule.timeOf(first, attempted + 1));
  const middle = random.pick([begin, end, random.float(begin, Math.max(begin, end))]);
  const half = (random.int(2, ROUNDS_MAX) * schedule.stepMs) / 2;
  const asked = { ...selection, kinds: [random.pick(selection.kinds)] };
  await lookAtSamples(deps, asked, Math.floor(middle - half), Math.floor(middle + half), taken);
}

/** Everything that was ever sent. */
export async function sweep(deps: LookDeps): Promise<void> {
  const { schedule, attempted } = deps.model;
  const first = schedule.lasting[0]!;
  for (const kind of KINDS) {
    const series = kind === 'churn' ? schedule.slots * 2 : countOf(deps.model, kind);
    const rounds = Math.max(1, Math.floor(SWEEP_SAMPLES / series));
    for (let round = -1; round <= attempted; round += rounds) {
      const fromMs = schedule.timeOf(first, 0) + (round - 1) * schedule.stepMs;
      await lookAtSamples(deps, { kinds: [kind] }, fromMs, fromMs + (rounds + 1) * schedule.stepMs);
    }
  }
}

/** Asks for the label sets of series of which nothing is left. */
export async function lookForSeries({ client, report }: LookDeps, selection: Selection): Promise<void> {
  const selector = selectorOf(selection);
  const found = await client.seriesOf(selector);
  report.compared(1);
  for (const metric of found) {
    const series = JSON.stringify(metric);
    report.mismatch({ series, expected: 'no such series', got: 'its labels', question: `series ${selector}` });
  }
}

function randomSelection(random: Random): Selection {
  return { kinds: [random.pick(KINDS)], buckets: random.chance(0.6) ? [random.int(0, BUCKETS - 1)] : undefined };
}

function countOf({ schedule }: Model, kind: Kind): number {
  return schedule.lasting.filter((series) => series.kind === kind).length;
}
