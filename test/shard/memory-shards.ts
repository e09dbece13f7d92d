import { MessageChannel } from 'node:worker_threads';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { Source } from '../../src/model/source.ts';
import { localShard, type ShardOptions, type ShardSource } from '../../src/shard/local-shard.ts';
import type { QueryShard } from '../../src/shard/queries.ts';
import { serveShard } from '../../src/shard/query-port.ts';
import { shardOf } from '../../src/shard/router.ts';
import type { ShardReader } from '../../src/shard/shard.ts';
import { memorySource } from '../memory-source.ts';

/** A source with nothing beside its samples. */
export function bareSource(source: Source): ShardSource {
  return {
    ...source,
    size(matchers, fromMs, toMs) {
      const found = [...source.select(matchers, fromMs, toMs)];
      return { series: found.length, samples: found.reduce((sum, { times }) => sum + times.length, 0) };
    },
    metadata: () => [],
    exemplars: () => [],
  };
}

/** Series spread over `count` shards in this thread as an agent spreads them. */
export function memoryShards(
  series: readonly SeriesColumns[],
  count: number,
  options: ShardOptions & { readonly turn?: () => void } = {},
): ShardReader[] {
  return Array.from({ length: count }, (_, shard) => {
    const own = series.filter(({ labels }) => shardOf(labels, count) === shard);
    return localShard(bareSource(memorySource(own)), options);
  });
}

/** The same shard, reached as if it were in another thread. */
export function overPort(shard: ShardReader): QueryShard {
  return {
    ...shard,
    connect() {
      const { port1, port2 } = new MessageChannel();
      serveShard(port1, shard);
      return port2;
    },
  };
}
