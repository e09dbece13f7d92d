import { setTimeout as sleep } from 'node:timers/promises';
import { randomFrom } from '../random.ts';
import type { Options } from './options.ts';
import { deltaSender, sampleSender, spanSender, type CountModel, type SampleModel, type Sender } from './senders.ts';
import { verify, type Verdict } from './verify.ts';
import { makeVictim } from './victim.ts';

export interface Outcome extends Verdict {
  readonly kills: number;
  /** Kills that came before the agent was ready again: while it opened its store. */
  readonly whileStarting: number;
  readonly requests: number;
  readonly repeated: number;
}

/** Senders of each kind. */
const WORKERS = 2;

/** An agent works this long at most before it is killed. */
const WORK_MS_MAX = 1_000;

/** Of the kills, those that come while the agent opens its store, and how long such an agent lives at most. */
const STARTING_SHARE = 0.2;
const START_MS_MAX = 600;

const HOUR_MS = 3_600_000;

/** Kills an agent again and again under load, then asks it for everything. Throws when it cannot run. */
export async function runCrash(
  options: Pick<Options, 'kills' | 'seed' | 'fault'>,
  onProgress: (line: string) => void,
): Promise<Outcome> {
  const random = randomFrom(options.seed);
  const victim = await makeVictim(options.fault);
  try {
    const baseMs = Date.now() - HOUR_MS;
    const samples: SampleModel = { requests: [] };
    const counts: CountModel = { sums: [], observations: [], spans: [] };
    victim.start();
    await victim.ready();
    const senders: Sender[] = [];
    for (let worker = 0; worker < WORKERS; worker++) {
      senders.push(
        sampleSender(victim.ingestUrl, worker, baseMs, random.fork(worker * 3), samples),
        deltaSender(victim.ingestUrl, worker, baseMs, random.fork(worker * 3 + 1), counts),
        spanSender(victim.ingestUrl, worker, random.fork(worker * 3 + 2), counts),
      );
    }
    let failure: Error | undefined;
    const running = senders.map((sender) =>
      sender.run().catch((error: unknown) => {
        failure ??= error instanceof Error ? error : new Error(String(error));
      }),
    );
    let whileStarting = 0;
    for (let kill = 1; kill <= options.kills; kill++) {
      const early = random.chance(STARTING_SHARE);
      if (!early) await victim.ready();
      const lifeMs = random.int(0, early ? START_MS_MAX : WORK_MS_MAX);
      await sleep(lifeMs);
      await victim.kill();
      if (early) whileStarting++;
      if (failure !== undefined) throw failure;
      onProgress(
        `kill ${kill} of ${options.kills} ${lifeMs} ms after its ${early ? 'start' : 'readiness'}; ${acknowledged(senders)} requests acknowledged`,
      );
      victim.start();
    }
    await victim.ready();
    await sleep(WORK_MS_MAX / 2);
    for (const sender of senders) sender.stop();
    await Promise.all(running);
    if (failure !== undefined) throw failure;
    const verdict = await verify(victim.queryUrl, baseMs, samples, counts);
    return {
      ...verdict,
      kills: options.kills,
      whileStarting,
      requests: acknowledged(senders),
      repeated: senders.reduce((sum, sender) => sum + sender.repeated, 0),
    };
  } finally {
    await victim.remove();
  }
}

function acknowledged(senders: readonly Sender[]): number {
  return senders.reduce((sum, sender) => sum + sender.acknowledged, 0);
}
