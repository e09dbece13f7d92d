import fc from 'fast-check';
import { expect, test } from 'vitest';
import { histogramBuilder } from '../../../src/model/growing-histograms.ts';
import { histogramAt, isHistogramAt, sameHistogram, type HistogramColumns } from '../../../src/model/histogram.ts';
import {
  chunkRows,
  decodeChunk,
  decodeChunkInto,
  encodeChunk,
  type ChunkColumns,
} from '../../../src/store/codec/chunk.ts';
import { setStaleAt } from '../../../src/model/series.ts';
import type { Starts } from '../../../src/store/starts.ts';
import { randomFrom } from '../../random.ts';
import { anyChunk, anyValues, latencyChunk, scrapeTimes, setNasty } from './samples.ts';

function bytesOf(column: Float64Array): Buffer {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength);
}

function expectBits(got: Float64Array, want: Float64Array): void {
  expect(got.length).toBe(want.length);
  if (Buffer.compare(bytesOf(got), bytesOf(want)) === 0) return;
  const row = got.findIndex(
    (_, i) => Buffer.compare(bytesOf(got.slice(i, i + 1)), bytesOf(want.slice(i, i + 1))) !== 0,
  );
  expect.fail(`row ${row}: ${got[row]} instead of ${want[row]}`);
}

function expectStarts(got: Starts, want: Starts): void {
  if (typeof want === 'number' || typeof got === 'number') expect(got).toBe(want);
  else expectBits(got, want);
}

function expectHistograms(got: HistogramColumns | undefined, want: HistogramColumns | undefined, rows: number): void {
  for (let i = 0; i < rows; i++) {
    expect(isHistogramAt(got, i)).toBe(isHistogramAt(want, i));
    if (!isHistogramAt(got, i) || !isHistogramAt(want, i)) continue;
    const a = histogramAt(got, i);
    const b = histogramAt(want, i);
    expect(a.hint).toBe(b.hint);
    if (!sameHistogram(a, b)) expect(a, `row ${i}`).toEqual(b);
    expect(sameHistogram(a, b), `row ${i}`).toBe(true);
  }
}

/** Whether a chunk comes back with all its bits, from unaligned bytes and into the middle of other columns too. */
function check(chunk: ChunkColumns): void {
  const rows = chunk.times.length;
  const bytes = encodeChunk(chunk).slice();
  expect(chunkRows(bytes)).toBe(rows);
  const { times, values, starts, histograms } = decodeChunk(bytes);
  expectBits(times, chunk.times);
  expectBits(values, chunk.values);
  expectStarts(starts, chunk.starts);
  expectHistograms(histograms, chunk.histograms, rows);

  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const around = new Float64Array(rows + 5).fill(7);
  const target = around.slice();
  const rest = decodeChunkInto(shifted.subarray(3), target, around, 2);
  expectBits(target.subarray(2, 2 + rows), chunk.times);
  expectBits(around.subarray(2, 2 + rows), chunk.values);
  expectStarts(rest.starts, chunk.starts);
  expectHistograms(rest.histograms, chunk.histograms, rows);
  for (const column of [target, around]) {
    expect([...column.subarray(0, 2), ...column.subarray(2 + rows)]).toEqual([7, 7, 7, 7, 7]);
  }
}

function plain(times: Float64Array, values: Float64Array): ChunkColumns {
  return { times, values, starts: 0, histograms: undefined };
}

test('chunks of anything come back bit for bit', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  for (let round = 0; round < 500; round++) {
    const chunk = anyChunk(random.fork(round));
    try {
      check(chunk);
    } catch (error) {
      throw new Error(`seed ${seed}, round ${round}`, { cause: error });
    }
  }
}, 60_000);

test('columns of any floats come back bit for bit', () => {
  const bits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const floats = fc.double().map((value) => new BigUint64Array(Float64Array.of(value).buffer)[0]!);
  const integers = fc.maxSafeInteger().map((value) => new BigUint64Array(Float64Array.of(value).buffer)[0]!);
  fc.assert(
    fc.property(fc.array(fc.oneof(bits, floats, integers), { maxLength: 600, size: 'max' }), (column) => {
      const values = new Float64Array(BigUint64Array.from(column).buffer);
      check(plain(scrapeTimes(randomFrom(1), values.length), values));
      const finite = new Set(values.filter((value) => Number.isFinite(value)));
      const times = Float64Array.from(finite).sort();
      check(plain(times, times));
    }),
    { numRuns: 300 },
  );
});

