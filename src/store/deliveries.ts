import { LIMITS } from '../base/limits.ts';

/** The latest deliveries of rows that add, by their digests: one that comes again must not be added again. */
export interface Deliveries {
  has(digest: string): boolean;
  /** Takes a new one in, provisionally. */
  stage(digest: string): void;
  readonly staged: Iterable<string>;
  commit(): void;
  discard(): void;
}

/** `stored`: in the order in which they came. */
export function deliveryList(stored: Iterable<string>, capacity: number = LIMITS.deliveries): Deliveries {
  /** A set keeps the order of insertion. */
  const known = new Set<string>(stored);
  const staged = new Set<string>();
  return {
    has: (digest) => known.has(digest) || staged.has(digest),
    stage: (digest) => void staged.add(digest),
    staged,
    commit() {
      for (const digest of staged) known.add(digest);
      staged.clear();
      for (const digest of known) {
        if (known.size <= capacity) break;
        known.delete(digest);
      }
    },
    discard: () => staged.clear(),
  };
}
