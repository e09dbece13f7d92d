import { NO_ID, RELEASED, type Appended, type Batch, type SeriesHandle } from '../model/batch.ts';
import type { Store } from '../store/store.ts';

/**
 * Appends to a store in this thread, without copying anything, and lets go of labels that can be made again. Throws as the
 * store's `appendAll`.
 */
export function appendHere(
  store: Pick<Store, 'appendAll'>,
  batches: readonly Batch[],
  settledUntilMs: number,
): readonly Appended[] {
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
