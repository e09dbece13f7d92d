import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { histogramBuilder } from '../../src/model/growing-histograms.ts';
import {
  CUSTOM_BUCKETS,
  histogramAt,
  isHistogramAt,
  type HistogramColumns,
  type NativeHistogram,
} from '../../src/model/histogram.ts';
import { decodeRecord, encodeRecord } from '../../src/store/write-ahead.ts';
import { randomFrom } from '../random.ts';
import { printHistogram, STALE_BITS } from './samples.ts';

const TIMES = Float64Array.of(-1, 0, 1.5, 1_700_000_000_000, 2 ** 53);
const VALUES = new Float64Array(
  BigUint64Array.of(0n, 1n << 63n, STALE_BITS, 0xfff8000000000123n, 0x7ff0000000000000n).buffer,
);
const PLAIN = { starts: 0, histograms: undefined };
const IDS = Uint32Array.of(1, 2, 3, 2 ** 32 - 1, 1);

function bits(values: Float64Array): bigint[] {
  return [...new BigUint64Array(values.slice().buffer)];
}

/** The same bytes where no column is aligned. */
function shifted(bytes: Uint8Array): Uint8Array {
  const moved = new Uint8Array(bytes.length + 3);
  moved.set(bytes, 3);
  return moved.subarray(3);
}

function histogram(index: number, schema: number): NativeHistogram {
  return {
    layout: {
      schema,
      zeroThreshold: 0.25,
      positive: Int32Array.of(index, index + 2, index + 3),
      negative: schema === CUSTOM_BUCKETS ? new Int32Array(0) : Int32Array.of(-index),
      bounds: schema === CUSTOM_BUCKETS ? Float64Array.of(-1, 0.5, 7) : new Float64Array(0),
    },
    hint: 3,
    count: 7,
    sum: -0,
    zeroCount: 1,
    positive: Float64Array.of(1, 2, 3.5),
    negative: schema === CUSTOM_BUCKETS ? new Float64Array(0) : Float64Array.of(4),
  };
}

/** Rows 1, 3 and 4 of five are histograms, of two layouts. */
function someHistograms(): HistogramColumns {
  const builder = histogramBuilder();
  builder.set(1, histogram(1, 3));
  builder.set(3, histogram(2, CUSTOM_BUCKETS));
  builder.set(4, histogram(1, 3));
  return builder.build(5)!;
}

function printedHistograms(columns: HistogramColumns | undefined): string[] {
  return Array.from(TIMES, (_, i) => (isHistogramAt(columns, i) ? printHistogram(histogramAt(columns, i)) : 'float'));
}

const HISTOGRAMS = someHistograms();
const WANT_HISTOGRAMS = printedHistograms(HISTOGRAMS);
const STARTS = Float64Array.of(1, 0, 3, 4, 5);

const CODECS = {
  'record with every section': {
    bytes: encodeRecord({
      seriesIds: IDS,
      times: TIMES,
      values: VALUES,
      starts: STARTS,
      histograms: HISTOGRAMS,
    }).slice(),
    decode: (bytes: Uint8Array) => {
      const { times, values, seriesIds, starts, histograms } = decodeRecord(bytes);
      const rest = [[...seriesIds], [...(starts as Float64Array)], printedHistograms(histograms)];
      return { times: [...times], values: bits(values), rest };
    },
    want: { times: [...TIMES], values: bits(VALUES), rest: [[...IDS], [...STARTS], WANT_HISTOGRAMS] },
  },
  record: {
    bytes: encodeRecord({ ...PLAIN, seriesIds: IDS, times: TIMES, values: VALUES }).slice(),
    decode: (bytes: Uint8Array) => {
      const { times, values, seriesIds } = decodeRecord(bytes);
      return { times: [...times], values: bits(values), rest: [...seriesIds] };
    },
    want: { times: [...TIMES], values: bits(VALUES), rest: [...IDS] },
  },
};

for (const [name, { bytes, decode, want }] of Object.entries(CODECS)) {
  test(`a ${name} comes back bit for bit`, () => {
    expect(decode(bytes)).toEqual(want);
    expect(decode(shifted(bytes))).toEqual(want);
  });

  test(`a ${name} with one bit changed or bytes missing is refused`, () => {
    for (let length = 0; length < bytes.length; length++)
      expect(() => decode(bytes.slice(0, length))).toThrow(/damaged/);
    for (let at = 0; at < bytes.length; at++) {
      // Bytes 1 to 3 are padding that says nothing.
      if (at >= 1 && at <= 3) continue;
      for (let bit = 0; bit < 8; bit++) {
        const changed = bytes.slice();
        changed[at]! ^= 1 << bit;
        expect(() => decode(changed), `byte ${at}, bit ${bit}`).toThrow(/damaged/);
      }
    }
  });
}

test('a frame whose checksum is right but whose parts do not fit is refused', () => {
  for (const { bytes, decode } of Object.values(CODECS)) {
    const random = randomFrom(1).next;
    for (let round = 0; round < 20_000; round++) {
      const changed = bytes.slice();
      const view = new DataView(changed.buffer);
      // Numbers of four bytes, where counts, rows and indexes are.
      for (let edits = 0; edits < 1 + (round % 3); edits++) {
        const at = 8 + Math.floor(random() * (bytes.length / 4 - 2)) * 4;
        view.setUint32(at, random() < 0.5 ? Math.floor(random() * 8) : Math.floor(random() * 2 ** 32), true);
      }
      view.setUint32(4, crc32(changed.subarray(8)), true);
      try {
        decode(changed);
      } catch (error) {
        expect(error).toMatchObject({ code: 'internal', message: expect.stringMatching(/damaged/) });
      }
    }
  }
});

test('bodies without flags, of version 1, are read', () => {
  const { bytes, decode, want } = CODECS.record;
  const old = bytes.slice();
  old[0] = 1;
  expect(decode(old)).toEqual(want);
  const flagged = CODECS['record with every section'].bytes.slice();
  flagged[0] = 1;
  expect(() => decode(flagged)).toThrow(/damaged/);
});

test('the bytes are those of docs/formats.md', () => {
  const record = encodeRecord({
    ...PLAIN,
    seriesIds: Uint32Array.of(7),
    times: Float64Array.of(1000),
    values: Float64Array.of(1),
  }).slice();
  expect(Buffer.from(record).toString('hex')).toBe(
    `02000000${crcHex(record)}01000000000000000000000000408f40000000000000f03f07000000`,
  );
});

/** CRC-32 (IEEE 802.3, as in gzip) of the bytes from 8 on, bit by bit, little-endian. */
function crcHex(bytes: Uint8Array): string {
  let crc = ~0;
  for (const byte of bytes.subarray(8)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  const out = Buffer.alloc(4);
  out.writeUInt32LE(~crc >>> 0);
  return out.toString('hex');
}
