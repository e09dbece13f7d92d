import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { FAR_MS, NoAnswer } from './client.ts';
import type { Ingest } from './ingest.ts';
import { selectorOf, type Selection } from './model.ts';
import { lookForSeries } from './random-look.ts';
import type { LookDeps } from './raw-look.ts';
import { BUCKETS, isDelta, KINDS, type Kind } from './schedule.ts';

/** Deletes some of the samples again and again. */
export interface Deleting {
  /** A random deletion; asked for again until it is known to be done. */
  remove(): Promise<void>;
  /** The greatest life of each slot up to which all series are deleted whole; -1 where there is none. */
  gone(): Int32Array;
}

interface Wanted {
  readonly selection: Selection;
  readonly fromMs: number;
  readonly toMs: number;
  /** Whether samples that it means may be on their way, so that it has to be done between two rounds. */
  readonly isRecent: boolean;
}

/** Lives of a slot that are deleted at once. */
const LIVES_AT_ONCE = 4;

/** What may be sent late as it is: an addition's value depends on the last sample before it. */
const SET_KINDS: readonly Kind[] = KINDS.filter((kind) => !isDelta(kind));

const RETRY_MS = 50;

export function deleting(deps: LookDeps, ingest: Ingest, random: Random): Deleting {
  const { client, model, report } = deps;
  const { schedule } = model;
  const first = schedule.lasting[0]!;
  const gone = new Int32Array(schedule.slots).fill(-1);

  /** All that was sent for rounds up to this one is acknowledged. */
  function settledRound(): number {
    return Math.min(...model.acknowledged) - schedule.delayMax - 2;
  }

  /** A random range of times that is settled. */
  function old(): Wanted | undefined {
    const settled = settledRound();
    if (settled < 4) return undefined;
    const toMs = schedule.timeOf(first, random.int(1, settled)) + random.int(0, schedule.stepMs / 2);
    // Short ones mostly, or soon nothing would be left.
    const rounds = Math.ceil(random.next() ** 3 * Math.min(settled, 1_000));
    const selection = { kinds: kindsFrom(KINDS), buckets: random.subset(allBuckets(), 0.35) };
    if (selection.buckets.length === 0) selection.buckets.push(random.int(0, BUCKETS - 1));
    return { selection, fromMs: toMs - rounds * schedule.stepMs, toMs, isRecent: false };
  }

  /** Up to the present or beyond it; what comes later for the same time stays. */
  function recent(): Wanted {
    const fromMs = schedule.timeOf(first, model.attempted) - random.int(0, 2 * schedule.delayMax * schedule.stepMs);
    const toMs = random.chance(0.5) ? FAR_MS : fromMs + random.int(1, schedule.delayMax) * schedule.stepMs;
    return {
      selection: { kinds: kindsFrom(SET_KINDS), buckets: [random.int(0, BUCKETS - 1)] },
      fromMs,
      toMs,
      isRecent: true,
    };
  }

  /** All that there is of a series that goes on. */
  function whole(): Wanted {
    const { kind, key } = random.pick(schedule.lasting.filter((series) => !isDelta(series.kind)));
    return { selection: { kinds: [kind], key }, fromMs: 0, toMs: FAR_MS, isRecent: true };
  }

  /** All that there is of series which have ended. */
  function ended(): Wanted | undefined {
    const settled = settledRound();
    const slot = random.int(0, schedule.slots - 1);
    const lives: number[] = [];
    for (let life = gone[slot]! + 1; lives.length < LIVES_AT_ONCE; life++) {
      if (lifeEnd(slot, life) >= settled) break;
      lives.push(life);
    }
    if (lives.length === 0) return undefined;
    return { selection: { kinds: ['churn'], ended: { slot, lives } }, fromMs: 0, toMs: FAR_MS, isRecent: false };
  }

  function lifeEnd(slot: number, life: number): number {
    return schedule.inSlot(slot, 0).lastRound + life * schedule.life;
  }

  function kindsFrom(kinds: readonly Kind[]): readonly Kind[] {
    const some = random.subset(kinds, 0.3);
    return some.length === 0 ? [random.pick(kinds)] : some;
  }

  async function removeNow({ selection, fromMs, toMs }: Wanted): Promise<void> {
    const selector = selectorOf(selection);
    const deletion = model.beginDeletion({ selection, fromMs, toMs });
    const number = model.deletions.length - 1;
    report.event(`deletion ${number} begins: ${selector} from ${fromMs} to ${toMs}, sent up to round ${deletion.cut}`);
    for (;;) {
      try {
        const { series } = await client.remove(selector, fromMs, toMs);
        report.event(`deletion ${number} is done: ${series} series`);
        break;
      } catch (error) {
        if (!(error instanceof NoAnswer)) {
          // Refused, so nothing is deleted.
          deletion.cut = -2;
          deletion.isDone = true;
          throw error;
        }
        report.event(`deletion ${number} had no answer`);
        await sleep(RETRY_MS);
      }
    }
    deletion.isDone = true;
    if (selection.ended === undefined) return;
    const { slot, lives } = selection.ended;
    gone[slot] = Math.max(gone[slot]!, lives.at(-1)!);
    await lookForSeries(deps, selection).catch((error: unknown) => {
      if (!(error instanceof NoAnswer)) throw error;
    });
  }

  return {
    async remove() {
      const wanted = random.weighted<() => Wanted | undefined>([
        [3, old],
        [3, recent],
        [1, whole],
        [3, ended],
      ])();
      if (wanted === undefined) return;
      // The time of a recent one is that of the round which ends.
      if (wanted.isRecent) await ingest.between(() => removeNow(wanted));
      else await removeNow(wanted);
    },
    gone: () => gone.slice(),
  };
}

function allBuckets(): number[] {
  return [...Array(BUCKETS).keys()];
}
