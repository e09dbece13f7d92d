import { stepTime } from '../../model/grid.ts';
import type { CallRows } from '../evaluation.ts';
import { withoutNames } from '../names.ts';
import { anyPresent } from '../rows.ts';
import { floatsOf } from './value-calls.ts';

/** What a date function reads off a point in time: a day since the epoch and a second of that day. */
type DateFunction = (day: number, second: number) => number;

const DATE_FUNCTIONS: ReadonlyMap<string, DateFunction> = new Map<string, DateFunction>([
  ['minute', (_day, second) => Math.floor(second / 60) % 60],
  ['hour', (_day, second) => Math.floor(second / 3600)],
  // The epoch began on a Thursday.
  ['day_of_week', (day) => remainder(day + 4, 7)],
  ['day_of_month', (day) => civilDate(day).dayOfMonth],
  ['day_of_year', (day) => civilDate(day).dayOfYear],
  ['days_in_month', (day) => daysInMonth(civilDate(day))],
  ['month', (day) => civilDate(day).month],
  ['year', (day) => civilDate(day).year],
]);

/** Functions of dates in UTC: of the floats of a vector as seconds since the epoch, or of the time of each step. */
export const DATE_CALLS: ReadonlyMap<string, CallRows> = new Map(
  [...DATE_FUNCTIONS].map(([name, read]) => [name, dateCall(read)]),
);

function dateCall(read: DateFunction): CallRows {
  return (node, evaluation, sink) => {
    const { grid } = evaluation;
    const [vector] = node.args;
    const values = new Float64Array(grid.steps);
    const present = new Uint8Array(grid.steps);
    if (vector === undefined) {
      for (let step = 0; step < grid.steps; step++) values[step] = readAt(read, stepTime(grid, step) / 1000);
      return sink({ labels: [], values, present: present.fill(1) });
    }
    withoutNames(vector, false, evaluation, sink, (named) =>
      evaluation.rows(vector, (row) => {
        floatsOf(row, present);
        for (let step = 0; step < grid.steps; step++) {
          if (present[step] === 1) values[step] = readAt(read, row.values[step]!);
        }
        if (anyPresent(present)) named({ ...row, values, present, histograms: undefined });
      }),
    );
  };
}

const DAY_SECONDS = 86_400;

/** Seconds since the epoch, fractions left out. What is no whole number of 64 bits becomes the least one, as in Go. */
function readAt(read: DateFunction, seconds: number): number {
  const whole = Math.abs(seconds) < 2 ** 63 ? Math.trunc(seconds) : -(2 ** 63);
  if (whole < FIRST_SECOND) return readWrapped(read, whole);
  const second = remainder(whole, DAY_SECONDS);
  // Beyond 2^53 the difference may be rounded; the quotient is not.
  return read(Math.round((whole - second) / DAY_SECONDS), second);
}

/** Go counts dates in 64 bits from the first of March of the year -292277022400; what is earlier is at the other end. */
const FIRST_SECOND = -9_223_372_028_741_760_000;

function readWrapped(read: DateFunction, whole: number): number {
  const seconds = BigInt(whole) + 2n ** 64n;
  const days = BigInt(DAY_SECONDS);
  return read(Number(seconds / days), Number(seconds % days));
}

interface CivilDate {
  readonly year: number;
  /** From 1 on, as the days. */
  readonly month: number;
  readonly dayOfMonth: number;
  readonly dayOfYear: number;
}

/** Days before each month of a common year. */
const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/** Days of 400 years, after which the Gregorian calendar begins again, and from the first of those to the epoch's. */
const ERA_DAYS = 146_097;
const ERA_YEARS = 400;
const EPOCH_IN_ERA = 135_140;

/** The date of the epoch's first era begins in the year 1600. */
const ERA_START = 1600;

let lastDay = NaN;
let lastDate: CivilDate = { year: 1970, month: 1, dayOfMonth: 1, dayOfYear: 1 };

/** The date in the Gregorian calendar, which goes on for ever both ways. Most days come more than once in a row. */
function civilDate(day: number): CivilDate {
  if (day === lastDay) return lastDate;
  const days = day + EPOCH_IN_ERA;
  const inEra = remainder(days, ERA_DAYS);
  const era = Math.round((days - inEra) / ERA_DAYS);
  // A guess by the mean length of a year is right or one too late.
  let yearOfEra = Math.floor((inEra + 1) / 365.2425);
  if (daysBeforeYear(yearOfEra) > inEra) yearOfEra--;
  else if (daysBeforeYear(yearOfEra + 1) <= inEra) yearOfEra++;
  const dayOfYear = inEra - daysBeforeYear(yearOfEra) + 1;
  const leap = isLeap(yearOfEra) ? 1 : 0;
  let month = 12;
  while (daysBeforeMonth(month, leap) >= dayOfYear) month--;
  lastDay = day;
  lastDate = {
    year: ERA_START + era * ERA_YEARS + yearOfEra,
    month,
    dayOfMonth: dayOfYear - daysBeforeMonth(month, leap),
    dayOfYear,
  };
  return lastDate;
}

function daysInMonth({ year, month }: CivilDate): number {
  const leap = isLeap(year) ? 1 : 0;
  return month === 12 ? 31 : daysBeforeMonth(month + 1, leap) - daysBeforeMonth(month, leap);
}

/** Days before a year of the era; its year 0 is a leap year. */
function daysBeforeYear(year: number): number {
  if (year === 0) return 0;
  const before = year - 1;
  return year * 365 + Math.floor(before / 4) - Math.floor(before / 100) + 1;
}

function daysBeforeMonth(month: number, leap: 0 | 1): number {
  return DAYS_BEFORE[month - 1]! + (month > 2 ? leap : 0);
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function remainder(value: number, divisor: number): number {
  const rest = value % divisor;
  // No negative zero.
  return rest < 0 ? rest + divisor : rest + 0;
}
