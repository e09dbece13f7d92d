/**
 * Choices that look random and hang on nothing but the seed and what they are for, so that one script alone, or one line of
 * it, is split and asked as it was among many.
 */
export interface Draw {
  /** An index below `count`. */
  index(count: number, ...what: readonly (string | number)[]): number;
  pick<T>(items: readonly T[], ...what: readonly (string | number)[]): T;
  /** `count` different indices below `of`, ascending. */
  some(count: number, of: number, ...what: readonly (string | number)[]): ReadonlySet<number>;
}

export function drawFrom(seed: number): Draw {
  function index(count: number, ...what: readonly (string | number)[]): number {
    return Math.floor((hash(JSON.stringify([seed, ...what])) / 2 ** 32) * count);
  }
  return {
    index,
    pick: (items, ...what) => items[index(items.length, ...what)]!,
    some(count, of, ...what) {
      const left = Array.from({ length: of }, (_, i) => i);
      const chosen = Array.from({ length: Math.min(count, of) }, (_, i) => {
        return left.splice(index(left.length, ...what, i), 1)[0]!;
      });
      return new Set(chosen.sort((a, b) => a - b));
    },
  };
}

/** FNV-1a, mixed once more so that texts that differ in their last letter alone are far apart. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
