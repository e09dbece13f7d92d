import { LIMITS } from '../../base/limits.ts';
import type { PartialColumns } from '../../partial/partial.ts';
import { sketchKeys } from '../../partial/sketch-keys.ts';
import type { Sketches } from '../../partial/sketch.ts';
import {
  broken,
  countVarints,
  spendCells,
  unzigzag,
  varintReader,
  varintWriter,
  zigzag,
  type DecodeBudget,
} from './blocks.ts';

/** The Sketches message of proto/federation.proto. */
export interface SketchesMessage {
  bins: Uint8Array;
  keys: Uint8Array;
  counts: Uint8Array;
}

/** The sketches of rows, all of them settled. */
export function encodeSketches(rows: readonly PartialColumns[]): SketchesMessage {
  const bins = varintWriter();
  const keys = varintWriter();
  const counts = varintWriter();
  for (const { present, sketches } of rows) {
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 0) continue;
      const from = sketches!.starts[step]!;
      const to = sketches!.starts[step + 1]!;
      bins.push(to - from);
      for (let i = from; i < to; i++) {
        const key = sketches!.keys[i]!;
        keys.push(i === from ? zigzag(key) : key - sketches!.keys[i - 1]!);
        counts.push(sketches!.counts[i]!);
      }
    }
  }
  return { bins: bins.bytes(), keys: keys.bytes(), counts: counts.bytes() };
}

/** The sketches of each row; `present` has the steps of each. */
export function decodeSketches(
  message: SketchesMessage,
  present: readonly Uint8Array[],
  relativeError: number,
  budget: DecodeBudget,
): Sketches[] {
  const { largest } = sketchKeys(relativeError);
  const bins = varintReader(message.bins, 'bins of sketches');
  const keys = varintReader(message.keys, 'keys of sketches');
  const counts = varintReader(message.counts, 'counts of sketches');
  // More bins than there are keys cannot be.
  let left = countVarints(message.keys);
  spendCells(budget, 2 * left);
  const rows = present.map((mask) => {
    spendCells(budget, mask.length);
    const starts = new Uint32Array(mask.length + 1);
    for (let step = 0; step < mask.length; step++) {
      const count = mask[step] === 1 ? bins.next(1, Math.min(LIMITS.binsPerSketch, left)) : 0;
      starts[step + 1] = starts[step]! + count;
      left -= count;
    }
    const row = { starts, keys: new Int32Array(starts.at(-1)!), counts: new Float64Array(starts.at(-1)!) };
    for (let step = 0; step < mask.length; step++) {
      let key = 0;
      for (let i = starts[step]!; i < starts[step + 1]!; i++) {
        key = i === starts[step] ? unzigzag(keys.next(0, KEY_MAX)) : key + keys.next(1, KEY_MAX);
        if (key < -largest - 1 || key > largest) throw broken('keys of sketches');
        row.keys[i] = key;
        row.counts[i] = counts.next(1, COUNT_MAX);
      }
    }
    return row;
  });
  bins.end();
  keys.end();
  counts.end();
  return rows;
}

const KEY_MAX = 2 ** 32 - 1;

/** More values than any domain has series. */
const COUNT_MAX = 2 ** 32;
