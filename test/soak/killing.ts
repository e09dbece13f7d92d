import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.ts';
import type { AgentProcess } from './agent-process.ts';
import { NoAnswer } from './client.ts';
import type { Compacting } from './compacting.ts';
import { lookAtAllRecent } from './random-look.ts';
import type { LookDeps } from './raw-look.ts';

/** The agent does not come up again, or has ended by itself. */
export class AgentLost extends Error {}

/** Kills the agent and starts it again. */
export interface Killing {
  start(): Promise<void>;
  /** At once or with the next compaction under way; some of the agents that are started again are killed before they serve. */
  kill(): Promise<void>;
  /** Once more, at once. */
  restart(): Promise<void>;
  readonly count: number;
  /** Whether the agent serves. */
  readonly isUp: boolean;
  /** Of all starts that came to readiness. */
  readyMs(): { readonly min: number; readonly median: number; readonly max: number };
}

/** Of the kills, those that come while it compacts, and those of an agent that is starting. */
const COMPACTING_SHARE = 0.4;
const STARTING_SHARE = 0.2;

/** A compaction is waited for so long, and the kill comes within this time of its begin. */
const WAIT_MS = 4_000;
const INTO_MS = 200;
const START_MS_MAX = 600;

const READY_KEPT = 10_000;

export function killing(deps: LookDeps, agent: AgentProcess, compactions: Compacting, random: Random): Killing {
  const { report } = deps;
  const readyMs: number[] = [];
  let count = 0;
  let isUp = false;

  async function killNow(why: string): Promise<void> {
    isUp = false;
    await agent.kill();
    count++;
    report.event(`kill ${count}${why}`);
  }

  async function start(): Promise<void> {
    const startedMs = performance.now();
    agent.start();
    try {
      await agent.ready();
    } catch (error) {
      throw new AgentLost(error instanceof Error ? error.message : String(error));
    }
    if (readyMs.length < READY_KEPT) readyMs.push(performance.now() - startedMs);
    isUp = true;
    report.event('ready');
  }

  return {
    start,
    async kill() {
      let why = '';
      if (random.chance(COMPACTING_SHARE)) {
        const dueMs = performance.now() + WAIT_MS;
        while (!compactions.isUnderWay && performance.now() < dueMs) await sleep(5);
        if (compactions.isUnderWay) why = ' in a compaction';
        await sleep(random.int(0, INTO_MS));
      }
      await killNow(why);
      while (random.chance(STARTING_SHARE)) {
        agent.start();
        await sleep(random.int(0, START_MS_MAX));
        await killNow(' while it starts');
      }
      await start();
      await lookAtAllRecent(deps).catch((error: unknown) => {
        if (!(error instanceof NoAnswer)) throw error;
      });
    },
    async restart() {
      await killNow('');
      await start();
    },
    get count() {
      return count;
    },
    get isUp() {
      return isUp;
    },
    readyMs() {
      const sorted = readyMs.toSorted((a, b) => a - b);
      return { min: sorted[0]!, median: sorted[sorted.length >> 1]!, max: sorted.at(-1)! };
    },
  };
}
