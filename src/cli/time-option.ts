import { ComityError } from '../base/errors.ts';

/** A time of the command line in ms since the epoch: a day, UTC, or RFC 3339. Throws `bad_data` naming the option. */
export function timeOption(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00Z` : text);
  if (!Number.isNaN(ms)) return ms;
  throw new ComityError(
    'bad_data',
    `${option}: ${JSON.stringify(text)} is no time; write 2026-11-22 or 2026-11-22T08:05Z`,
  );
}
