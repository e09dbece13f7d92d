import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../random.ts';
import { agentProcess } from './agent-process.ts';
import { connect } from './client.ts';
import type { Look } from './model.ts';
import { lookAtAllRecent, lookAtDeleted, lookAtPast } from './random-look.ts';
import type { LookDeps } from './raw-look.ts';

/** Copies the store while it serves, and compares what an agent on the copy answers. */
export interface Copying {
  /** `exclusive` keeps deletions away meanwhile. */
  take(exclusive: (work: () => Promise<void>) => Promise<void>): Promise<Copy>;
  compare(copy: Copy): Promise<void>;
  /** Copies that were compared. */
  readonly count: number;
}

export interface Copy {
  readonly folder: string;
  /** The moments between which it was made. */
  readonly taken: Look;
}

/** Questions that are asked of a copy, of each kind. */
const LOOKS = 12;

export function copying({ client, model, report }: LookDeps, folder: string, shards: number, random: Random): Copying {
  let made = 0;
  let count = 0;
  return {
    async take(exclusive) {
      const to = join(folder, `copy-${++made}`);
      const start = model.now();
      let end = start;
      report.event(`copy ${made} begins`);
      try {
        await exclusive(async () => {
          await client.backup(to);
          end = model.now();
        });
      } catch (error) {
        report.event(`copy ${made} had no answer`);
        await rm(to, { recursive: true, force: true });
        throw error;
      }
      report.event(`copy ${made} is done`);
      return { folder: to, taken: { start, end } };
    },
    async compare({ folder: copy, taken }) {
      const agent = await agentProcess({ folder: `${copy}-agent`, store: copy, shards });
      const own = connect(agent.queryUrl, copy);
      try {
        agent.start();
        await agent.ready();
        const deps = { client: own, model, report };
        await lookAtAllRecent(deps, taken);
        for (let i = 0; i < LOOKS; i++) {
          await lookAtPast(deps, random, taken);
          await lookAtDeleted(deps, random, taken);
        }
        count++;
      } finally {
        await own.close();
        await agent.stop();
        await rm(copy, { recursive: true, force: true });
        await rm(`${copy}-agent`, { recursive: true, force: true });
      }
    },
    get count() {
      return count;
    },
  };
}
