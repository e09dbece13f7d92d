import { ComityError } from '../base/errors.ts';
import { handleLabels, NO_ID, NO_REF, type SeriesHandle } from '../model/batch.ts';
import { INPUT_LABEL } from '../model/input-label.ts';
import { METRIC_NAME, type Labels } from '../model/labels.ts';

/** The label that tells the buckets of a classic histogram apart. */
const BUCKET_BOUND = 'le';

/**
 * The shard, of `count`, that a series belongs to: for ever, since its samples lie there. It depends on the labels without
 * the metric name and `le`, so that the series of one histogram, and those that vector matching pairs by all their labels,
 * are in one shard; and without what makes a series an input, so that it is in its output's.
 */
export function shardOf(labels: Labels, count: number): number {
  if (count === 1) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    if (name === METRIC_NAME || name === BUCKET_BOUND || name === INPUT_LABEL) continue;
    hash = addText(addText(hash, name), labels[i + 1]!);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % count;
}

/** Says which of an agent's shards a series belongs to. */
export interface Router {
  readonly count: number;
  /**
   * The shard of the series behind a handle, which is noted in the handle. What the stores of another router left in it is
   * taken out: it says nothing here. Throws `unavailable` where labels are needed that are forgotten.
   */
  shardOf(handle: SeriesHandle): number;
}

/** Numbers of shards in this process, so that each router's are its own. */
let shardsNumbered = 0;

export function router(count: number): Router {
  const first = shardsNumbered;
  shardsNumbered += count;
  return {
    count,
    shardOf(handle) {
      const at = handle.shard - first;
      if (at >= 0 && at < count) return at;
      const shard = shardOf(neededLabels(handle), count);
      handle.ref = NO_REF;
      handle.id = NO_ID;
      handle.shard = first + shard;
      return shard;
    },
  };
}

/** The labels of a handle. Throws `unavailable` where they are forgotten: what is sent again brings them along. */
export function neededLabels(handle: SeriesHandle): Labels {
  const labels = handleLabels(handle);
  if (labels === undefined) throw new ComityError('unavailable', 'the labels of a series are forgotten. Send it again');
  return labels;
}

/** FNV-1a over UTF-16 code units; the length keeps texts apart that follow one another. */
function addText(before: number, text: string): number {
  let hash = before;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Math.imul(hash ^ (text.length + 0x10000), 0x01000193);
}
