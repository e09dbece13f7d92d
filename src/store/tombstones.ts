import { HAS_TOMBSTONES, type Head } from './head.ts';
import type { TombstoneRow } from './head-db.ts';
import { withoutRange, type RunColumns } from './run.ts';

/** What deletions hide of each series, until it is gone from the files. */
export interface Tombstones {
  add(ref: number, tombstone: TombstoneRow): void;
  /** The samples of a run that are not hidden, in as many parts as that makes. */
  visible(ref: number, run: RunColumns): readonly RunColumns[];
  /** Whether what is stored at a time, under a generation, is hidden. */
  hides(ref: number, timeMs: number, generation: number): boolean;
  of(ref: number): readonly TombstoneRow[];
  /** The series that have some. */
  refs(): Iterable<number>;
  readonly size: number;
  removeDeletions(ids: ReadonlySet<number>): void;
  removeSeries(ref: number): void;
}

const NONE: readonly TombstoneRow[] = [];

export function tombstones(head: Head): Tombstones {
  const hidden = new Map<number, TombstoneRow[]>();

  return {
    add(ref, tombstone) {
      const known = hidden.get(ref);
      if (known === undefined) hidden.set(ref, [tombstone]);
      else known.push(tombstone);
      head.flags[ref]! |= HAS_TOMBSTONES;
    },
    visible(ref, run) {
      if ((head.flags[ref]! & HAS_TOMBSTONES) === 0) return [run];
      let parts: readonly RunColumns[] = [run];
      for (const { fromMs, toMs, generation } of hidden.get(ref) ?? NONE) {
        if (run.generation <= generation) parts = parts.flatMap((part) => withoutRange(part, fromMs, toMs));
      }
      return parts;
    },
    hides: (ref, timeMs, generation) =>
      (hidden.get(ref) ?? NONE).some(
        (one) => generation <= one.generation && one.fromMs <= timeMs && timeMs <= one.toMs,
      ),
    of: (ref) => hidden.get(ref) ?? NONE,
    refs: () => hidden.keys(),
    get size() {
      return hidden.size;
    },
    removeDeletions(ids) {
      for (const [ref, list] of hidden) {
        const left = list.filter(({ deletionId }) => !ids.has(deletionId));
        if (left.length > 0) hidden.set(ref, left);
        else remove(ref);
      }
    },
    removeSeries: remove,
  };

  function remove(ref: number): void {
    hidden.delete(ref);
    head.flags[ref]! &= ~HAS_TOMBSTONES;
  }
}
