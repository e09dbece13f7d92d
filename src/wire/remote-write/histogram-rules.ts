import { CUSTOM_BUCKETS, SCHEMA_MAX, SCHEMA_MIN } from '../../model/histogram.ts';
import { zeroCountOf, type Buckets } from '../native-histogram.ts';
import type { NativeMessage } from '../native-message.ts';

/** Schemas up to here are known to Prometheus, and received with fewer buckets. */
const SCHEMA_MAX_RESERVED = 52;

/** What is wrong with the schema and the bounds; undefined when nothing is. */
export function schemaFault(message: NativeMessage): string | undefined {
  const { schema, zeroThreshold, customBounds, customBoundCount } = message;
  if (schema !== CUSTOM_BUCKETS) {
    if (schema < SCHEMA_MIN || schema > SCHEMA_MAX_RESERVED) {
      return `the schema ${schema} is neither ${SCHEMA_MIN} to ${SCHEMA_MAX} nor ${CUSTOM_BUCKETS}`;
    }
    if (customBoundCount > 0) return `custom bounds with schema ${schema}`;
    if (!(zeroThreshold >= 0 && zeroThreshold < Infinity)) return `a zero threshold of ${zeroThreshold}`;
    return undefined;
  }
  for (let i = 0; i < customBoundCount; i++) {
    const bound = customBounds[i]!;
    if (!(i === 0 || bound > customBounds[i - 1]!) || bound !== bound) return 'custom bounds that do not ascend';
  }
  if (customBoundCount > 0 && customBounds[customBoundCount - 1] === Infinity) return 'a custom bound of +Inf';
  if (zeroThreshold !== 0) return `a zero threshold of ${zeroThreshold} with custom bounds`;
  if (zeroCountOf(message) !== 0) return 'a zero bucket with custom bounds';
  const { isFloat, negative } = message;
  if (negative.spans > 0 || (isFloat ? negative.countCount : negative.deltaCount) > 0) {
    return 'negative buckets with custom bounds';
  }
  return customSpansFault(message);
}

function customSpansFault({ positive, customBoundCount }: NativeMessage): string | undefined {
  let reach = 0;
  for (let span = 0; span < positive.spans; span++) {
    const offset = positive.offsets[span]!;
    if (offset < 0) return `span ${span + 1} has the offset ${offset}`;
    reach += offset + positive.lengths[span]!;
  }
  return reach > customBoundCount + 1 ? `${customBoundCount} custom bounds and buckets up to ${reach}` : undefined;
}

/**
 * Makes buckets of a finer schema those of one that is `shift` coarser, in place: bucket i ends where bucket
 * ceil(i / 2^shift) of the coarser schema does, or before.
 */
export function coarsen(buckets: Buckets, shift: number): void {
  const { indexes, counts } = buckets;
  const factor = 2 ** shift;
  let used = 0;
  for (let i = 0; i < buckets.length; i++) {
    const index = Math.ceil(indexes[i]! / factor);
    const count = counts[i]!;
    if (used > 0 && indexes[used - 1] === index) {
      counts[used - 1]! += count;
    } else {
      indexes[used] = index;
      counts[used++] = count;
    }
  }
  buckets.length = used;
}
