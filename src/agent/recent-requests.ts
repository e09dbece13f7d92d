import { crc32 } from 'node:zlib';

/**
 * The latest requests that were stored whole, so that one that comes again (its answer was lost) is known. The store by
 * itself knows again only the last sample of each series, and says of the ones before it that they are out of order.
 */
export interface RecentRequests {
  /** Notes a request of which everything was stored. */
  add(kind: string, body: Uint8Array): void;
  /** Whether such a request had these bytes. Two different ones look the same once in 2^32 times at most. */
  has(kind: string, body: Uint8Array): boolean;
}

/** Many more than all senders of an agent have under way at once, at some 80 bytes each. */
const CAPACITY = 10_000;

/** `capacity` is as above, but for tests. */
export function recentRequests(capacity: number = CAPACITY): RecentRequests {
  /** A set keeps the order of insertion. */
  const known = new Set<string>();
  return {
    add(kind, body) {
      const print = fingerprint(kind, body);
      known.delete(print);
      known.add(print);
      if (known.size <= capacity) return;
      for (const oldest of known) {
        known.delete(oldest);
        break;
      }
    },
    has: (kind, body) => known.has(fingerprint(kind, body)),
  };
}

/** A checksum is enough, at a seventh of a digest's time: a sender who finds two alike fools nobody but itself. */
function fingerprint(kind: string, body: Uint8Array): string {
  return `${kind} ${body.length} ${crc32(body)}`;
}
