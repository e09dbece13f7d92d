/** A source of pseudo-random choices that gives the same ones for the same seed on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** An integer in [low, high], both included. */
  int(low: number, high: number): number;
  /** Uniform in [low, high). */
  float(low: number, high: number): number;
  /** True with probability `p`. */
  chance(p: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Picks by weight; a weight of 0 is never picked. */
  weighted<T>(choices: readonly (readonly [weight: number, item: T])[]): T;
  /** A random subset in the order of `items`, each kept with probability `p`. */
  subset<T>(items: readonly T[], p: number): T[];
  /** An independent source that depends only on this source's seed and `stream`, not on what was drawn before. */
  fork(stream: number): Random;
}

export function randomFrom(seed: number): Random {
  let state = mix(seed >>> 0);

  // mulberry32: 32 bits of state are plenty for a few hundred thousand draws.
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    return mix(state) / 2 ** 32;
  }

  function pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('pick needs at least one item');
    return items[Math.floor(next() * items.length)] as T;
  }

  return {
    next,
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    float: (low, high) => low + next() * (high - low),
    chance: (p) => next() < p,
    pick,
    weighted(choices) {
      const total = choices.reduce((sum, [weight]) => sum + weight, 0);
      let left = next() * total;
      for (const [weight, item] of choices) {
        left -= weight;
        if (left < 0) return item;
      }
      return pick(choices)[1];
    },
    subset: (items, p) => items.filter(() => next() < p),
    fork: (stream) => randomFrom(mix(mix(seed >>> 0) ^ mix((stream + 0x9e3779b9) >>> 0))),
  };
}

function mix(value: number): number {
  let z = value;
  z = Math.imul(z ^ (z >>> 15), z | 1);
  z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
  return (z ^ (z >>> 14)) >>> 0;
}
