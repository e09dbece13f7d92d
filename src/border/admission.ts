import type { Used } from '../engine/usage.ts';

/** What a request is going to take of the agent. */
export interface Claim {
  /** See `costOf`. */
  readonly cost: number;
  /** Of the answer, at the most. */
  readonly bytes: number;
  /** When whoever asks gives up, in ms since the epoch. */
  readonly deadlineMs: number;
}

/** The right to work on a request, to be given back whatever becomes of it. */
export interface Permit {
  /** The work is done: what it has taken, and how long the answer is. */
  done(cost: number, bytes: number): void;
}

/**
 * Lets requests in as there is room for them. Fails with `overloaded` when that takes too long, with `limit` where there is
 * never room enough, and with `canceled` when `signal` says so.
 */
export type Admit = (claim: Claim, signal: AbortSignal) => Promise<Permit>;

/** Of an evaluation: the stored samples that are read, and the cells (series x steps) that are computed. */
export function costOf({ samples, cells }: Pick<Used, 'samples' | 'cells'>): number {
  return samples + cells;
}

/** A request up to this is light: some tens of milliseconds of work. */
export const LIGHT_COST = 1_000_000;
