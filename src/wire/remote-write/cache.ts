import { LIMITS } from '../../base/limits.ts';
import type { LabelOwner } from '../../model/batch.ts';
import { byteTable, FORGOTTEN, type ByteTable } from '../byte-table.ts';
import { seriesMaker, type SeriesMaker, type SeriesOptions, type WireSeries } from './series.ts';
import { cutText, textOf } from './text.ts';

/** What is kept from one request to the next, for both versions. */
export interface WireCache {
  /** Series by the bytes of their labels; the salt keeps the versions apart. */
  readonly series: ByteTable<WireSeries>;
  readonly make: SeriesMaker;
  /** Of series that are kept by the bytes of a label set of 1.0: it reads them again. */
  readonly owner: LabelOwner;
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

/** Makes a series of the bytes of a label set of 1.0. */
export type LabelReader = (bytes: Buffer, cache: WireCache) => WireSeries;

/** A supply of caches: the same one until its ids run out, which takes an hour of nothing but new texts. */
export function wireCaches(options: SeriesOptions, limitBytes: number, readLabels: LabelReader): () => WireCache {
  let cache = wireCache(options, limitBytes, readLabels);
  return () => {
    if (cache.ids() > IDS) cache = wireCache(options, limitBytes, readLabels);
    return cache;
  };
}

function wireCache(options: SeriesOptions, limitBytes: number, readLabels: LabelReader): WireCache & { ids(): number } {
  const symbols = byteTable<WireSymbol>(limitBytes * SYMBOL_SHARE);
  const series = byteTable<WireSeries>(limitBytes * (1 - SYMBOL_SHARE), (one, place) => {
    one.place = place;
  });
  let nextId = 0;
  const cache: WireCache & { ids(): number } = {
    series,
    make: seriesMaker(options),
    owner: {
      labelsOf(handle) {
        const { place } = handle as WireSeries;
        return place === FORGOTTEN ? undefined : readLabels(series.keyAt(place), cache).labels;
      },
    },
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
  return cache;
}
