import { LIMITS } from '../../base/limits.ts';
import { byteTable, type ByteTable } from '../byte-table.ts';
import { seriesMaker, type SeriesMaker, type SeriesOptions, type WireSeries } from './series.ts';
import { cutText, textOf } from './text.ts';

/** What is kept from one request to the next, for both versions. */
export interface WireCache {
  /** Series by the bytes of their labels; the salt keeps the versions apart. */
  readonly series: ByteTable<WireSeries>;
  readonly make: SeriesMaker;
  /** The text in `bytes[start, end)`. Equal ones are one object as long as it is remembered. */
  symbol(bytes: Buffer, start: number, end: number): WireSymbol;
}

/** A text off the wire. */
export interface WireSymbol {
  /** Belongs to this text alone, for ever; `LONG_TEXT` for one that is too long to be kept. */
  readonly id: number;
  /** Undefined when it is not valid UTF-8; the beginning of one that is too long. */
  readonly text: string | undefined;
}

export const LONG_TEXT = -1;

export const SALT_V1 = 1;
export const SALT_V2 = 2;

/** Of the bytes for series, what keeps the texts: they are few where series are many. */
const SYMBOL_SHARE = 0.25;

/** The longest text that means anything. */
const SYMBOL_BYTES = Math.max(LIMITS.labelBytes, LIMITS.helpBytes);

/** Ids are 32-bit numbers, and one request may bring a million new ones. */
const IDS = 2 ** 31;

/** A supply of caches: the same one until its ids run out, which takes an hour of nothing but new texts. */
export function wireCaches(options: SeriesOptions, limitBytes: number = LIMITS.seriesCacheBytes): () => WireCache {
  let cache = wireCache(options, limitBytes);
  return () => {
    if (cache.ids() > IDS) cache = wireCache(options, limitBytes);
    return cache;
  };
}

function wireCache(options: SeriesOptions, limitBytes: number): WireCache & { ids(): number } {
  const symbols = byteTable<WireSymbol>(limitBytes * SYMBOL_SHARE);
  let nextId = 0;
  return {
    series: byteTable(limitBytes * (1 - SYMBOL_SHARE)),
    make: seriesMaker(options),
    symbol(bytes, start, end) {
      if (end - start > SYMBOL_BYTES) return { id: LONG_TEXT, text: cutText(bytes, start, end, SYMBOL_BYTES) };
      const known = symbols.get(bytes, start, end);
      if (known !== undefined) return known;
      const symbol = { id: nextId++, text: textOf(bytes, start, end) };
      symbols.set(bytes, start, end, symbol);
      return symbol;
    },
    ids: () => nextId,
  };
}
