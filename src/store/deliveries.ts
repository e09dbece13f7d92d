import { LIMITS } from '../base/limits.ts';
import type { Appended } from '../model/batch.ts';

type Rejected = Appended['rejected'];

/** The latest deliveries of rows that add, by their digests: one that comes again must not be added again. */
export interface Deliveries {
  /**
   * What of a delivery that was stored before was rejected, so that the sender learns of it when its first answer was lost;
   * undefined for a new one. After an open that is forgotten, and the map is empty.
   */
  find(digest: string): Rejected | undefined;
  /** Takes a new one in, provisionally. */
  stage(digest: string, rejected: Rejected): void;
  /** The digests of those. */
  readonly staged: Iterable<string>;
  commit(): void;
  discard(): void;
}

const NOTHING: Rejected = new Map();

/** `stored`: in the order in which they came. */
export function deliveryList(stored: Iterable<string>, capacity: number = LIMITS.deliveries): Deliveries {
  /** A map keeps the order of insertion. */
  const known = new Map<string, Rejected>();
  for (const digest of stored) known.set(digest, NOTHING);
  const staged = new Map<string, Rejected>();
  return {
    find: (digest) => known.get(digest) ?? staged.get(digest),
    stage: (digest, rejected) => void staged.set(digest, rejected.size === 0 ? NOTHING : rejected),
    get staged() {
      return staged.keys();
    },
    commit() {
      for (const [digest, rejected] of staged) known.set(digest, rejected);
      staged.clear();
      for (const digest of known.keys()) {
        if (known.size <= capacity) break;
        known.delete(digest);
      }
    },
    discard: () => staged.clear(),
  };
}
