import { LIMITS } from '../../base/limits.ts';
import { CUSTOM_BUCKETS, SCHEMA_MAX, SCHEMA_MIN, type HistogramLayout } from '../../model/histogram.ts';
import {
  broken,
  countVarints,
  packFloats,
  readFloats,
  spendCells,
  unzigzag,
  varintReader,
  varintWriter,
  zigzag,
  type DecodeBudget,
} from './blocks.ts';

/** The Layout message of proto/federation.proto. */
export interface LayoutMessage {
  schema: number;
  zeroThreshold: number;
  positive: Uint8Array;
  negative: Uint8Array;
  bounds: Uint8Array;
}

/** The layouts of a message, each once. */
export interface LayoutDictionary {
  indexOf(layout: HistogramLayout): number;
  messages(): LayoutMessage[];
}

export function layoutDictionary(): LayoutDictionary {
  const byObject = new Map<HistogramLayout, number>();
  const byContent = new Map<string, number>();
  const messages: LayoutMessage[] = [];
  return {
    indexOf(layout) {
      let index = byObject.get(layout);
      if (index !== undefined) return index;
      const { schema, zeroThreshold, positive, negative, bounds } = layout;
      const content = `${schema} ${zeroThreshold} ${positive.join()} ${negative.join()} ${bounds.join()}`;
      index = byContent.get(content);
      if (index === undefined) {
        index = messages.push(encodeLayout(layout)) - 1;
        byContent.set(content, index);
      }
      byObject.set(layout, index);
      return index;
    },
    messages: () => messages,
  };
}

/** Throws `bad_data` for buckets that no histogram can have. */
export function decodeLayouts(messages: readonly LayoutMessage[], budget: DecodeBudget): HistogramLayout[] {
  return messages.map(({ schema, zeroThreshold, positive, negative, bounds }) => {
    const isCustom = schema === CUSTOM_BUCKETS;
    if (!isCustom && !(schema >= SCHEMA_MIN && schema <= SCHEMA_MAX)) throw broken('schema');
    if (!(zeroThreshold >= 0 && zeroThreshold < Infinity)) throw broken('zero threshold');
    if (bounds.length % 8 !== 0 || bounds.length > LIMITS.boundsPerHistogram * 8) throw broken('number of bounds');
    if (isCustom ? zeroThreshold !== 0 || negative.length > 0 : bounds.length > 0) throw broken('kind of buckets');
    spendCells(budget, LAYOUT_CELLS + bounds.length / 8 + positive.length + negative.length);
    const last = isCustom ? bounds.length / 8 : INT32_MAX;
    return {
      schema,
      zeroThreshold,
      positive: readIndexes(positive, isCustom ? 0 : INT32_MIN, last),
      negative: readIndexes(negative, INT32_MIN, last),
      bounds: readBounds(bounds),
    };
  });
}

/** What a layout takes by itself: its objects. */
const LAYOUT_CELLS = 64;

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);

function encodeLayout({ schema, zeroThreshold, positive, negative, bounds }: HistogramLayout): LayoutMessage {
  return {
    schema,
    zeroThreshold,
    positive: packIndexes(positive),
    negative: packIndexes(negative),
    bounds: packFloats(bounds),
  };
}

function packIndexes(indexes: Int32Array): Uint8Array {
  const writer = varintWriter();
  indexes.forEach((index, i) => writer.push(i === 0 ? zigzag(index) : index - indexes[i - 1]!));
  return writer.bytes();
}

function readIndexes(block: Uint8Array, least: number, most: number): Int32Array {
  const indexes = new Int32Array(countVarints(block));
  const reader = varintReader(block, 'bucket indices');
  let index = 0;
  for (let i = 0; i < indexes.length; i++) {
    index = i === 0 ? unzigzag(reader.next(0, 2 ** 32 - 1)) : index + reader.next(1, 2 ** 32 - 1);
    if (index < least || index > most) throw broken('bucket indices');
    indexes[i] = index;
  }
  reader.end();
  return indexes;
}

function readBounds(block: Uint8Array): Float64Array {
  const bounds = readFloats(block, 'bounds');
  bounds.forEach((bound, i) => {
    if (!Number.isFinite(bound) || (i > 0 && !(bound > bounds[i - 1]!))) throw broken('bounds');
  });
  return bounds;
}
