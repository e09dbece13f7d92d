import type { Store } from '../store/store.ts';
import type { Shard } from './shard.ts';

/** What operators do to a store, by name. */
export type Upkeep = Pick<Shard, 'delete' | 'deletions' | 'compact' | 'backup'>;

/** The upkeep of a store in this thread. */
export function storeUpkeep(store: Store): Upkeep {
  return {
    delete: async (matchers, fromMs, toMs) => store.delete(matchers, fromMs, toMs),
    deletions: async () => store.deletions(),
    compact: () => store.compact(),
    backup: (folder) => store.backup(folder),
  };
}
