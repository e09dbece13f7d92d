import { NoAnswer } from './client.ts';
import type { Deleting } from './deleting.ts';
import { searchFiles } from './file-search.ts';
import type { LookDeps } from './raw-look.ts';
import { canaryPrefix } from './schedule.ts';

/** Compacts the store, and looks whether what was deleted is gone from its files. */
export interface Compacting {
  compact(): Promise<void>;
  /** Searches the files for the labels of series that must be gone: of each slot those up to a life. */
  searchFiles(gone: Int32Array): Promise<void>;
  /** Those that were answered. */
  readonly count: number;
  readonly samplesErased: number;
  readonly isUnderWay: boolean;
}

/** Series that come and go are numbered from here on. */
const FIRST_NUMBER = 1_000_000;

export function compacting({ client, model, report }: LookDeps, removals: Deleting, store: string): Compacting {
  let count = 0;
  let samplesErased = 0;
  let underWay = 0;

  async function search(gone: Int32Array): Promise<void> {
    const { seed, slots } = model.schedule;
    const prefix = canaryPrefix(seed);
    for await (const { file, offset, number } of searchFiles(store, prefix)) {
      const life = Math.floor((number - FIRST_NUMBER) / slots);
      const slot = (number - FIRST_NUMBER) % slots;
      if (life > gone[slot]!) continue;
      report.mismatch({
        series: `soak_churn{series="c${slot}-${life}"}`,
        expected: 'none of its labels in any file',
        got: `${prefix}${number} at byte ${offset} of ${file.slice(store.length + 1)}`,
        question: 'the bytes of all files, after it was deleted whole and a compaction',
      });
    }
    report.compared(1);
  }

  return {
    async compact() {
      // What is hidden now must be gone then.
      const gone = removals.gone();
      const hidden = await client.deletions();
      underWay++;
      report.event('compaction begins');
      try {
        const done = await client.compact();
        samplesErased += done.samplesErased;
        report.event(`compaction is done: ${done.chunksMerged} chunks, ${done.samplesErased} samples erased`);
      } catch (error) {
        if (error instanceof NoAnswer) report.event('compaction had no answer');
        throw error;
      } finally {
        underWay--;
      }
      count++;
      await search(gone);
      const states = new Map((await client.deletions()).map(({ shard, id, state }) => [`${shard}/${id}`, state]));
      for (const { shard, id } of hidden) {
        const state = states.get(`${shard}/${id}`) ?? 'erased';
        if (state === 'erased') continue;
        const series = `deletion ${id} of shard ${shard}`;
        report.mismatch({ series, expected: 'erased', got: state, question: 'deletions, after a compaction' });
      }
    },
    searchFiles: search,
    get count() {
      return count;
    },
    get samplesErased() {
      return samplesErased;
    },
    get isUnderWay() {
      return underWay > 0;
    },
  };
}