test.each([
  ['none', []],
  ['both zeros', [0, -0, 0]],
  ['one zero below zero', [-0]],
  ['integers at the edge of what is exact', [2 ** 53, 2 ** 53 - 1, -(2 ** 53), 2 ** 52, 2 ** 51, -(2 ** 51)]],
  ['decimals that a product would round', [0.1, 0.2, 0.30000000000000004, 0.3, 1.1, 1.005, 4.35, 5e-324]],
  ['powers of ten', Array.from({ length: 40 }, (_, i) => 10 ** (i - 20))],
  ['widths of every number of bits', Array.from({ length: 120 }, (_, i) => 2 ** (i % 60) * (i % 2 === 0 ? 1 : -1))],
  ['a spike', Array.from({ length: 300 }, (_, i) => (i === 150 ? 2 ** 50 : i))],
])('values: %s', (_, values) => {
  check(plain(scrapeTimes(randomFrom(1), values.length), Float64Array.from(values)));
});

test('integers of every width are packed', () => {
  const random = randomFrom(3);
  for (let width = 0; width <= 51; width++) {
    const rows = 64;
    let value = 0;
    const values = Float64Array.from({ length: rows }, () => {
      const size = 2 ** width;
      value = (value + Math.floor(random.next() * size)) % 2 ** 51;
      return value;
    });
    check(plain(scrapeTimes(random, rows), values));
  }
});

test('the float of a histogram says nothing and becomes 0', () => {
  const chunk = latencyChunk(randomFrom(1), 5);
  setNasty(randomFrom(1), chunk.values, 2);
  expect([...decodeChunk(encodeChunk(chunk)).values]).toEqual([0, 0, 0, 0, 0]);
});

test('starts that are all the same stay one number', () => {
  const times = Float64Array.of(1, 2, 3);
  for (const starts of [0, 5, 1_760_000_000_123, -3, 0.25]) {
    expect(decodeChunk(encodeChunk({ ...plain(times, times), starts })).starts).toBe(starts);
  }
});

/** Bytes a sample, and the share of what the numbers take as they are. */
test.each<[string, number, (rows: number) => ChunkColumns]>([
  ['counter', 1.5 / 16, (rows) => series(rows, 'counter')],
  ['gauge', 2.2 / 16, (rows) => series(rows, 'gauge')],
  ['constant', 0.8 / 16, (rows) => plain(scrapeTimes(randomFrom(7), rows), new Float64Array(rows).fill(1 / 3))],
  ['all NaN', 0.8 / 16, (rows) => plain(scrapeTimes(randomFrom(7), rows), new Float64Array(rows).fill(NaN))],
  ['pages', 1.5 / 16, (rows) => series(rows, 'pages')],
  ['full mantissas', 8 / 16, (rows) => series(rows, 'seconds')],
  ['latency histogram', 9.2 / (28 * 8), (rows) => latencyChunk(randomFrom(7), rows)],
])('a chunk of 240 samples is small: %s', (_, share, chunkOf) => {
  const chunk = chunkOf(240);
  const numbers = chunk.histograms === undefined ? 2 : 28;
  expect(encodeChunk(chunk).length / (240 * numbers * 8)).toBeLessThan(share);
  check(chunk);
});

function series(rows: number, shape: string): ChunkColumns {
  const random = randomFrom(7);
  return plain(scrapeTimes(random, rows), anyValues(random, rows, shape));
}

test('a chunk of five samples has little around them', () => {
  const times = Float64Array.from({ length: 5 }, (_, i) => 1_760_000_000_000 + i * 15_000);
  expect(encodeChunk(plain(times, new Float64Array(5))).length).toBeLessThanOrEqual(20);
});

