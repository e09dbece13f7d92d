/** After each so many batches a series is deleted, which came with a batch so many before. */
export const DELETION_EVERY = 12;
export const DELETED_BEFORE = 7;

/** Inputs that are joined into one series. */
export const INPUTS = 7;

/** What an input has counted at batch `n`; it begins anew every so often. */
export function inputValue(input: number, n: number): number {
  return (n % (11 + input)) * (input + 1);
}

/** What the inputs have gone up by at each batch from 1 to `n`; the first one is where counting begins. */
export function joinedTotals(n: number): number[] {
  const totals = [0];
  for (let one = 2; one <= n; one++) {
    let total = totals.at(-1)!;
    for (let input = 0; input < INPUTS; input++) {
      const value = inputValue(input, one);
      const before = inputValue(input, one - 1);
      total += value < before ? value : value - before;
    }
    totals.push(total);
  }
  return totals;
}
