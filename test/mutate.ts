import type { Random } from './random.ts';

/** Numbers at which decoders have gone wrong: lengths, counts and shifts at the edges of their types. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff];

/** The input with up to eight changes: bytes flipped, set, cut, doubled, moved in from elsewhere, or made an edge. */
export function mutate(random: Random, input: Uint8Array): Uint8Array {
  let bytes = Buffer.from(input);
  for (let i = random.chance(0.5) ? 1 : random.int(2, 8); i > 0 && bytes.length > 0; i--) bytes = change(random, bytes);
  return bytes;
}

function change(random: Random, bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const at = random.int(0, bytes.length - 1);
  const length = random.int(1, Math.min(24, bytes.length - at));
  const before = bytes.subarray(0, at);
  switch (random.int(0, 8)) {
    case 0:
      bytes[at] = random.int(0, 255);
      return bytes;
    case 1:
      bytes[at]! ^= 1 << random.int(0, 7);
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([before, bytes.subarray(at + length)]);
    case 5:
      bytes.fill(0xff, at, at + length);
      return bytes;
    case 6:
      return Buffer.concat([before, varint(random.pick(EDGES)), bytes.subarray(at)]);
    case 7: {
      const from = random.int(0, bytes.length - 1);
      return Buffer.concat([before, bytes.subarray(from, from + length), bytes.subarray(at)]);
    }
    default: {
      const word = Buffer.alloc(4);
      word.writeUInt32LE(random.pick(EDGES));
      return Buffer.concat([before, word, bytes.subarray(at + Math.min(4, length))]);
    }
  }
}

/** A number as protobuf and Snappy write lengths. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Buffer.from([...bytes, rest]);
}
