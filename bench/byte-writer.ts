/** Bytes that grow, used again after each message: protobuf's own writer makes an object of every field. */
export interface ByteWriter {
  byte(value: number): void;
  /** Of a whole number from 0 to 2^53. */
  varint(value: number): void;
  /** Little endian. */
  double(value: number): void;
  bytes(bytes: Uint8Array): void;
  /** What was written, until the next writing. */
  taken(): Uint8Array;
  clear(): void;
}

const FIRST_BYTES = 1024 * 1024;

/** The longest thing but bytes: a varint of 53 bits, or a double. */
const ROOM = 8;

export function byteWriter(): ByteWriter {
  let buffer = new Uint8Array(FIRST_BYTES);
  let view = new DataView(buffer.buffer);
  let length = 0;

  function reserve(more: number): void {
    if (length + more <= buffer.length) return;
    const larger = new Uint8Array(Math.max(buffer.length * 2, length + more));
    larger.set(buffer);
    buffer = larger;
    view = new DataView(buffer.buffer);
  }

  return {
    byte(value) {
      reserve(1);
      buffer[length++] = value;
    },
    varint(value) {
      reserve(ROOM);
      let rest = value;
      // Division, as times in ms have more bits than a shift keeps.
      for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[length++] = (rest % 0x80) | 0x80;
      buffer[length++] = rest;
    },
    double(value) {
      reserve(ROOM);
      view.setFloat64(length, value, true);
      length += 8;
    },
    bytes(bytes) {
      reserve(bytes.length);
      buffer.set(bytes, length);
      length += bytes.length;
    },
    taken: () => buffer.subarray(0, length),
    clear() {
      length = 0;
    },
  };
}

/** Bytes of a value as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
