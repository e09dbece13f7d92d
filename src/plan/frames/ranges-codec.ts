import { ComityError } from '../../base/errors.ts';
import type { TimeRange } from '../read-range.ts';

/** Bytes of a packed list of int64: a number takes ten at most. */
export function rangesBytes(count: number): number {
  return count * 10;
}

/** Times as they travel, in two lists. Throws `bad_data` unless they are ascending and apart, and at most `most`. */
export function decodeRanges(
  fromMs: readonly number[],
  toMs: readonly number[],
  most: number,
  message: string,
): readonly TimeRange[] {
  const broken = (what: string): ComityError => new ComityError('bad_data', `malformed ${message}: ${what}`);
  if (fromMs.length !== toMs.length) throw broken('its lists of times');
  if (fromMs.length > most) throw broken('too many times');
  let lastMs = -Infinity;
  return fromMs.map((from, at) => {
    const to = toMs[at]!;
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) throw broken('times that none can be');
    if (from <= lastMs || to < from) throw broken('times that are not ascending');
    lastMs = to;
    return { fromMs: from, toMs: to };
  });
}
