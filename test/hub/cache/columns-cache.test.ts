import { describe, expect, it } from 'vitest';
import {
  openColumnsCache,
  type AsOf,
  type ColumnKey,
  type ColumnsCache,
  type ReplicaColumns,
} from '../../../src/hub/cache/columns-cache.ts';
import type { PlacedNote, Segment } from '../../../src/hub/cache/segments.ts';
import { stepsBeside, stepsReading, stepsWithin, type StepRead } from '../../../src/hub/cache/steps.ts';
import { sliceRows } from '../../../src/hub/cache/rows.ts';
import type { LateTold } from '../../../src/plan/frames/coverage-codec.ts';
import { randomFrom } from '../../random.ts';

const STEP_MS = 1000;
const READS: readonly StepRead[] = [{ fromMs: -2000, toMs: 0, fixed: false }];

function keyOf(text: string): ColumnKey {
  return { text, startMs: 0, stepMs: STEP_MS, reads: READS };
}

const X = keyOf('x');

/** One row whose values are the steps. */
function segment(from: number, to: number, more: Partial<Segment> = {}): Segment {
  const values = Float64Array.from({ length: to - from }, (_, i) => from + i);
  const present = new Uint8Array(to - from).fill(1);
  return {
    from,
    to,
    rows: [{ labels: ['a', 'b'], columns: { present, fields: [values] } }],
    notes: [],
    isExact: true,
    ...more,
  };
}

function told(sequence: number, ...intervals: readonly (readonly [number, number])[]): LateTold {
  const ranges = intervals.map(([fromMs, toMs]) => ({ fromMs, toMs }));
  return { epoch: 'e', sequence, everything: false, intervals: ranges };
}

const asOf = (sequence: number, digest = 'd'): AsOf => ({ digest, late: { epoch: 'e', sequence } });

function opened(bytes = 1e6): { cache: ColumnsCache; kept: ReplicaColumns } {
  const cache = openColumnsCache(bytes);
  const kept = cache.of('eu', 'one');
  kept.learn({ epoch: '', sequence: 0 }, { ...told(5), everything: true }, 'd', -Infinity);
  return { cache, kept };
}

