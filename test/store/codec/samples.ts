import { histogramBuilder } from '../../../src/model/growing-histograms.ts';
import {
  CUSTOM_BUCKETS,
  cellsOf,
  type HistogramColumns,
  type HistogramLayout,
  type NativeHistogram,
} from '../../../src/model/histogram.ts';
import type { ChunkColumns } from '../../../src/store/codec/chunk.ts';
import type { Random } from '../../random.ts';
import { STALE_BITS } from '../samples.ts';

/** Floats that codecs have lost bits of. */
const NASTY_BITS = [
  STALE_BITS,
  0x7ff8000000000001n,
  0xfff8000000000123n,
  0x7ff0000000000001n,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x8000000000000000n,
  0x0000000000000000n,
  0x0000000000000001n,
  0x800fffffffffffffn,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x3ff0000000000001n,
  0x433fffffffffffffn,
  0x4340000000000000n,
  0x4340000000000001n,
  0x4320000000000000n,
  0x431fffffffffffffn,
  0xc320000000000000n,
  0xc31fffffffffffffn,
];

/** Writes one of them, or any other bits, into a column. */
export function setNasty(random: Random, column: Float64Array, row: number): void {
  const bits = new BigUint64Array(column.buffer, column.byteOffset, column.length);
  const any = (BigInt(random.int(0, 2 ** 32 - 1)) << 32n) | BigInt(random.int(0, 2 ** 32 - 1));
  bits[row] = random.chance(0.7) ? random.pick(NASTY_BITS) : any;
}

/** What series look like: each shape makes a column. */
const SHAPES: Readonly<Record<string, (random: Random, rows: number) => Float64Array>> = {
  counter: (random, rows) => walk(rows, 0, (value) => (random.chance(1 / 500) ? 0 : value + random.int(0, 29))),
  gauge: (random, rows) =>
    walk(rows, random.int(0, 1e6), (value) => value + random.int(-500, 500)).map((value) => value / 1_000),
  constant: (random, rows) => new Float64Array(rows).fill(random.pick([0, 1, -0, 0.1, 1 / 3, NaN, Infinity, 2 ** 60])),
  flag: (random, rows) => column(rows, () => random.int(0, 1)),
  pages: (random, rows) => walk(rows, 2 ** 30, (value) => value + 4_096 * random.int(-9, 9)),
  thirds: (random, rows) => column(rows, () => random.int(0, 3_000) / 3),
  single: (random, rows) => column(rows, () => Math.fround(random.float(20, 30))),
  seconds: (random, rows) => walk(rows, 0, (value) => value + random.float(0, 1)),
  large: (random, rows) => walk(rows, 2 ** 51 - 5_000, (value) => value + random.int(0, 29)),
  wide: (random, rows) => column(rows, () => random.int(-(2 ** 51) + 1, 2 ** 51 - 1)),
  digits: (random, rows) => column(rows, () => Number(`0.${random.int(1, 2 ** 50)}`)),
  magnitudes: (random, rows) => column(rows, () => random.float(-1, 1) * 10 ** random.int(-300, 300)),
  nasty: (random, rows) => {
    const values = new Float64Array(rows);
    for (let i = 0; i < rows; i++) setNasty(random, values, i);
    return values;
  },
};

function column(rows: number, next: () => number): Float64Array {
  return Float64Array.from({ length: rows }, next);
}

function walk(rows: number, first: number, next: (value: number) => number): Float64Array {
  let value = first;
  return column(rows, () => (value = next(value)));
}

/** Values of any shape, some with floats of another kind in between. */
export function anyValues(random: Random, rows: number, shape?: string): Float64Array {
  const make = SHAPES[shape ?? random.pick(Object.keys(SHAPES))]!;
  const values = make(random, rows);
  if (shape !== undefined || rows === 0) return values;
  for (let spots = random.int(-3, 3); spots > 0; spots--) setNasty(random, values, random.int(0, rows - 1));
  if (random.chance(0.2)) {
    // The second half is of another shape.
    values.set(anyValues(random, rows - (rows >> 1)), rows >> 1);
  }
  return values;
}

/** Times of scrapes at 15 s with up to 20 ms of jitter, one in 200 missing. */
export function scrapeTimes(random: Random, rows: number): Float64Array {
  let scrape = 0;
  return column(rows, () => {
    scrape += random.chance(1 / 200) ? 2 : 1;
    return 1_760_000_000_000 + scrape * 15_000 + random.int(0, 20);
  });
}

function anyTimes(random: Random, rows: number): Float64Array {
  switch (random.int(0, 6)) {
    case 0:
      return walk(rows, random.int(-100, 100), (time) => time + 1);
    case 1:
      return walk(rows, random.int(0, 2 ** 41), (time) => time + random.int(1, 10 ** random.int(0, 9)));
    case 2:
      return walk(rows, -1.5, (time) => time + random.pick([0.25, 1, 1e-3]));
    case 3:
      // The interval changes, and some samples come much later.
      return walk(
        rows,
        0,
        (time) => time + (random.chance(0.02) ? 10 ** random.int(5, 9) : time < 1e6 ? 1_000 : 60_000),
      );
    case 4: {
      const times = new Set<number>();
      while (times.size < rows) times.add(random.float(-1, 1) * 10 ** random.int(0, 300));
      return Float64Array.from(times).sort();
    }
    case 5:
      return walk(rows, -(2 ** 53), (time) => time + 2 ** random.int(1, 42));
    default:
      return scrapeTimes(random, rows);
  }
}

