import { ComityError } from '../base/errors.ts';

/**
 * The block format of Snappy (https://github.com/google/snappy/blob/main/format_description.txt), as remote write
 * carries it.
 */
export interface SnappyDecoder {
  /**
   * The decompressed bytes of `input`: a view of memory that the decoder uses again, good until the next call. Throws
   * `body_too_large` when they are announced to be more than the limit, before any memory is taken for them, and
   * `bad_data` for malformed input.
   */
  decode(input: Uint8Array): Uint8Array;
}

/** Memory for a body of up to this size is kept between calls; a larger one gets memory of its own. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** A decoder of blocks of at most `limitBytes` after decompression. */
export function snappyDecoder(limitBytes: number): SnappyDecoder {
  let kept = new Uint8Array(0);
  return {
    decode(input) {
      const { length, start } = readLength(input);
      if (length > limitBytes) {
        throw new ComityError(
          'body_too_large',
          `the body has ${length} bytes after decompression, ${limitBytes} are allowed. Send smaller batches`,
        );
      }
      if (length > (input.length - start) * MOST_BYTES_A_BYTE) {
        throw malformed(0, `${input.length - start} bytes cannot make the ${length} announced`);
      }
      const needed = length + SPARE;
      if (kept.length < needed && needed <= KEPT_BYTES) kept = new Uint8Array(Math.min(needed * 2, KEPT_BYTES));
      const output = needed <= KEPT_BYTES ? kept : new Uint8Array(needed);
      decodeElements(input, start, output, length);
      return output.subarray(0, length);
    },
  };
}

/** No block expands more: the shortest element for its output is a copy of 64 bytes in three. */
const MOST_BYTES_A_BYTE = 22;

/** Eight bytes are copied at a time, and up to as many past the end of an element: they are written again, or not shown. */
const SPARE = 8;

const LITERAL = 0;
const COPY_1 = 1;
const COPY_2 = 2;

/** Fills `output` up to `length` with the elements of `input` from `start` on. */
function decodeElements(input: Uint8Array, start: number, output: Uint8Array, length: number): void {
  const from = new DataView(input.buffer, input.byteOffset, input.length);
  const to = new DataView(output.buffer, output.byteOffset, output.length);
  const end = input.length;
  let at = start;
  let made = 0;
  while (at < end) {
    const tag = input[at]!;
    const kind = tag & 3;
    const head = at;
    at += 1 + extraBytes(tag);
    if (at > end) throw malformed(head, 'an element is cut off');
    if (kind === LITERAL) {
      const size = literalSize(input, head, tag);
      if (size > end - at) throw malformed(head, `a literal of ${size} bytes is cut off`);
      if (size > length - made) throw tooLong(head, length);
      if (size <= SHORT_LITERAL && end - at >= SHORT_LITERAL) {
        for (let i = 0; i < size; i += 8) to.setBigInt64(made + i, from.getBigInt64(at + i, true), true);
      } else {
        output.set(input.subarray(at, at + size), made);
      }
      at += size;
      made += size;
      continue;
    }
    const size = kind === COPY_1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const offset =
      kind === COPY_1
        ? ((tag >>> 5) << 8) | input[head + 1]!
        : kind === COPY_2
          ? from.getUint16(head + 1, true)
          : from.getUint32(head + 1, true);
    if (offset === 0 || offset > made) throw malformed(head, `a copy from ${offset} bytes back, ${made} are there`);
    if (size > length - made) throw tooLong(head, length);
    if (offset >= 8) {
      const back = made - offset;
      for (let i = 0; i < size; i += 8) to.setBigInt64(made + i, to.getBigInt64(back + i, true), true);
    } else {
      // What is copied is partly made by the copy itself.
      for (let i = made; i < made + size; i++) output[i] = output[i - offset]!;
    }
    made += size;
  }
  if (made !== length) throw malformed(at, `${made} bytes came of ${length}`);
}

/** Longer literals are copied by the engine's own means, which cost a call. */
const SHORT_LITERAL = 64;

/** Bytes between a tag and what follows it. */
function extraBytes(tag: number): number {
  const kind = tag & 3;
  if (kind !== LITERAL) return kind === 3 ? 4 : kind;
  return tag >= 240 ? (tag >>> 2) - 59 : 0;
}

/** A literal's size stands in the tag up to 60, and in one to four bytes after it beyond. */
function literalSize(input: Uint8Array, head: number, tag: number): number {
  if (tag < 240) return (tag >>> 2) + 1;
  let size = 0;
  for (let i = (tag >>> 2) - 59; i > 0; i--) size = size * 256 + input[head + i]!;
  return size + 1;
}

function readLength(input: Uint8Array): { length: number; start: number } {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = input[i];
    if (byte === undefined) throw malformed(i, 'it ends within its length');
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      if (length >= 2 ** 32) break;
      return { length, start: i + 1 };
    }
  }
  throw malformed(0, 'its length takes more than 32 bits');
}

function tooLong(at: number, length: number): ComityError {
  return malformed(at, `more than the ${length} bytes announced would come`);
}

function malformed(at: number, reason: string): ComityError {
  return new ComityError('bad_data', `malformed snappy at byte ${at}: ${reason}`);
}
