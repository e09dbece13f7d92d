import type { Random } from '../random.ts';
import type { Scope } from './scope.ts';

/** The kinds of computed durations that a run counts. */
export type DurationForm =
  | 'duration_expr'
  | 'duration step()'
  | 'duration range()'
  | 'duration min_of'
  | 'duration max_of';

export const DURATION_FORMS: readonly DurationForm[] = [
  'duration_expr',
  'duration step()',
  'duration range()',
  'duration min_of',
  'duration max_of',
];

/** A window of about 20 s to 15 min, now and then computed. */
export function windowText(scope: Scope, form?: DurationForm): string {
  const { random } = scope;
  const seconds = random.pick([20, 45, 60, 61, 90, 120, 120, 180, 300, 300, 600, 900]);
  if (form !== undefined) return computed(seconds, form, random);
  if (random.chance(0.06)) return computed(seconds, random.pick(DURATION_FORMS), random);
  return plain(seconds, random);
}

/** An offset, also of the future. */
export function offsetText(scope: Scope, isNegative: boolean): string {
  const { random } = scope;
  const seconds = random.pick([1, 15, 30, 47, 60, 90, 180, 300, 420]);
  const sign = isNegative ? '-' : '';
  if (random.chance(0.08)) return `${sign}(${computed(seconds, random.pick(DURATION_FORMS), random)})`;
  return sign + plain(seconds, random);
}

/** The resolution of a subquery; nothing for the server's. */
export function resolutionText(scope: Scope): string | undefined {
  const { random } = scope;
  if (random.chance(0.12)) return undefined;
  const seconds = random.pick([7, 15, 20, 30, 60, 60, 120]);
  return random.chance(0.06) ? computed(seconds, random.pick(DURATION_FORMS), random) : plain(seconds, random);
}

function plain(seconds: number, random: Random): string {
  return random.weighted<() => string>([
    [8, () => (seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`)],
    [2, () => `${seconds}s`],
    [2, () => (seconds > 60 ? `${Math.floor(seconds / 60)}m${seconds % 60}s` : `${seconds}s`)],
    [1, () => `${seconds * 1000}ms`],
    [1, () => String(seconds)],
  ])();
}

function computed(seconds: number, form: DurationForm, random: Random): string {
  switch (form) {
    case 'duration_expr':
      return random.pick([
        `${seconds}s * 2`,
        `${seconds}s + 1m`,
        `(2m + ${seconds}s) / 2`,
        `${seconds} - 1s + 3`,
        `10m % ${seconds + 7}s + 1m`,
        `2 ^ ${random.int(4, 9)}`,
        `-(-${seconds}s)`,
        `+${seconds}s`,
      ]);
    case 'duration step()':
      return random.pick([`step() + ${seconds}s`, `2 * step() + 1m`, `${seconds}s + step() / 2`]);
    case 'duration range()':
      return random.pick([`range() / 4 + ${seconds}s`, `${seconds}s + range() % 3m`]);
    case 'duration min_of':
      return random.pick([
        `min_of(${seconds}s, 10m)`,
        `min_of(range() + 1m, ${seconds}s)`,
        `min_of(7m, ${seconds}s * 2)`,
      ]);
    case 'duration max_of':
      return random.pick([`max_of(step(), ${seconds}s)`, `max_of(1m, ${seconds}s)`, `max_of(step() * 3, 2m)`]);
  }
}
