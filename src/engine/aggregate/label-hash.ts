import type { Labels } from '../../model/labels.ts';
import { xxhash64 } from './xxhash64.ts';

/** The hash of a label set as Prometheus's `Labels.Hash`, as a part of all hashes: in [0, 1]. */
export function hashFraction(labels: Labels): number {
  const { high, low } = xxhash64(labelBytes(labels));
  return (high * 2 ** 32 + low) / 2 ** 64;
}

/**
 * A label set as Prometheus keeps it in memory (model/labels/labels_stringlabels.go): each name and value in UTF-8 after its
 * length, which is one byte, or 255 and three bytes with the lowest first.
 */
function labelBytes(labels: Labels): Uint8Array {
  const room = labels.reduce((sum, part) => sum + LENGTH_BYTES + part.length * UTF8_BYTES, 0);
  const bytes = room <= SCRATCH.length ? SCRATCH : new Uint8Array(room);
  let at = 0;
  for (const part of labels) {
    // Most have a short length; the text moves where that turns out wrong.
    const { written } = ENCODER.encodeInto(part, bytes.subarray(at + 1));
    if (written < LONG) {
      bytes[at] = written;
      at += 1 + written;
      continue;
    }
    bytes.copyWithin(at + LENGTH_BYTES, at + 1, at + 1 + written);
    bytes.set([LONG, written & 255, (written >> 8) & 255, (written >> 16) & 255], at);
    at += LENGTH_BYTES + written;
  }
  return bytes.subarray(0, at);
}

const LONG = 255;
const LENGTH_BYTES = 4;
/** The most for one unit of UTF-16. */
const UTF8_BYTES = 3;
const ENCODER = new TextEncoder();
const SCRATCH = new Uint8Array(4096);
