import { describe, expect, it } from 'vitest';
import {
  isAwaited,
  LATE_ENTRIES_MAX,
  wholeMinutes,
  withLate,
  type LateEntry,
} from '../../src/coverage/late-intervals.ts';
import { randomFrom, type Random } from '../random.ts';

/** `[from, to, sequence]` in minutes, `to` not included. */
type Minutes = readonly [from: number, to: number, sequence: number];

const MINUTE = 60_000;

function entry([from, to, sequence]: Minutes): LateEntry {
  return { fromMs: from * MINUTE, toMs: to * MINUTE - 1, sequence };
}

function minutes({ fromMs, toMs, sequence }: LateEntry): Minutes {
  return [fromMs / MINUTE, (toMs + 1) / MINUTE, sequence];
}

describe('an interval more', () => {
  it.each<{ name: string; known: number; entries: Minutes[]; added: Minutes; want: Minutes[] }>([
    { name: 'is the first', known: 0, entries: [], added: [5, 6, 1], want: [[5, 6, 1]] },
    {
      name: 'joins those it overlaps or touches that nobody has heard of',
      known: 0,
      entries: [
        [1, 3, 1],
        [5, 7, 2],
        [8, 9, 3],
      ],
      added: [2, 4, 4],
      want: [[1, 9, 4]],
    },
    {
      name: 'leaves what is more than a minute away',
      known: 0,
      entries: [
        [1, 3, 1],
        [8, 9, 2],
      ],
      added: [5, 6, 3],
      want: [
        [1, 3, 1],
        [5, 6, 3],
        [8, 9, 2],
      ],
    },
    {
      name: 'does not say again what is known, only what it holds itself',
      known: 2,
      entries: [
        [1, 4, 1],
        [4, 6, 2],
      ],
      added: [3, 5, 3],
      want: [
        [1, 3, 1],
        [3, 5, 3],
        [5, 6, 2],
      ],
    },
    {
      name: 'cuts a known one in two',
      known: 1,
      entries: [[-100, 100, 1]],
      added: [3, 5, 2],
      want: [
        [-100, 3, 1],
        [3, 5, 2],
        [5, 100, 1],
      ],
    },
    {
      name: 'takes the place of what it holds',
      known: 9,
      entries: [
        [1, 2, 8],
        [3, 4, 9],
      ],
      added: [0, 5, 10],
      want: [[0, 5, 10]],
    },
  ])('$name', ({ known, entries, added, want }) => {
    expect(withLate(entries.map(entry), entry(added), known).map(minutes)).toEqual(want);
  });

  it('finds room where the list is full: the two that are nearest become one, of those the longest known', () => {
    const full = Array.from({ length: LATE_ENTRIES_MAX }, (_, i) => entry([i * 10, i * 10 + (i === 7 ? 5 : 1), i + 1]));
    const once = withLate(full, entry([-50, -49, 5_000]), 4_000);
    expect(once).toHaveLength(LATE_ENTRIES_MAX);
    expect(once.map(minutes)).toContainEqual([70, 81, 9]);
    const twice = withLate(once, entry([-90, -89, 5_001]), 5_000);
    expect(twice.map(minutes)).toContainEqual([0, 11, 2]);
  });

  it('covers whole minutes and takes all of time', () => {
    expect(wholeMinutes({ fromMs: 60_001, toMs: 120_000 })).toEqual({ fromMs: 60_000, toMs: 179_999 });
    expect(wholeMinutes({ fromMs: -1, toMs: -1 })).toEqual({ fromMs: -60_000, toMs: -1 });
    const all = wholeMinutes({ fromMs: -Infinity, toMs: Infinity });
    expect([all.fromMs <= -8.64e15, all.toMs >= 8.64e15, Number.isSafeInteger(all.toMs)]).toEqual([true, true, true]);
  });
});

/** A change, in minutes. */
interface LateChange {
  readonly from: number;
  readonly to: number;
  readonly sequence: number;
}

/** Checks what is told to who asks since `since`, minute for minute; whether no more is told than that, where `exactly` says so. */
function checkTold(
  changes: readonly LateChange[],
  entries: readonly LateEntry[],
  since: number,
  exactly: boolean,
): void {
  const told = entries.filter((one) => one.sequence > since).map(minutes);
  const missed = changes.filter((change) => change.sequence > since);
  for (const { from, to, sequence } of missed) {
    let at = from;
    for (const [toldFrom, toldTo] of told) if (toldFrom <= at && toldTo > at) at = toldTo;
    if (at < to) throw new Error(`change ${sequence} at minute ${at} is not told to who asks since ${since}`);
  }
  if (!exactly) return;
  // Between changes that nobody had heard of a minute may be told that did not change.
  const near = new Set(missed.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i)));
  for (const [from, to] of told) {
    for (let at = from; at < to; at++) {
      if (!near.has(at)) throw new Error(`minute ${at} is told to who asks since ${since}, and nothing changed there`);
    }
  }
}

function checkShape(entries: readonly LateEntry[]): void {
  expect(entries.length).toBeLessThanOrEqual(LATE_ENTRIES_MAX);
  expect(entries.findIndex((one, i) => i > 0 && one.fromMs <= entries[i - 1]!.toMs)).toBe(-1);
}

const seed = Number(process.env['COMITY_SEED'] ?? Date.now() % 1_000_000);

describe(`random changes and askers, seed ${seed}`, () => {
  /** Changes of up to `longest` minutes at random, and askers with numbers that were told. */
  function run(random: Random, steps: number, span: number, longest: number, exactly: boolean): void {
    const changes: LateChange[] = [];
    let entries: readonly LateEntry[] = [];
    let sequence = 0;
    let known = 0;
    const told = [0];
    for (let step = 0; step < steps; step++) {
      if (random.chance(0.3)) {
        known = sequence;
        told.push(sequence);
      } else {
        const from = random.int(-span, span);
        const to = from + 1 + random.int(0, random.chance(0.05) ? longest : 4);
        const added = entry([from, to, sequence + 1]);
        if (!isAwaited(entries, added, known)) {
          sequence++;
          entries = withLate(entries, added, known);
        }
        changes.push({ from, to, sequence });
        checkShape(entries);
      }
      if (step % 16 === 0) checkTold(changes, entries, random.pick(told), exactly);
    }
    for (let i = 0; i < 20; i++) checkTold(changes, entries, random.pick(told), exactly);
  }

  it('tells every asker all that changed since, and next to nothing else', () => {
    for (let round = 0; round < 20; round++) run(randomFrom(seed).fork(round), 120, 40, 40, true);
  });

  it('tells every asker all that changed since where the list is full as well', () => {
    run(randomFrom(seed).fork(1_000), 1_900, 100_000, 1_000, false);
  });
});
