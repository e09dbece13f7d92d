import { describe, expect, it } from 'vitest';
import { ROLLUPS } from '../../src/engine/rollup/rollups.ts';
import { WITHIN, type Windows } from '../../src/engine/rollup/kernels.ts';
import type { RollupCall } from '../../src/engine/rollup/call.ts';
import { startOut } from '../../src/engine/rollup/out.ts';
import { startNotes } from '../../src/engine/notes.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { randomFrom, type Random } from '../random.ts';

/*
 * What is carried on from window to window must not show: all windows of a series together give what each one gives by
 * itself, where nothing can be carried on.
 */

const SEED = Number(process.env['COMITY_SEED'] ?? 20);

/** Values of one kind: ordinary ones, ones that are far from their mean, ones that repeat, ones that are no numbers. */
const KINDS: Readonly<Record<string, (random: Random, i: number) => number>> = {
  gauge: (random) => 100 + random.float(-50, 50),
  counter: (random, i) => i * 100 + random.int(0, 99),
  far: (random) => 1e9 + random.next(),
  constant: () => 42.7,
  levels: (random, i) => (Math.floor(i / 40) % 2) * 1e6 + (random.chance(0.02) ? 1 : 0),
  digits: (random) => random.int(0, 3),
  huge: (random) => random.pick([1e308, -1e308, 5e307, 1]),
  infinite: (random) =>
    random.pick([1, 2, 3, 4, 5, 6, random.chance(0.1) ? Infinity : 0, random.chance(0.1) ? -Infinity : -0]),
  undefinable: (random) => (random.chance(0.1) ? NaN : random.int(-5, 5)),
  nothing: () => NaN,
};

const FUNCTIONS = [...ROLLUPS].filter(([name]) => name !== 'double_exponential_smoothing');

function run(name: string, times: Float64Array, values: Float64Array, windows: Windows): (number | null)[] {
  const call: RollupCall = {
    windows,
    reach: WITHIN,
    extended: undefined,
    notes: startNotes(),
    span: { start: 0, end: 0 },
    features: NO_FEATURES,
  };
  const out = startOut(windows.ends.length);
  ROLLUPS.get(name)!.run({ labels: [], times, values }, call, out, undefined);
  return Array.from(out.present, (bit, step) => (bit === 1 ? out.values[step]! : null));
}

/** The windows `ends`, one of them alone or all. */
function windowsAt(ends: Float64Array, rangeMs: number): Windows {
  return { ends, stepTimes: ends, rangeMs, params: [new Float64Array(ends.length).fill(0.7)] };
}

/** Whether two results are equal but for what compensated sums may leave: 1e-12 of the value. */
function agree(a: number | null, b: number | null): boolean {
  if (a === null || b === null) return a === b;
  return Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b));
}

describe.each(Object.entries(KINDS))(`windows over %s values (seed ${SEED})`, (_kind, valueOf) => {
  const random = randomFrom(SEED);
  const times: number[] = [];
  for (let i = 0, at = 0; i < 600; i++) {
    at += random.chance(0.03) ? random.int(60_000, 900_000) : random.int(5_000, 15_000);
    times.push(at);
  }
  const allTimes = Float64Array.from(times);
  const values = Float64Array.from(times, (_time, i) => valueOf(random, i));

  it.each(FUNCTIONS.map(([name]) => name))('%s', (name) => {
    for (const [stepMs, rangeMs] of [
      [10_000, 600_000],
      [37_000, 400_000],
      [60_000, 60_000],
      [400_000, 1_000_000],
      [500_000, 120_000],
    ] as const) {
      const steps = Math.ceil(times.at(-1)! / stepMs);
      const ends = Float64Array.from({ length: steps }, (_, step) => step * stepMs);
      const together = run(name, allTimes, values, windowsAt(ends, rangeMs));
      for (let step = 0; step < steps; step += 7) {
        const [alone] = run(name, allTimes, values, windowsAt(ends.subarray(step, step + 1), rangeMs));
        const got = together[step]!;
        if (!agree(got, alone!)) expect([step * stepMs, rangeMs, got]).toEqual([step * stepMs, rangeMs, alone]);
      }
    }
  });
});
