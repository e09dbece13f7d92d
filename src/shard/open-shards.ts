import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import { ComityError, messageOf } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { PolicyTexts } from '../policy/document.ts';
import { openStore, type Store, type StoreProblem, type StoreProgress } from '../store/store.ts';
import { appendHere } from './append-here.ts';
import { collectGarbage } from './garbage.ts';
import { localShard, type ShardOptions } from './local-shard.ts';
import type { Shard, ShardStats } from './shard.ts';
import { storeUpkeep } from './store-upkeep.ts';
import { upgradeStore } from './upgrade.ts';
import { upkeepLoop } from './upkeep-loop.ts';
import type { StoreData } from './worker-protocol.ts';
import { openWorkerShard, type WorkerShard } from './worker-shard.ts';

/** All stores of an agent. */
export interface Shards {
  /** By their numbers, as a router gives them. */
  readonly shards: readonly Shard[];
  /** The stores where they are in this thread, for tests; none where they have threads of their own. */
  readonly stores: readonly Store[];
  /** Resolves when a thread has ended although nobody closed it. Then its series are out of reach, and the agent must end. */
  readonly failed: Promise<ComityError>;
  /** Of all shards together. */
  stats(): ShardStats;
  /** Of V8's limit on the heap of one thread, the part that is in use in the fullest; this thread does not count. */
  heapPart(): number;
  /** Collects garbage in all threads. In this one that is done when it returns, in others soon after. */
  collectGarbage(): void;
  /** As `Shard.applyPolicies`, of all of them. */
  applyPolicies(policies: readonly PolicyTexts[]): Promise<void>;
  /** Closes all stores and ends their threads. */
  close(): Promise<void>;
}

export interface ShardsOptions {
  readonly store: Omit<StoreData, 'cacheBytes' | 'findsHints'>;
  /** Threads, or 0 for none. A new store is made with so many parts, at least one; one that there is keeps its number. */
  readonly shards: number;
  readonly reading: ShardOptions;
  onProblem(problem: StoreProblem, shard: number): void;
  onProgress(progress: StoreProgress, shard: number): void;
  /** Told of what is not as configured. */
  onWarning(message: string): void;
}

/** More threads than any machine has; their numbers are kept in two bytes. */
export const SHARDS_MAX = 1_024;

/** Threads that an agent has by default: the main thread keeps a core to itself, where there is another one. */
export function defaultShards(): number {
  return Math.min(Math.max(1, availableParallelism() - 1), SHARDS_MAX);
}

/** Bytes of decoded chunks that the stores keep in memory, all together. */
const CACHE_BYTES = 128 * 1024 * 1024;

/**
 * Opens the stores of an agent side by side, each in a thread of its own or all of them in this one. Rejects with what
 * `openStore` throws; then those that did open are closed.
 */
export async function openShards(options: ShardsOptions): Promise<Shards> {
  const { path } = options.store;
  if (path !== IN_MEMORY) {
    const openAt = (folder: string): Promise<Shards> =>
      openShards({ ...options, store: { ...options.store, path: folder } });
    await upgradeStore(path, openAt, options.onWarning);
  }
  const wanted = Math.min(Math.max(1, options.shards), SHARDS_MAX);
  const count = path === IN_MEMORY ? wanted : shardCount(path, wanted);
  if (count !== wanted) {
    options.onWarning(
      `the store at ${path} was made with ${count} shards and keeps them; shards: ${options.shards} only says ` +
        `${options.shards === 0 ? 'that they have no threads' : 'that each has a thread'}`,
    );
  }
  return options.shards === 0 ? openHere(options, count) : openThreads(options, count);
}

const IN_MEMORY = ':memory:';

function openHere(options: ShardsOptions, count: number): Shards {
  const stores: Store[] = [];
  try {
    for (let shard = 0; shard < count; shard++) {
      stores.push(
        openStore({
          ...dataOf(options, shard, count),
          onProblem: (problem) => options.onProblem(problem, shard),
          onProgress: (progress) => options.onProgress(progress, shard),
        }),
      );
    }
  } catch (error) {
    for (const store of stores) store.close();
    throw error;
  }
  const shards = stores.map((store) => shardHere(store, options.reading));
  const stopUpkeep = stores.map((store) => upkeepLoop(store));
  return {
    shards,
    stores,
    failed: new Promise(() => {}),
    stats: () => totalStats(shards),
    heapPart: () => 0,
    collectGarbage,
    applyPolicies: (policies) => applyTo(shards, policies),
    async close() {
      for (const stop of stopUpkeep) stop();
      for (const store of stores) store.close();
    },
  };
}