function anyLayout(random: Random): HistogramLayout {
  const ascending = (count: number, first: number): number[] => {
    let index = first;
    return Array.from({ length: count }, () => (index += random.chance(0.9) ? 1 : random.int(1, 99)));
  };
  if (random.chance(0.3)) {
    const bounds = Float64Array.from(ascending(random.int(0, 12), -3), (bound) => bound / 4);
    const positive = Int32Array.from({ length: bounds.length + 1 }, (_, index) => index);
    return { schema: CUSTOM_BUCKETS, zeroThreshold: 0, positive, negative: new Int32Array(0), bounds };
  }
  return {
    schema: random.int(-4, 8),
    zeroThreshold: random.pick([0, 2 ** -128, 0.001, -0]),
    positive: Int32Array.from(ascending(random.int(0, 40), random.int(-2_000, 2_000))),
    negative: Int32Array.from(ascending(random.chance(0.8) ? 0 : random.int(1, 9), random.int(-9, 9))),
    bounds: new Float64Array(0),
  };
}

/** Histograms in rows that `isHistogram` picks; some whose counts no counters have. */
function anyHistograms(random: Random, rows: number, isHistogram: (row: number) => boolean): HistogramColumns {
  const builder = histogramBuilder(rows);
  const isOdd = random.chance(0.4);
  const rate = random.pick([0, 1, 6, 500]);
  let layout = anyLayout(random);
  const other = anyLayout(random);
  let cells = new Float64Array(cellsOf(layout));
  for (let row = 0; row < rows; row++) {
    if (random.chance(0.02)) {
      layout = random.chance(0.5) ? other : anyLayout(random);
      cells = new Float64Array(cellsOf(layout));
    }
    observe(random, cells, rate);
    if (!isHistogram(row)) continue;
    const kept = cells.slice();
    if (isOdd && random.chance(0.1)) setNasty(random, kept, random.int(0, kept.length - 1));
    if (isOdd && random.chance(0.1)) kept[0] = random.int(0, 99);
    builder.set(row, histogramOf(layout, kept, isOdd ? random.int(0, 3) : 0));
  }
  return builder.build(rows)!;
}

/** Adds observations: each to a bucket, to the count and, somewhere in it, to the sum. */
function observe(random: Random, cells: Float64Array, rate: number): void {
  for (let n = random.int(0, 2 * rate); n > 0; n--) {
    cells[2 + Math.min(random.int(0, cells.length - 3), random.int(0, cells.length - 3))]! += 1;
    cells[0]! += 1;
    cells[1]! += random.float(0, 1);
  }
}

function histogramOf(layout: HistogramLayout, cells: Float64Array, hint: number): NativeHistogram {
  const end = 3 + layout.positive.length;
  const [count, sum, zeroCount] = cells as unknown as [number, number, number];
  return { layout, hint, count, sum, zeroCount, positive: cells.subarray(3, end), negative: cells.subarray(end) };
}

/** A chunk like those of a service's latency: 24 buckets at schema 3, six observations a scrape, anywhere in their buckets. */
export function latencyChunk(random: Random, rows: number): ChunkColumns {
  const first = -40;
  const layout: HistogramLayout = {
    schema: 3,
    zeroThreshold: 2 ** -128,
    positive: Int32Array.from({ length: 24 }, (_, bucket) => first + bucket),
    negative: new Int32Array(0),
    bounds: new Float64Array(0),
  };
  const builder = histogramBuilder(rows);
  // A process that has run for some days.
  const cells = Float64Array.of(120_000, 12_345.6789, 0, ...new Float64Array(24).fill(5_000));
  for (let row = 0; row < rows; row++) {
    for (let n = random.int(0, 12); n > 0; n--) {
      const bucket = Math.min(random.int(0, 23), random.int(0, 23));
      cells[3 + bucket]! += 1;
      cells[0]! += 1;
      cells[1]! += 2 ** ((first + bucket - random.next()) / 8);
    }
    builder.set(row, histogramOf(layout, cells.slice(), 0));
  }
  return {
    times: scrapeTimes(random, rows),
    values: new Float64Array(rows),
    starts: 0,
    histograms: builder.build(rows),
  };
}

/** A chunk of anything that can be in one. */
export function anyChunk(random: Random): ChunkColumns {
  const rows = random.pick([1, 2, 3, 5, 30, 120, random.int(1, 300), random.int(250, 1_100)]);
  const values = anyValues(random, rows);
  const share = random.pick([0, 0, 0, 1, 1, 0.5]);
  const histograms = share === 0 ? undefined : anyHistograms(random, rows, (row) => row === 0 || random.chance(share));
  if (histograms !== undefined) for (let i = 0; i < rows; i++) if (histograms.layoutOf[i] !== -1) values[i] = 0;
  const starts = random.pick([
    0,
    0,
    1_760_000_000_000,
    0.5,
    walk(rows, 5, (at) => (random.chance(0.05) ? at + 7 : at)),
  ]);
  return { times: anyTimes(random, rows), values, starts, histograms };
}
