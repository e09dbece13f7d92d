import { expect, test } from 'vitest';
import { lateRowAt, lateRows, putLateRow, settleRows, type LateRows } from '../../src/store/late-rows.ts';
import { randomFrom } from '../random.ts';
import { printFloat, STALE_BITS } from './samples.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const VALUES = new Float64Array(BigUint64Array.of(STALE_BITS, 0x7ff8000000000123n, 1n << 63n, 0n).buffer);

function printRow({ times, values, starts, histograms }: LateRows, row: number): string {
  return `${times[row]} ${printFloat(values, row)} ${starts[row]} ${histograms[row]}`;
}

test(`rows in any order are found by their times, and come out in order (SEED=${SEED})`, () => {
  const random = randomFrom(SEED);
  for (const order of ['ascending', 'descending', 'any', 'any', 'any'] as const) {
    const late = lateRows();
    const want = new Map<number, string>();
    const count = random.pick([1, 3, 255, 256, 257, 258, 1_000, 3_000]);
    for (let n = 0; n < count; n++) {
      const timeMs = order === 'ascending' ? n : order === 'descending' ? -n : random.int(-10_000, 10_000);
      if ((lateRowAt(late, timeMs) !== undefined) !== want.has(timeMs)) expect.fail(`at ${timeMs}`);
      if (want.has(timeMs)) continue;
      const row = random.int(0, VALUES.length - 1);
      putLateRow(late, timeMs, VALUES, row, n, -n);
      want.set(timeMs, `${timeMs} ${printFloat(VALUES, row)} ${n} ${-n}`);
      if (random.chance(0.01)) settleRows(late);
    }
    for (const [timeMs, text] of want) expect(printRow(late, lateRowAt(late, timeMs)!)).toBe(text);
    settleRows(late);
    const sorted = [...want].sort(([a], [b]) => a - b).map(([, text]) => text);
    expect(Array.from({ length: late.count }, (_, row) => printRow(late, row))).toEqual(sorted);
  }
});
