import type { Partial, PartialColumns } from './partial.ts';

/** `min`: the smallest value; NaN only when there is nothing else. */
export const MIN: Partial = extremum((candidate, current) => candidate < current);

/** `max`: the largest value; NaN only when there is nothing else. */
export const MAX: Partial = extremum((candidate, current) => candidate > current);

function extremum(beats: (candidate: number, current: number) => boolean): Partial {
  function fold(into: PartialColumns, values: Float64Array, present: Uint8Array): void {
    const best = into.fields[0]!;
    for (let i = 0; i < present.length; i++) {
      if (present[i] === 0) continue;
      const value = values[i]!;
      if (into.present[i] === 0 || beats(value, best[i]!) || Number.isNaN(best[i]!)) best[i] = value;
      into.present[i] = 1;
    }
  }
  return {
    fields: ['extremum'],
    histograms: 'ignore',
    add: fold,
    merge: (into, from) => fold(into, from.fields[0]!, from.present),
    finish: (columns, out) => out.set(columns.fields[0]!),
  };
}
