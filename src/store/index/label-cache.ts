import type { Labels } from '../../model/labels.ts';

/** The label sets that were made last, by reference. */
export interface LabelCache {
  get(ref: number): Labels | undefined;
  set(ref: number, labels: Labels): void;
  drop(ref: number): void;
  readonly bytes: number;
}

/** A set of ten labels is 200 bytes, so that the cache takes some 2 MB when full. A query of this many series makes each once. */
const CACHED_SETS = 8_192;

/** An array's two headers. */
const ARRAY_BYTES = 32;

export function labelCache(): LabelCache {
  const refs = new Int32Array(CACHED_SETS).fill(-1);
  const sets: (Labels | undefined)[] = Array.from({ length: CACHED_SETS });
  let bytes = CACHED_SETS * 12;

  function sizeAt(at: number): number {
    const set = sets[at];
    return set === undefined ? 0 : ARRAY_BYTES + set.length * 8;
  }

  return {
    get(ref) {
      const at = ref % CACHED_SETS;
      return refs[at] === ref ? sets[at] : undefined;
    },
    set(ref, labels) {
      const at = ref % CACHED_SETS;
      bytes -= sizeAt(at);
      refs[at] = ref;
      sets[at] = labels;
      bytes += sizeAt(at);
    },
    drop(ref) {
      const at = ref % CACHED_SETS;
      if (refs[at] !== ref) return;
      bytes -= sizeAt(at);
      refs[at] = -1;
      sets[at] = undefined;
    },
    get bytes() {
      return bytes;
    },
  };
}
