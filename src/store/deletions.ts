import type { HeadDb, HeadWriter, TombstoneRow } from './head-db.ts';
import { BASE_IS_HISTOGRAM, ENDS_STALE, LAST_DELETED, mayOverlap, type Head } from './head.ts';
import { changePage, pageOf, type HeadEnds } from './state-page.ts';
import type { Tombstones } from './tombstones.ts';

/** What a deletion has come to. It says nothing of what it matched, which could be personal. */
export interface Deletion {
  readonly id: number;
  readonly series: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Hidden from all reading at once; erased from the files by the next compaction. */
  readonly state: 'hidden' | 'erased';
}

/**
 * Hides the samples and exemplars in [fromMs, toMs] of some series, as far as they are stored under generations up to this one.
 * `hasExemplars`: whether a series has some there. Durable when it returns.
 */
export function hide(
  { head, headDb, tombstones }: { head: Head; headDb: HeadDb; tombstones: Tombstones },
  refs: Iterable<number>,
  hasExemplars: (ref: number) => boolean,
  { fromMs, toMs, generation, nowMs }: { fromMs: number; toMs: number; generation: number; nowMs: number },
): { readonly deletion: Deletion; readonly refs: readonly number[] } {
  const touched = [...refs].filter((ref) => mayOverlap(head, ref, fromMs, toMs) || hasExemplars(ref));
  // SQLite has no infinities that survive a comparison in JSON or a report.
  const range = { fromMs: Math.max(fromMs, -MOST_MS), toMs: Math.min(toMs, MOST_MS) };
  const rows = touched.map((ref) => ({ seriesId: head.ids[ref]!, ...range, generation }));
  let id = 0;
  headDb.write((writer) => {
    id = writer.addDeletion({ atMs: nowMs, series: touched.length, ...range }, rows);
    for (const { seriesId } of rows) writer.removeExemplars(seriesId, fromMs, toMs);
    forgetStored(headDb, writer, new Set(rows.map(({ seriesId }) => seriesId)), range);
  });
  for (const [i, ref] of touched.entries()) {
    tombstones.add(ref, { ...rows[i]!, deletionId: id });
    forgetLast(head, ref, rows[i]!);
  }
  return { deletion: { id, series: touched.length, ...range, state: 'hidden' }, refs: touched };
}

/** The same for the states that are on disk. */
function forgetStored(
  headDb: HeadDb,
  writer: HeadWriter,
  ids: ReadonlySet<number>,
  range: Pick<TombstoneRow, 'fromMs' | 'toMs'>,
): void {
  for (const page of new Set([...ids].map(pageOf))) {
    const body = headDb.state(page);
    const changed =
      body &&
      changePage(body, (ends, row) => (ids.has(ends.ids[row]!) && forgetLast(ends, row, range) ? 'changed' : 'same'));
    if (changed !== undefined) writer.putState(page, changed);
  }
}

export function deletionsIn(headDb: HeadDb): readonly Deletion[] {
  return headDb.deletions().map(({ id, series, fromMs, toMs, erasedMs }) => {
    return { id, series, fromMs, toMs, state: erasedMs === null ? 'hidden' : 'erased' };
  });
}

/**
 * The last value is known beside the samples; where it is deleted, additions start from zero. Behind a staleness marker nobody
 * knows when that value was, so that any deletion up to there may be of it. Returns whether anything has changed.
 */
export function forgetLast(
  ends: HeadEnds,
  at: number,
  { fromMs, toMs }: Pick<TombstoneRow, 'fromMs' | 'toMs'>,
): boolean {
  const lastMs = ends.lastTimes[at]!;
  const flags = ends.flags[at]!;
  if (lastMs === Number.NEGATIVE_INFINITY || lastMs < fromMs) return false;
  if (lastMs > toMs && (flags & ENDS_STALE) === 0) return false;
  ends.bases[at] = 0;
  ends.flags[at] =
    lastMs > toMs ? flags & ~BASE_IS_HISTOGRAM : (flags & ~(ENDS_STALE | BASE_IS_HISTOGRAM)) | LAST_DELETED;
  return true;
}

/** The latest time that there is. */
const MOST_MS = 8.64e15;