function shardHere(store: Store, reading: ShardOptions): Shard {
  const reader = localShard(store, reading);
  return {
    ...reader,
    applyPolicies: async (policies) => reader.applyPolicies(policies),
    ...storeUpkeep(store),
    appendAll: async (batches, settledUntilMs) => appendHere(store, batches, settledUntilMs),
    stats: () => ({ ...store.stats(), memoryBytes: 0 }),
    connect: () => undefined,
    close: async () => store.close(),
  };
}

async function openThreads(options: ShardsOptions, count: number): Promise<Shards> {
  let failed: (error: ComityError) => void = () => {};
  const failure = new Promise<ComityError>((resolve) => (failed = resolve));
  const opening = Array.from({ length: count }, (_, shard) =>
    openWorkerShard({
      store: dataOf(options, shard, count),
      reading: options.reading,
      onProblem: (problem) => options.onProblem(problem, shard),
      onProgress: (progress) => options.onProgress(progress, shard),
      onEnd: failed,
    }),
  );
  const outcomes = await Promise.allSettled(opening);
  const shards: WorkerShard[] = [];
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') shards.push(outcome.value);
  const fault = outcomes.find((outcome) => outcome.status === 'rejected');
  if (fault !== undefined) {
    await Promise.allSettled(shards.map((shard) => shard.close()));
    throw fault.reason;
  }
  return {
    shards,
    stores: [],
    failed: failure,
    stats: () => totalStats(shards),
    heapPart: () => Math.max(...shards.map((shard) => shard.heapPart())),
    collectGarbage() {
      collectGarbage();
      for (const shard of shards) shard.collectGarbage().catch(() => {});
    },
    applyPolicies: (policies) => applyTo(shards, policies),
    async close() {
      const closed = await Promise.allSettled(shards.map((shard) => shard.close()));
      for (const one of closed) if (one.status === 'rejected') throw one.reason;
    },
  };
}

/** The options of one store: what is a limit of all is shared out, since hashes spread series evenly. */
function dataOf({ store }: ShardsOptions, shard: number, count: number): StoreData {
  const { path, seriesLimit = LIMITS.seriesPerDomain, metricSeriesLimit = LIMITS.seriesPerMetric } = store;
  const { retentionBytes } = store;
  return {
    ...store,
    path: path === IN_MEMORY ? path : join(path, shardFolder(shard)),
    seriesLimit: Math.ceil(seriesLimit / count),
    metricSeriesLimit: Math.ceil(metricSeriesLimit / count),
    cacheBytes: Math.ceil(CACHE_BYTES / count),
    findsHints: true,
    ...(retentionBytes === undefined ? {} : { retentionBytes: Math.ceil(retentionBytes / count) }),
  };
}

/** The folder of a shard below that of the store. */
export function shardFolder(shard: number): string {
  return `shard-${shard}`;
}

/** The file in the store's folder that says how many shards it has. */
const COUNT_FILE = 'shards';

/**
 * How many stores there are in a folder, `wanted` where there is none yet. Series are where their hash among so many says, so
 * the number is written down before the first one is made.
 */
function shardCount(folder: string, wanted: number): number {
  const file = join(folder, COUNT_FILE);
  try {
    if (!existsSync(file)) {
      if (existsSync(join(folder, shardFolder(0)))) {
        throw new ComityError('bad_config', `${file}, which says how many shards the store has, is missing`);
      }
      mkdirSync(folder, { recursive: true });
      writeShardCount(folder, wanted);
    }
    const text = readFileSync(file, 'utf8').trim();
    const count = Number(text);
    if (text !== '' && Number.isInteger(count) && count >= 1 && count <= SHARDS_MAX) return count;
    throw new ComityError('bad_config', `${file} must say how many shards the store has, a number from 1`);
  } catch (error) {
    if (error instanceof ComityError) throw error;
    const reason = messageOf(error);
    throw new ComityError('bad_config', `${folder} cannot be the folder of a store: ${reason}`, { cause: error });
  }
}

/** Makes a folder one of a store with so many shards. */
export function writeShardCount(folder: string, count: number): void {
  const file = join(folder, COUNT_FILE);
  writeFileSync(`${file}.new`, `${count}\n`, { flush: true });
  renameSync(`${file}.new`, file);
}

async function applyTo(shards: readonly Shard[], policies: readonly PolicyTexts[]): Promise<void> {
  await Promise.all(shards.map((shard) => shard.applyPolicies(policies)));
}

function totalStats(shards: readonly Shard[]): ShardStats {
  const total = { series: 0, inputs: 0, samples: 0, bytes: 0, quarantined: 0, memoryBytes: 0 };
  for (const shard of shards) {
    const stats = shard.stats();
    total.series += stats.series;
    total.inputs += stats.inputs;
    total.samples += stats.samples;
    total.bytes += stats.bytes;
    total.quarantined += stats.quarantined;
    total.memoryBytes += stats.memoryBytes;
  }
  return total;
}
