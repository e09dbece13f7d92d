import type { Partial } from './partial.ts';
import { sketchKeys, type SketchKeys } from './sketch-keys.ts';
import { mergedSketches, settled, withRow, zeroSketches, type Sketches } from './sketch.ts';

/**
 * `quantile` from sketches: counts of bins, which add up to the same whatever the order. The result lies as Prometheus has
 * it between two of the values, of which each is known within `relativeError`. So with values a <= b and the weight w of b
 * it differs from the exact one by at most relativeError x (|a| (1 - w) + |b| w), and by no more than roundings where both
 * are zero, infinite or NaN. Throws `bad_data` for an error that no sketch can have.
 */
export function approximateQuantile(phi: number, relativeError: number): Partial {
  const bins = sketchKeys(relativeError);
  return {
    fields: [],
    histograms: 'ignore',
    add(into, values, present) {
      const sketches = into.sketches ?? zeroSketches(present.length);
      into.sketches = withRow(sketches, (keys, at) => bins.write(values, present, keys, at));
      for (let i = 0; i < present.length; i++) into.present[i]! |= present[i]!;
    },
    merge(into, from) {
      if (from.sketches === undefined) return;
      into.sketches = mergedSketches(into.sketches ?? zeroSketches(from.present.length), from.sketches);
      for (let i = 0; i < from.present.length; i++) into.present[i]! |= from.present[i]!;
    },
    settle(columns) {
      if (columns.sketches !== undefined) columns.sketches = settled(columns.sketches);
    },
    finish(columns, out) {
      const sketches = settled(columns.sketches ?? zeroSketches(out.length));
      for (let step = 0; step < out.length; step++) out[step] = quantileAt(phi, sketches, step, bins);
    },
  };
}

/** NaN where there are no values. */
function quantileAt(phi: number, { starts, keys, counts }: Sketches, step: number, bins: SketchKeys): number {
  const [first, end] = [starts[step]!, starts[step + 1]!];
  if (first === end || Number.isNaN(phi)) return NaN;
  if (phi < 0) return -Infinity;
  if (phi > 1) return Infinity;
  let total = 0;
  for (let i = first; i < end; i++) total += counts[i]!;
  const rank = phi * (total - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(total - 1, lower + 1);
  const weight = rank - lower;
  let i = first;
  let upTo = counts[i]!;
  while (upTo <= lower) upTo += counts[++i]!;
  const a = bins.valueOf(keys[i]!);
  while (upTo <= upper) upTo += counts[++i]!;
  const b = bins.valueOf(keys[i]!);
  return a * (1 - weight) + b * weight;
}
