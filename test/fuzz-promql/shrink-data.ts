import type { Sample, Series } from './samples.ts';

/** Every attempt starts both programs anew. */
const ATTEMPTS_MAX = 60;

/**
 * The fewest series and samples found with which the case still fails (delta debugging, Zeller and Hildebrandt 2002): first
 * whole series go, then samples of each that is left. `likely` are the series that the query seems to read.
 */
export async function shrinkData(
  all: readonly Series[],
  likely: readonly Series[],
  fails: (series: readonly Series[]) => Promise<boolean>,
): Promise<readonly Series[]> {
  let attempts = 0;
  const tried = async (series: readonly Series[]): Promise<boolean> =>
    attempts++ < ATTEMPTS_MAX && (await fails(series));
  let kept = (await tried(likely)) ? likely : all;
  kept = await fewest(kept, tried);
  for (const [i, one] of kept.entries()) {
    const others = (samples: readonly Sample[]): readonly Series[] => kept.with(i, { ...one, samples });
    const samples = await fewest(one.samples, (some) => tried(others(some)));
    kept = others(samples);
  }
  return kept;
}

/** The fewest items with which `fails` still holds, as far as removing runs of them shows. */
async function fewest<T>(items: readonly T[], fails: (some: readonly T[]) => Promise<boolean>): Promise<readonly T[]> {
  let kept = items;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < kept.length && kept.length > 1;) {
      const rest = kept.toSpliced(from, size);
      if (rest.length > 0 && (await fails(rest))) kept = rest;
      else from += size;
    }
  }
  return kept;
}
