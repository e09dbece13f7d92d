import { randomBytes } from 'node:crypto';
import { KEY_CHARS_MAX } from './admit-values.ts';
import { ownCopy } from './name-forms.ts';

/** Where a key was seen. */
export type KeyPlace = 'resource' | 'scope' | 'span' | 'event' | 'link' | 'exemplar';

/** A key and how much is behind it; never a value. */
export interface SeenKey {
  readonly place: KeyPlace;
  readonly key: string;
  /** Times it was looked at, of all spans some. */
  readonly times: number;
  /** Distinct values among them, at most `VALUES_MAX`. */
  readonly values: number;
}

/** The keys that senders use, since the start, in bounded memory. */
export interface KeyInventory {
  seen(place: KeyPlace, key: string, value: string): void;
  /** By place, then by key. */
  all(): readonly SeenKey[];
  /** Looks at keys that there was no room for, or that are longer than any that means something. */
  readonly left: number;
}

/** Distinct values of a key that are told apart: past the 200 that a public one may have, more says nothing. */
export const VALUES_MAX = 256;

/** Keys of all places; the conventions have a thousand, of which a domain uses a tenth. */
const KEYS_MAX = 2_000;

/** Of a value; longer ones are told apart by their beginning and length. */
const HASHED_CHARS = 256;

export function keyInventory(): KeyInventory {
  const keys = new Map<string, { place: KeyPlace; key: string; times: number; values: Set<number> }>();
  // Another one in each process, so that the numbers say nothing of the values.
  const seed = randomBytes(4).readUInt32LE();
  let left = 0;
  return {
    seen(place, key, value) {
      if (key.length > KEY_CHARS_MAX) {
        left++;
        return;
      }
      const name = `${place}\n${key}`;
      let entry = keys.get(name);
      if (entry === undefined) {
        if (keys.size >= KEYS_MAX) {
          left++;
          return;
        }
        keys.set(ownCopy(name), (entry = { place, key: ownCopy(key), times: 0, values: new Set() }));
      }
      entry.times++;
      if (entry.values.size < VALUES_MAX) entry.values.add(hash(value, seed));
    },
    all: () =>
      [...keys]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { place, key, times, values }]) => ({ place, key, times, values: values.size })),
    get left() {
      return left;
    },
  };
}

/** FNV-1a over UTF-16 units from a seed. Two of 256 values meet with a probability below one in 100,000. */
function hash(text: string, seed: number): number {
  let state = (seed ^ text.length) >>> 0;
  const end = Math.min(text.length, HASHED_CHARS);
  for (let i = 0; i < end; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return state;
}
