import type { LateInterval } from '../model/batch.ts';

/** A time in which samples changed behind a watermark that was told. Times in ms, both included. */
export interface LateEntry extends LateInterval {
  /** When, among all such changes: ascending, and never used again. */
  readonly sequence: number;
}

/**
 * Entries that are kept. A sender that lags while somebody asks all the time makes one a minute, so that they tell 17 hours
 * apart; past that, and for ever, their neighbours are told together.
 */
export const LATE_ENTRIES_MAX = 1_024;

/** Changes that are not farther apart are told as one. */
const MINUTE_MS = 60_000;

/** The latest time that there is, and with the sign turned the earliest. */
const MOST_MS = 8.64e15;

/**
 * An interval in whole minutes: then what a sender that lags brings next mostly lies in an interval that is known. Takes
 * infinite times.
 */
export function wholeMinutes({ fromMs, toMs }: LateInterval): LateInterval {
  const from = Math.max(fromMs, -MOST_MS);
  const to = Math.min(toMs, MOST_MS);
  return {
    fromMs: Math.floor(from / MINUTE_MS) * MINUTE_MS,
    toMs: Math.floor(to / MINUTE_MS) * MINUTE_MS + MINUTE_MS - 1,
  };
}

/** The smallest interval that holds both. */
export function hull(a: LateInterval | undefined, b: LateInterval | undefined): LateInterval | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { fromMs: Math.min(a.fromMs, b.fromMs), toMs: Math.max(a.toMs, b.toMs) };
}

export function holds(outer: LateInterval | undefined, { fromMs, toMs }: LateInterval): boolean {
  return outer !== undefined && outer.fromMs <= fromMs && outer.toMs >= toMs;
}

/**
 * The entries with an interval more. They are in order of time and share none, so that each time bears the number of its
 * last change: of older entries that part goes which the new one says again. It becomes one with entries after
 * `knownSequence` that it touches, which nobody has heard of; joined with an older one, what is known already would be said
 * again with every change. Past their bound the two that are nearest in time become one, with the later number of both:
 * whoever knows only the earlier one is told of both again.
 */
export function withLate(entries: readonly LateEntry[], added: LateEntry, knownSequence: number): LateEntry[] {
  let joined = added;
  for (let grown = true; grown;) {
    grown = false;
    for (const entry of entries) {
      if (entry.sequence <= knownSequence || !touches(entry, joined) || holds(joined, entry)) continue;
      joined = { ...hull(entry, joined)!, sequence: added.sequence };
      grown = true;
    }
  }
  const before: LateEntry[] = [];
  const after: LateEntry[] = [];
  for (const entry of entries) {
    const isApart = entry.toMs < joined.fromMs || entry.fromMs > joined.toMs;
    if (entry.fromMs < joined.fromMs) before.push(isApart ? entry : { ...entry, toMs: joined.fromMs - 1 });
    if (entry.toMs > joined.toMs) after.push(isApart ? entry : { ...entry, fromMs: joined.toMs + 1 });
  }
  const all = [...before, joined, ...after];
  while (all.length > LATE_ENTRIES_MAX) joinNearest(all);
  return all;
}

/** Whether nothing has to be said of an interval: one entry that nobody has heard of holds it. */
export function isAwaited(entries: readonly LateEntry[], interval: LateInterval, knownSequence: number): boolean {
  return entries.some((entry) => entry.sequence > knownSequence && holds(entry, interval));
}

function touches(a: LateInterval, b: LateInterval): boolean {
  return a.fromMs - b.toMs <= MINUTE_MS + 1 && b.fromMs - a.toMs <= MINUTE_MS + 1;
}

/** Of pairs that are equally near the one that was heard of longest ago. */
function joinNearest(entries: LateEntry[]): void {
  let at = 0;
  let nearestMs = Infinity;
  let sequence = Infinity;
  for (let i = 0; i + 1 < entries.length; i++) {
    const gapMs = entries[i + 1]!.fromMs - entries[i]!.toMs;
    const later = Math.max(entries[i]!.sequence, entries[i + 1]!.sequence);
    if (gapMs > nearestMs || (gapMs === nearestMs && later >= sequence)) continue;
    at = i;
    nearestMs = gapMs;
    sequence = later;
  }
  const { fromMs } = entries[at]!;
  entries.splice(at, 2, { fromMs, toMs: entries[at + 1]!.toMs, sequence });
}
