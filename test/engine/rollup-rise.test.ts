import { expect, it } from 'vitest';
import { series, STALE } from '../memory-source.ts';
import { randomFrom } from '../random.ts';
import { exponential } from './native-series.ts';
import { rangeAnswer } from './ranges.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 21);

it.each(['rate(h[2m])', 'increase(h[35s])', 'rate(h[10m])'])(
  `%s of histograms of one layout is what adding them one by one gives (seed ${SEED})`,
  (text) => {
    const random = randomFrom(SEED);
    for (let round = 0; round < 20; round++) {
      const counts = [0, 0, 0, 0];
      const samples = Array.from({ length: 60 }, (_, i) => {
        if (random.chance(0.1)) counts.fill(0);
        // Buckets that stay as they are for long have no rise, and no place in the result.
        for (let b = 0; b < counts.length; b++) if (random.chance(0.2 * b)) counts[b]! += random.int(1, 9);
        const [zero, one, two, below] = counts as [number, number, number, number];
        const buckets: [number, number][] = [
          [1, one],
          [2, two],
        ];
        if (random.chance(0.03)) buckets.push([3, 5]);
        const sample = exponential(0, buckets, { zero: [0.01, zero], negative: [[1, below]], sum: one });
        return [i * 10_000, random.chance(0.05) ? STALE : sample] as const;
      });
      const held = series({ __name__: 'h' }, samples);
      const when = { from: 0, to: 700, step: random.pick([10, 30, 70]) };
      const quick = rangeAnswer(text, [held], when);
      // Start times that are not known change nothing but the way that is taken.
      const unknown = { ...held, startTimes: new Float64Array(samples.length) };
      expect(quick).toEqual(rangeAnswer(text, [unknown], when, ['use-start-timestamps']));
      expect(
        Object.values(quick.rows)
          .flat()
          .some((cell) => cell !== null),
      ).toBe(true);
    }
  },
);
