import { expect, test } from 'vitest';
import { histogramBuilder } from '../../src/model/growing-histograms.ts';
import {
  concatHistograms,
  histogramAt,
  isHistogramAt,
  sameHistogram,
  sliceHistograms,
  type HistogramColumns,
  type NativeHistogram,
} from '../../src/model/histogram.ts';

function histogram(index: number, count: number, schema = 0): NativeHistogram {
  return {
    layout: {
      schema,
      zeroThreshold: 0,
      positive: Int32Array.of(index, index + 1),
      negative: Int32Array.of(),
      bounds: new Float64Array(0),
    },
    hint: 2,
    count,
    sum: -count,
    zeroCount: 0,
    positive: Float64Array.of(count, 0),
    negative: Float64Array.of(),
  };
}

/** A letter a row: f for a float, a to e for histograms. */
function columnsOf(text: string): HistogramColumns | undefined {
  const builder = histogramBuilder();
  text.split('').forEach((letter, row) => {
    if (letter !== 'f') builder.set(row, letterHistogram(letter));
  });
  return builder.build(text.length);
}

function letterHistogram(letter: string): NativeHistogram {
  const code = letter.charCodeAt(0);
  return histogram(code % 3, code);
}

function printed(columns: HistogramColumns | undefined, rows: number): string {
  return Array.from({ length: rows }, (_, row) => {
    if (!isHistogramAt(columns, row)) return 'f';
    const found = histogramAt(columns, row);
    const letter = String.fromCharCode(found.count);
    expect(found).toEqual(letterHistogram(letter));
    return letter;
  }).join('');
}

test('columns come back row by row, equal layouts shared', () => {
  expect(printed(columnsOf('fabffdc'), 7)).toBe('fabffdc');
  expect(columnsOf('fff')).toBeUndefined();
  // a and d have the same buckets.
  expect(columnsOf('adadad')!.layouts.length).toBe(1);
});

test('slices and concatenations are those of the rows', () => {
  for (const text of ['fabffdc', 'abc', 'fff', 'cffc']) {
    for (let from = 0; from <= text.length; from++) {
      for (let to = from; to <= text.length; to++) {
        const columns = columnsOf(text);
        const slice = columns && sliceHistograms(columns, from, to);
        expect(printed(slice, to - from)).toBe(text.slice(from, to));
        const pieces = [
          { rows: to - from, histograms: slice },
          { rows: 2, histograms: undefined },
          { rows: text.length, histograms: columns },
        ];
        const whole = `${text.slice(from, to)}ff${text}`;
        expect(printed(concatHistograms(pieces), whole.length)).toBe(whole);
      }
    }
  }
  expect(concatHistograms([{ rows: 3, histograms: undefined }])).toBeUndefined();
  expect(concatHistograms([1, 2].map((rows) => ({ rows, histograms: undefined })))).toBeUndefined();
  // Cells that no row of the slice has are left behind.
  const slice = sliceHistograms(columnsOf('abcab')!, 1, 2);
  expect(concatHistograms([slice, slice].map((histograms) => ({ rows: 1, histograms })))!.cells.length).toBe(10);
});

test('equal histograms are equal in every bit but the hint', () => {
  const one = histogram(1, 5);
  const check = (change: Partial<NativeHistogram>, want: boolean): void =>
    expect(sameHistogram(one, { ...one, ...change })).toBe(want);
  check({}, true);
  check({ hint: 0, layout: { ...one.layout, positive: one.layout.positive.slice() } }, true);
  check({ count: 6 }, false);
  check({ sum: NaN }, false);
  check({ zeroCount: -0 }, false);
  check({ positive: Float64Array.of(5, -0) }, false);
  check({ layout: { ...one.layout, schema: 1 } }, false);
  expect(sameHistogram({ ...one, sum: NaN }, { ...one, sum: NaN })).toBe(true);
});
