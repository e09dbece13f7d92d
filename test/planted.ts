/** Which third of the planted mistakes a run asks: drawn anew for each, as a program has to be started for every one. */
const TURN = Math.floor(Math.random() * 3);

/** A third of the mistakes, another one in another run; all with `COMITY_MUTANTS=all`. */
export function someOf<T>(mistakes: readonly T[]): readonly T[] {
  return process.env['COMITY_MUTANTS'] === 'all' ? mistakes : mistakes.filter((_, i) => i % 3 === TURN);
}
