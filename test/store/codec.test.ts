import { expect, test } from 'vitest';
import { decodeChunk, encodeChunk } from '../../src/store/chunk.ts';
import { decodeRecord, encodeRecord } from '../../src/store/write-ahead.ts';
import { STALE_BITS } from './samples.ts';

const TIMES = Float64Array.of(-1, 0, 1.5, 1_700_000_000_000, 2 ** 53);
const VALUES = new Float64Array(
  BigUint64Array.of(0n, 1n << 63n, STALE_BITS, 0xfff8000000000123n, 0x7ff0000000000000n).buffer,
);
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

const CODECS = {
  chunk: {
    bytes: encodeChunk({ times: TIMES, values: VALUES, base: 7.25 }),
    decode: (bytes: Uint8Array) => {
      const { times, values, base } = decodeChunk(bytes);
      return { times: [...times], values: bits(values), rest: base };
    },
    want: { times: [...TIMES], values: bits(VALUES), rest: 7.25 },
  },
  record: {
    bytes: encodeRecord({ seriesIds: IDS, times: TIMES, values: VALUES }),
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

test('the bytes are those of docs/formats.md', () => {
  const chunk = encodeChunk({ times: Float64Array.of(1000), values: Float64Array.of(1), base: 1 });
  expect(Buffer.from(chunk).toString('hex')).toBe(
    `01000000${crcHex(chunk)}0100000000000000000000000000f03f0000000000408f40000000000000f03f`,
  );
  const record = encodeRecord({
    seriesIds: Uint32Array.of(7),
    times: Float64Array.of(1000),
    values: Float64Array.of(1),
  });
  expect(Buffer.from(record).toString('hex')).toBe(
    `01000000${crcHex(record)}01000000000000000000000000408f40000000000000f03f07000000`,
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
