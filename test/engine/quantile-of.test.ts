import { expect, it } from 'vitest';
import { quantileOf } from '../../src/engine/aggregate/quantile-of.ts';
import { quantileOfSorted, sortNanFirst } from '../../src/engine/quantile.ts';
import { randomFrom } from '../random.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Date.now() % 1_000_000);

it(`selects what sorting finds (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  for (let i = 0; i < 2_000; i++) {
    const spread = random.pick([1, 3, 1000]);
    const nans = random.pick([0, 0, 0.1, 0.9]);
    const values = Float64Array.from({ length: random.int(1, 200) }, () => {
      if (random.chance(nans)) return NaN;
      return random.chance(0.02) ? random.pick([Infinity, -Infinity]) : Math.floor(random.float(0, spread));
    });
    const phi = random.pick([0, 1, 0.5, 0.9, 0.25, random.next(), -0.1, 1.1, NaN]);
    const sorted = values.slice();
    sortNanFirst(sorted);
    expect(quantileOf(phi, values.slice()), `case ${i}: ${phi} of ${values.join()}`).toBe(
      quantileOfSorted(phi, sorted),
    );
  }
});

it('takes no longer for values that are made to be slow', () => {
  // Ascending, descending, an organ pipe and one value alone.
  const n = 200_000;
  for (const at of [(i: number) => i, (i: number) => -i, (i: number) => Math.min(i, n - i), () => 1]) {
    const values = Float64Array.from({ length: n }, (_, i) => at(i));
    const sorted = values.toSorted();
    expect(quantileOf(0.37, values)).toBe(quantileOfSorted(0.37, sorted));
  }
});
