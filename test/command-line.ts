import { InvalidArgumentError } from 'commander';

/** Reads an option's value as a whole number of at least 0, for commander. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('not a whole number of at least 0');
  return value;
}
