import { NO_ID, RELEASED, type Appended, type Batch, type SeriesHandle } from '../model/batch.ts';
import type { AppendStore } from './append-intake.ts';
import { neededLabels } from './router.ts';

/**
 * Appends to a store in this thread, without copying anything. Labels that the store needs are made again first, and those
 * that their owner can make again are let go afterwards. Throws as the store's `appendAll`, and `unavailable` where labels
 * are needed that are forgotten.
 */
export function appendHere(store: AppendStore, batches: readonly Batch[], settledUntilMs: number): readonly Appended[] {
  for (const { series } of batches) {
    for (const handle of series) {
      if (handle.labels === RELEASED && !store.knows(handle.ref, handle.id)) handle.labels = neededLabels(handle);
    }
  }
  const appended = store.appendAll(batches, settledUntilMs);
  for (const { series } of batches) releaseLabels(series);
  return appended;
}

/** Lets go of the labels of stored series that can be made again. */
export function releaseLabels(series: readonly SeriesHandle[]): void {
  for (const handle of series) {
    if (handle.owner !== undefined && handle.id !== NO_ID && handle.labels !== RELEASED) handle.labels = RELEASED;
  }
}