/** The steps that are known, each with its value. */
function known(kept: ReplicaColumns, key = X, from = 0, to = 1000): number[] {
  return kept.find(key, { from, to }).flatMap(({ steps, segment: of }) => {
    const [row] = sliceRows(of.rows, steps.from - of.from, steps.to - of.from);
    const values = [...row!.columns.fields[0]!];
    expect(values).toEqual(Array.from({ length: steps.to - steps.from }, (_, i) => steps.from + i));
    return values;
  });
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

describe('what is kept', () => {
  it('comes back, whatever its pieces were', () => {
    const { kept } = opened();
    for (const [from, to] of [
      [120, 300],
      [300, 301],
      [301, 302],
      [90, 130],
      [500, 501],
    ] as const) {
      kept.keep(X, segment(from, to), asOf(5));
    }
    expect(known(kept)).toEqual([...numbers(90, 302), 500]);
    expect(known(kept, X, 299, 301)).toEqual([299, 300]);
    expect(known(kept, keyOf('y'))).toEqual([]);
  });

  it('is in few pieces however many answers it came with', () => {
    const { kept } = opened();
    for (let step = 0; step < 512; step++) kept.keep(X, segment(step, step + 1), asOf(5));
    expect(known(kept)).toEqual(numbers(0, 512));
    expect(kept.find(X, { from: 0, to: 512 }).length).toBeLessThan(20);
  });

  it('a note of a part is not taken for one of another', () => {
    const { kept } = opened();
    const note = { note: { code: 'quantile_is_nan', args: ['m'] }, node: 1 } as unknown as PlacedNote;
    kept.keep(X, segment(100, 200, { notes: [note] }), asOf(5));
    const found = kept
      .find(X, { from: 0, to: 1000 })
      .map(({ segment: { from, to, isExact } }) => ({ from, to, isExact }));
    // Cut where chunks end.
    expect(found).toEqual([
      { from: 100, to: 128, isExact: false },
      { from: 128, to: 200, isExact: false },
    ]);
  });
});

describe('late changes', () => {
  it('take exactly the steps that read them', () => {
    const { kept } = opened();
    kept.keep(X, segment(0, 300), asOf(5));
    kept.learn({ epoch: 'e', sequence: 5 }, told(6, [100_000, 101_500], [200_000, 200_000]), 'd', -Infinity);
    const gone = new Set([...numbers(100, 104), ...numbers(200, 203)]);
    expect(known(kept)).toEqual(numbers(0, 300).filter((step) => !gone.has(step)));
    expect(kept.asOf).toEqual(asOf(6));
  });

  it.each<[string, (kept: ReplicaColumns) => void, boolean]>([
    [
      'another epoch',
      (kept) => kept.learn({ epoch: 'e', sequence: 5 }, { ...told(0), epoch: 'f', everything: true }, 'd', -Infinity),
      false,
    ],
    [
      'changes that are not known',
      (kept) => kept.learn({ epoch: 'e', sequence: 5 }, { ...told(9), everything: true }, 'd', -Infinity),
      false,
    ],
    ['another policy', (kept) => kept.learn({ epoch: 'e', sequence: 5 }, told(5), 'other', -Infinity), false],
    ['no record of changes', (kept) => kept.learn({ epoch: 'e', sequence: 5 }, undefined, 'd', -Infinity), false],
    [
      'an answer to one who knew nothing',
      (kept) => kept.learn({ epoch: '', sequence: 0 }, { ...told(9), everything: true }, 'd', -Infinity),
      true,
    ],
    [
      'an answer that says nothing new',
      (kept) => kept.learn({ epoch: 'e', sequence: 5 }, told(5), 'd', -Infinity),
      true,
    ],
    ['an answer that was overtaken', (kept) => kept.learn({ epoch: 'e', sequence: 2 }, told(3), 'd', -Infinity), true],
  ])('after %s', (_what, happens, stays) => {
    const { kept } = opened();
    kept.keep(X, segment(0, 10), asOf(5));
    happens(kept);
    expect(known(kept)).toEqual(stays ? numbers(0, 10) : []);
  });

  it('count for answers that were under way when they were told', () => {
    const { kept } = opened();
    kept.learn({ epoch: 'e', sequence: 5 }, told(6, [3_000, 3_000]), 'd', -Infinity);
    kept.keep(X, segment(0, 10), asOf(5));
    expect(known(kept)).toEqual([0, 1, 2, 6, 7, 8, 9]);
    kept.keep(X, segment(0, 10), asOf(6));
    expect(known(kept)).toEqual(numbers(0, 10));
  });

  it('what was not held for a while is gone, though it is said to be held again', () => {
    const { kept } = opened();
    kept.keep(X, segment(0, 10), asOf(5));
    const heldFrom = (heldFromMs: number): void => kept.learn({ epoch: 'e', sequence: 5 }, told(5), 'd', heldFromMs);
    heldFrom(3_000);
    heldFrom(4_000);
    expect(known(kept)).toEqual(numbers(0, 10));
    heldFrom(0);
    expect(known(kept)).toEqual(numbers(6, 10));
  });

  it('that are forgotten let nothing older in', () => {
    const { kept } = opened();
    for (let sequence = 6; sequence < 60; sequence++)
      kept.learn({ epoch: 'e', sequence: sequence - 1 }, told(sequence), 'd', -Infinity);
    kept.keep(X, segment(0, 10), asOf(20));
    expect(known(kept)).toEqual([]);
    kept.keep(X, segment(0, 10), asOf(50));
    expect(known(kept)).toEqual(numbers(0, 10));
  });

  it.each<[string, AsOf]>([
    ['of another epoch', { digest: 'd', late: { epoch: 'f', sequence: 5 } }],
    ['of another policy', asOf(5, 'other')],
    ['without a record of changes', { digest: 'd', late: { epoch: '', sequence: 0 } }],
  ])('an answer %s is not kept', (_what, made) => {
    const { kept } = opened();
    kept.keep(X, segment(0, 10), made);
    expect(known(kept)).toEqual([]);
  });

  it('of one replica are none of the other', () => {
    const { cache, kept } = opened();
    const other = cache.of('eu', 'two');
    other.learn({ epoch: '', sequence: 0 }, { ...told(1), epoch: 'f', everything: true }, 'd', -Infinity);
    other.keep(X, segment(0, 4), { digest: 'd', late: { epoch: 'f', sequence: 1 } });
    kept.keep(X, segment(0, 2), asOf(5));
    kept.learn({ epoch: 'e', sequence: 5 }, told(6, [0, 9000]), 'd', -Infinity);
    expect([known(kept), known(other)]).toEqual([[], numbers(0, 4)]);
  });
});

describe('memory', () => {
  it('is bounded, and what was not used for longest goes', () => {
    const one = (): number => {
      const { cache, kept } = opened();
      kept.keep(X, segment(0, 128), asOf(5));
      return cache.counts().bytes;
    };
    const { cache, kept } = opened(one() * 10);
    for (let i = 0; i < 50; i++) {
      kept.keep(keyOf(`q${i}`), segment(0, 128), asOf(5));
      known(kept, keyOf('q0'));
      expect(cache.counts().bytes).toBeLessThanOrEqual(one() * 10);
    }
    const left = numbers(0, 50).filter((i) => known(kept, keyOf(`q${i}`)).length > 0);
    expect(left).toEqual([0, ...numbers(left[1]!, 50)]);
    expect(left.length).toBeGreaterThan(7);
    expect(cache.counts()).toMatchObject({ keptSteps: 50 * 128, evictedSteps: (50 - left.length) * 128 });
  });

  it('is all given back', () => {
    const random = randomFrom(1);
    const { cache, kept } = opened(50_000);
    for (let sequence = 6; sequence < 300; sequence++) {
      const from = random.int(0, 900);
      kept.keep(keyOf(`q${random.int(0, 9)}`), segment(from, from + random.int(1, 100)), asOf(sequence - 1));
      const fromMs = random.int(0, 1000) * STEP_MS;
      const late = random.chance(0.5) ? told(sequence) : told(sequence, [fromMs, fromMs + random.int(0, 50_000)]);
      kept.learn({ epoch: 'e', sequence: sequence - 1 }, late, 'd', -Infinity);
      const { keptSteps, droppedSteps, evictedSteps, bytes } = cache.counts();
      const left = numbers(0, 10).reduce((sum, i) => sum + known(kept, keyOf(`q${i}`)).length, 0);
      expect(left).toBe(keptSteps - droppedSteps - evictedSteps);
      expect(bytes).toBeLessThanOrEqual(50_000);
    }
    kept.learn({ epoch: 'e', sequence: 299 }, { ...told(300), everything: true }, 'd', -Infinity);
    expect(cache.counts().bytes).toBe(0);
  });

  it('none keeps nothing', () => {
    const { cache, kept } = opened(0);
    kept.keep(X, segment(0, 10), asOf(5));
    expect([known(kept), cache.counts().bytes]).toEqual([[], 0]);
  });
});

it('steps are told by what they read, as one by one', () => {
  const random = randomFrom(1);
  for (let round = 0; round < 500; round++) {
    const times = { startMs: random.int(-5, 5), stepMs: random.int(1, 7) };
    const within = { from: random.int(-5, 5), to: random.int(5, 20) };
    const range = (): { fromMs: number; toMs: number } => {
      const fromMs = random.int(-60, 100);
      return { fromMs, toMs: fromMs + random.int(0, 40) };
    };
    const reads = Array.from({ length: random.int(0, 3) }, () => ({ ...range(), fixed: random.chance(0.2) }));
    const asked = range();
    const timesRead = (step: number): (readonly [number, number])[] =>
      reads.map(({ fromMs, toMs, fixed }) => {
        const at = fixed ? 0 : times.startMs + step * times.stepMs;
        return [at + fromMs, at + toMs];
      });
    const all = Array.from({ length: within.to - within.from }, (_, i) => within.from + i);
    const found = stepsReading(asked, reads, times, within);
    expect(all.filter((step) => found.some(({ from, to }) => step >= from && step < to))).toEqual(
      all.filter((step) => timesRead(step).some(([from, to]) => from <= asked.toMs && to >= asked.fromMs)),
    );
    const inside = stepsWithin(asked, reads, times, within);
    expect(all.filter((step) => step >= inside.from && step < inside.to)).toEqual(
      all.filter((step) => timesRead(step).every(([from, to]) => from >= asked.fromMs && to <= asked.toMs)),
    );
  }
});

it('steps beside others are those that none of these has', () => {
  const random = randomFrom(2);
  for (let round = 0; round < 500; round++) {
    const bounds = new Set(Array.from({ length: 2 * random.int(0, 4) }, () => random.int(0, 30)));
    const sorted = [...bounds].sort((a, b) => a - b);
    const others = sorted.flatMap((from, i) =>
      i % 2 === 0 && sorted[i + 1] !== undefined ? [{ from, to: sorted[i + 1]! }] : [],
    );
    const from = random.int(0, 20);
    const all = { from, to: from + random.int(0, 15) };
    const beside = stepsBeside(all, others);
    expect(beside.every((one) => one.from < one.to)).toBe(true);
    expect(beside.flatMap((one) => numbers(one.from, one.to))).toEqual(
      numbers(all.from, all.to).filter((step) => !others.some((one) => step >= one.from && step < one.to)),
    );
  }
});
