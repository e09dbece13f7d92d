import { ComityError } from '../base/errors.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const YEAR_MS = 365 * DAY_MS;

const UNITS = [
  ['y', YEAR_MS],
  ['w', WEEK_MS],
  ['d', DAY_MS],
  ['h', HOUR_MS],
  ['m', MINUTE_MS],
  ['s', SECOND_MS],
  ['ms', 1],
] as const;

/** Prometheus keeps durations as 64-bit nanoseconds; about 292 years. */
export const DURATION_MS_MAX = 2 ** 63 / 1e6;

/** Years, weeks, days, hours, minutes, seconds, milliseconds: in this order, each at most once. */
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/**
 * Milliseconds of a Prometheus duration such as `1h30m`; `0` needs no unit. A year has 365 days, a week 7 days, a day
 * 24 hours. Throws `bad_data` for anything else, and for more than about 292 years.
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const match = DURATION.exec(text);
  if (text === '' || match === null) {
    throw new ComityError(
      'bad_data',
      `not a valid duration: ${JSON.stringify(text)}; write it as 1h30m, with units y, w, d, h, m, s, ms in this order`,
    );
  }
  const ms = UNITS.reduce((sum, [, unitMs], index) => sum + Number(match[index + 1] ?? 0) * unitMs, 0);
  if (ms >= DURATION_MS_MAX) throw new ComityError('bad_data', `duration out of range: ${JSON.stringify(text)}`);
  return ms;
}

/** A duration as a number of seconds, rounded as Go does it: whole seconds and the fraction are added as floats. */
export function durationSeconds(ms: number): number {
  return ms < 0 ? -durationSeconds(-ms) : Math.floor(ms / 1000) + (ms % 1000) / 1000;
}

/**
 * Whole milliseconds of a duration written as a number of seconds: rounded to nanoseconds, as Prometheus keeps durations,
 * and what is below a millisecond left out. Takes finite numbers.
 */
export function durationMs(seconds: number): number {
  const ms = Number(nanoseconds(seconds) / 1_000_000n);
  return seconds < 0 && ms !== 0 ? -ms : ms;
}

/** Whether a duration written as a number of seconds is none. */
export function isNoDuration(seconds: number): boolean {
  return nanoseconds(seconds) === 0n;
}

function nanoseconds(seconds: number): bigint {
  return BigInt(Math.round(Math.abs(seconds) * 1e9));
}

/**
 * The duration as Prometheus writes it: `90m` becomes `1h30m`, `1d12h` stays. Years and weeks appear only when nothing
 * remains below them, because 90d reads better than 12w6d. Takes whole milliseconds; a negative one gets a leading `-`.
 */
export function printDuration(ms: number): string {
  if (ms < 0) return `-${printDuration(-ms)}`;
  if (ms === 0) return '0s';
  let rest = ms;
  let text = '';
  for (const [unit, unitMs] of UNITS) {
    if (unitMs >= WEEK_MS && rest % unitMs !== 0) continue;
    const count = Math.floor(rest / unitMs);
    if (count === 0) continue;
    text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  return text;
}
