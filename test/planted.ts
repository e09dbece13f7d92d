/** Which third of what takes long a run asks: drawn anew for each. */
const TURN = Math.floor(Math.random() * 3);

/**
 * A third of the planted mistakes, for each of which a program has to be started, or of long scripts; another third in another
 * run, and all with `COMITY_MUTANTS=all`.
 */
export function someOf<T>(all: readonly T[]): readonly T[] {
  return process.env['COMITY_MUTANTS'] === 'all' ? all : all.filter((_, i) => i % 3 === TURN);
}
