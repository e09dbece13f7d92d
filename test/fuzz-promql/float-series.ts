import type { Random } from '../random.ts';

/** The next value of a float series at sample `i`, or undefined for none. */
export type Values = (i: number) => number;

/** A counter that starts somewhere, grows by uneven steps, stands still at times and starts again now and then. */
export function counter(random: Random): Values {
  const scale = random.pick([1, 1, 1, 0.1, 7.3, 1e9]);
  const resets = random.pick([0, 0.02, 0.08]);
  let value = random.pick([0, 0, 1, 123, 4e15]) * scale;
  return (i) => {
    if (i > 0 && random.chance(resets)) value = random.pick([0, 0, 1, 5]) * scale;
    else if (!random.chance(0.2)) value += random.int(0, 20) * scale;
    return value;
  };
}

export type GaugeKind = 'walk' | 'constant' | 'small' | 'odd' | 'extreme' | 'wide';

export const GAUGE_KINDS: readonly GaugeKind[] = ['walk', 'constant', 'small', 'odd', 'extreme', 'wide'];

export function gauge(kind: GaugeKind, random: Random): Values {
  switch (kind) {
    case 'walk': {
      let value = random.float(-50, 50);
      return () => (value += random.float(-3, 3));
    }
    case 'constant': {
      const value = random.pick([0, 1, -3, 0.1, 1e9, -0]);
      return () => value;
    }
    case 'small':
      // Few values, so that many are tied.
      return () => random.int(-2, 3);
    case 'odd':
      return () => random.pick([NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, random.float(-5, 5), random.float(-5, 5)]);
    case 'extreme':
      return () => random.pick([1.7e308, -1.7e308, 1e308, 5e-324, -5e-324, 2.2e-308, 1e-300, 1, 9007199254740991]);
    case 'wide':
      return () => random.float(-1, 1) * 10 ** random.int(-12, 18);
  }
}

/**
 * The cumulative buckets of a classic histogram at each sample, by upper bound. A broken one loses counts in between, or
 * has no bucket for all.
 */
export function classicBuckets(
  bounds: readonly number[],
  fault: 'none' | 'not-monotonic' | 'no-infinity',
  random: Random,
): (i: number) => ReadonlyMap<number, number> {
  const all = fault === 'no-infinity' ? bounds : [...bounds, Infinity];
  const counts = all.map(() => 0);
  const scale = random.pick([1, 1, 0.1]);
  return (i) => {
    if (i > 0 && random.chance(0.03)) counts.fill(0);
    for (let b = 0; b < counts.length; b++) counts[b]! += random.int(0, 6) * scale;
    let total = 0;
    return new Map(
      all.map((bound, b) => {
        total += counts[b]!;
        const shown =
          fault === 'not-monotonic' && b % 2 === 1 && random.chance(0.4) ? total * random.float(0.5, 1) : total;
        return [bound, shown];
      }),
    );
  };
}
