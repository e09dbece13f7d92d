import type { Canaries } from './canaries.ts';
import { search, type Finding } from './search.ts';

/** A canary in something that crossed the border. */
export interface Leak extends Finding {
  readonly where: string;
}

/** What crossed the border, searched as it comes. */
export interface Crossings {
  crossed(where: string, bytes: Uint8Array): void;
  /** What was found since the last time. */
  takeLeaks(): readonly Leak[];
  readonly messages: number;
  readonly bytes: number;
}

export function crossings(canaries: Canaries): Crossings {
  let leaks: Leak[] = [];
  let [messages, total] = [0, 0];
  return {
    crossed(where, bytes) {
      messages++;
      total += bytes.length;
      for (const finding of search(bytes, canaries)) leaks.push({ ...finding, where });
    },
    takeLeaks() {
      const taken = leaks;
      leaks = [];
      return taken;
    },
    get messages() {
      return messages;
    },
    get bytes() {
      return total;
    },
  };
}
