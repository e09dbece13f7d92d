/**
 * The smallest case found that still fails. `smaller` gives what is one simplification away, the boldest first; the first that
 * fails too is the case to go on from. An attempt that makes no sense must not fail.
 */
export async function shrink<T>(
  failing: T,
  smaller: (given: T) => Iterable<T>,
  fails: (attempt: T) => Promise<boolean>,
  attemptsMax: number,
): Promise<T> {
  let best = failing;
  let attempts = 0;
  search: while (attempts < attemptsMax) {
    for (const attempt of smaller(best)) {
      if (attempts++ >= attemptsMax) break;
      if (await fails(attempt)) {
        best = attempt;
        continue search;
      }
    }
    break;
  }
  return best;
}
