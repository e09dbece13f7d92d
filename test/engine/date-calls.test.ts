import { describe, expect, it } from 'vitest';
import { randomFrom } from '../random.ts';
import { now, rowsOf } from './instant.ts';

const FIELDS = ['year', 'month', 'day_of_month', 'hour', 'minute', 'day_of_week', 'day_of_year', 'days_in_month'];

const fieldsAt = (seconds: number): unknown[] =>
  FIELDS.map((field) => rowsOf(`${field}(m)`, [now({ __name__: 'm', x: '1' }, seconds)])[0]![1][0]);

describe('functions of dates', () => {
  it.each<[string, number, number[]]>([
    ['the epoch', 0, [1970, 1, 1, 0, 0, 4, 1, 31]],
    ['the second before it', -1, [1969, 12, 31, 23, 59, 3, 365, 31]],
    ['a part of a second before it', -0.5, [1970, 1, 1, 0, 0, 4, 1, 31]],
    ['a leap day', 951782400, [2000, 2, 29, 0, 0, 2, 60, 29]],
    ['the day after it', 951868800, [2000, 3, 1, 0, 0, 3, 61, 31]],
    ['a century without one', 4107542400, [2100, 3, 1, 0, 0, 1, 60, 31]],
    ['far away', 1e15, [31690708, 7, 5, 1, 46, 0, 187, 31]],
    ['far away, before', -1e15, [-31686769, 6, 29, 22, 13, 0, 180, 30]],
    ['near the beginning of all dates', -9223372028741000192, [-292277022400, 3, 9, 19, 3, 4, 69, 31]],
    ['before it', -9223372031000000512, [292277026782, 6, 17, 5, 58, 4, 168, 30]],
    ['no number', NaN, [292277026596, 12, 4, 15, 30, 0, 339, 31]],
    ['no number of 64 bits', 1e300, [292277026596, 12, 4, 15, 30, 0, 339, 31]],
  ])('%s', (_name, seconds, want) => expect(fieldsAt(seconds)).toEqual(want));

  it('are those of the Gregorian calendar', () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = randomFrom(seed);
    for (let i = 0; i < 300; i++) {
      const seconds = random.int(-1e11, 1e11);
      const date = new Date(seconds * 1000);
      const year = date.getUTCFullYear();
      const start = Date.UTC(2000, 0, 1) + (new Date(0).setUTCFullYear(year, 0, 1) - Date.UTC(2000, 0, 1));
      const last = new Date(new Date(0).setUTCFullYear(year, date.getUTCMonth() + 1, 0));
      const dayOfYear = Math.floor((seconds * 1000 - start) / 86_400_000) + 1;
      const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCDay()];
      const want = [year, date.getUTCMonth() + 1, date.getUTCDate(), ...clock, dayOfYear, last.getUTCDate()];
      expect(fieldsAt(seconds), `seed ${seed}, ${seconds}`).toEqual(want);
    }
  });

  it('without an argument are of the step', () => {
    expect(rowsOf('minute()', [], { from: 60, to: 180, step: 60 })).toEqual([['{}', [1, 2, 3]]]);
  });

  it('drop the name', () =>
    expect(rowsOf('year(m)', [now({ __name__: 'm', x: '1' }, 0)])).toEqual([['{x="1"}', [1970]]]));
});
