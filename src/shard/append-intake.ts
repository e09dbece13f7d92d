import { NO_ID, type Appended, type Batch, type SeriesHandle } from '../model/batch.ts';
import { unpackBatches, type AppendMessage, type AppendReply } from './append-message.ts';

/** What appends need of a store. */
export interface AppendStore {
  appendAll(batches: readonly Batch[], settledUntilMs: number): readonly Appended[];
  /** Whether the reference is still that of the series with this id. */
  knows(ref: number, id: number): boolean;
}

/** Handles that are kept from one message to the next: those of a few batches. */
const POOL_MAX = 64 * 1024;

/** The worker's end of appends: appends what a message holds. Throws as the store's `appendAll`. */
export function appendIntake(store: AppendStore): (message: AppendMessage) => AppendReply {
  let pool: SeriesHandle[] = [];
  return (message) => {
    const gone = goneSeries(store, message);
    if (gone.length > 0) return { gone };
    const { batches, fresh } = unpackBatches(message, pool);
    if (pool.length > POOL_MAX) pool = [];
    const appended = store.appendAll(batches, message.settledUntilMs);
    const refs = Int32Array.from(fresh, ({ ref }) => ref);
    const ids = Float64Array.from(fresh, ({ id }) => id);
    return { appended, refs, ids };
  };
}

function goneSeries(store: AppendStore, { batches }: AppendMessage): Float64Array {
  const gone: number[] = [];
  for (const { refs, ids } of batches) {
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (id !== NO_ID && !store.knows(refs[i]!, id)) gone.push(id);
    }
  }
  return Float64Array.from(gone);
}