/** What is stored must be read for years: a change of these bytes needs another version. */
test.each<[string, ChunkColumns, string]>([
  [
    'that of docs/formats.md',
    {
      times: Float64Array.of(16_000, 31_007, 46_003),
      values: Float64Array.of(1.5, 2, 4.25),
      starts: 500,
      histograms: undefined,
    },
    '03e5b0dc8901032080fa01987503f80010e80712ac020832e1',
  ],
  [
    'a counter with a gap, a reset and a staleness marker',
    plain(
      Float64Array.from({ length: 24 }, (_, i) => 1_000 * (i < 12 ? i : i + 3)),
      staleAt(
        Float64Array.from({ length: 24 }, (_, i) => (i < 16 ? 9_000 + 7 * i + (i % 2) : 5 * i)),
        23,
      ),
    ),
    '039e48876c00186000e807010c030050011701020000000000f07fd08c01c20a010f838d01777777370000',
  ],
  [
    'floats of full mantissas',
    plain(Float64Array.of(1, 2, 3), Float64Array.of(1 / 3, 2 / 3, Math.PI)),
    '038a9c289e00032002010070020101555555555555e53f0001182d4454fb210940555555555555d53f',
  ],
  [
    'native histograms',
    thirds(),
    '03f47fb10a04062000e8070006010202fca9f1d24d62503f0210060101000002a80a050707b20c2003aad2132c300000000000007940c197ebc6a0ac1202010003acd5aad5aa5501',
  ],
])('the bytes stay what they are: %s', (_, chunk, want) => {
  expect(Buffer.from(encodeChunk(chunk)).toString('hex')).toBe(want);
  check(chunk);
});

/** Six histograms of two buckets each, to which observations of 7/3 and 10/3 go. */
function thirds(): ChunkColumns {
  const builder = histogramBuilder();
  const times = Float64Array.from({ length: 6 }, (_, row) => row * 1_000);
  for (const row of times.keys()) {
    const [low, high] = [100 + row + (row % 2), 50 + (row > 3 ? 4 : 0)];
    builder.set(row, {
      layout: {
        schema: 1,
        zeroThreshold: 0.001,
        positive: Int32Array.of(3, 4),
        negative: new Int32Array(0),
        bounds: new Float64Array(0),
      },
      hint: row === 0 ? 0 : 2,
      count: 7 + low + high,
      sum: (7 * low + 10 * high) / 3,
      zeroCount: 7,
      positive: Float64Array.of(low, high),
      negative: new Float64Array(0),
    });
  }
  return { times, values: new Float64Array(6), starts: 0, histograms: builder.build(6) };
}

function staleAt(values: Float64Array, row: number): Float64Array {
  setStaleAt(values, row);
  return values;
}

test.each([
  ['a zero below zero', [-5, -0, 5]],
  ['fractions', [0.5, 1, 1.5]],
  ['what no integer is exact for', [2 ** 53, 2 ** 53 + 2, 2 ** 60]],
  ['both ends', [-Number.MAX_VALUE, 0, Number.MAX_VALUE]],
  ['one', [1_760_000_000_000]],
  ['two', [1_760_000_000_000, 1_760_000_015_000]],
])('times: %s', (_, times) => {
  check(plain(Float64Array.from(times), new Float64Array(times.length)));
});

test('sums near the largest float come back', () => {
  const chunk = latencyChunk(randomFrom(1), 40);
  const { cells, layouts, starts } = chunk.histograms!;
  for (let i = 0; i < 40; i++) cells[starts[i]! + 1] = (1.7 + i / 457) * 1e308;
  const layout = { ...layouts[0]!, schema: 0, positive: Int32Array.from({ length: 24 }, (_, bucket) => 999 + bucket) };
  check({ ...chunk, histograms: { ...chunk.histograms!, layouts: [layout] } });
});

test('more rows than a chunk can have are an error', () => {
  const times = Float64Array.from({ length: 8_193 }, (_, i) => i);
  expect(() => encodeChunk(plain(times, times))).toThrow(/8192 rows at most, not 8193/);
  check(plain(times.slice(1), times.slice(1)));
});
