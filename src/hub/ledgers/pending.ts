import type { SignedRoot } from '../witness-db.ts';
import { isSame } from './witness.ts';

/**
 * States of one log that a hub has seen and that are not yet known to belong together. Bounded: past the bound any of them
 * goes, so that whoever shows the hub two logs cannot tell which of the two it will forget.
 */
export interface Pending {
  readonly count: number;
  /** Keeps a state; gives another one of the same size that was there, which is a fork. */
  add(state: SignedRoot): SignedRoot | undefined;
  get(size: number): SignedRoot | undefined;
  /** The lowest sizes, ascending. */
  sizes(most: number): readonly number[];
  remove(size: number): void;
  clear(): void;
}

export function openPending(statesMax: number, onDropped: () => void): Pending {
  const states = new Map<number, SignedRoot>();
  return {
    get count() {
      return states.size;
    },
    add(state) {
      const before = states.get(state.size);
      if (before !== undefined) return isSame(before, state) ? undefined : before;
      if (states.size >= statesMax) {
        const sizes = [...states.keys()];
        states.delete(sizes[Math.floor(Math.random() * sizes.length)]!);
        onDropped();
      }
      states.set(state.size, state);
      return undefined;
    },
    get: (size) => states.get(size),
    sizes: (most) => [...states.keys()].sort((a, b) => a - b).slice(0, most),
    remove: (size) => void states.delete(size),
    clear: () => states.clear(),
  };
}
