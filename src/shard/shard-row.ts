import type { Row } from '../engine/rows.ts';
import type { ShardRow } from './shard.ts';

/** A row of a vector, as it moves between those who answer. */
export function shardRow({ labels, values, present, histograms, dropsName }: Row): ShardRow {
  return { labels, columns: { present, fields: [values] }, histograms, dropsName };
}
