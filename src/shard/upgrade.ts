import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { rejectedCount, type Appended, type Batch } from '../model/batch.ts';
import { openVersion2, type Version2 } from '../store/store.ts';
import { splitBatch } from './append-split.ts';
import { router } from './router.ts';
import type { Shard } from './shard.ts';

/** A new store that the old one goes into. */
interface Target {
  readonly shards: readonly Shard[];
  close(): Promise<void>;
}

/** Deliveries that are handed over at once. */
const DELIVERIES_AT_ONCE = 1_000;

/**
 * Brings a store of version 2, which is one file, up to date: its samples go through `open` into a new store beside it, which
 * then takes its place. Until that is whole nothing is changed, and a start that was cut short goes on from there. Throws
 * `bad_config` for a file that is no such store.
 */
export async function upgradeStore(
  path: string,
  open: (path: string) => Promise<Target>,
  onProblem: (message: string) => void,
): Promise<void> {
  const upgrading = `${path}.upgrading`;
  const former = `${path}.version-2`;
  if (isFile(path)) {
    rmSync(upgrading, { recursive: true, force: true });
    const old = openVersion2(path, onProblem);
    try {
      await copyInto(await open(upgrading), old, onProblem);
    } finally {
      old.close();
    }
    renameSync(path, former);
  }
  if (!existsSync(former)) return;
  // The new one is whole before the old one is moved.
  if (!existsSync(path)) renameSync(upgrading, path);
  for (const file of [`${path}-wal`, `${path}-shm`, former]) rmSync(file, { force: true });
}

async function copyInto(target: Target, old: Version2, onProblem: (message: string) => void): Promise<void> {
  try {
    const routes = router(target.shards.length);
    for (const batch of old.batches()) {
      for (const part of splitBatch(batch, routes)) {
        const outcomes = await target.shards[part.shard]!.appendAll([part.batch], Number.NEGATIVE_INFINITY);
        reportRejected(outcomes, onProblem);
      }
    }
    const deliveries = old.deliveries();
    for (let at = 0; at < deliveries.length; at += DELIVERIES_AT_ONCE) {
      const known = deliveries.slice(at, at + DELIVERIES_AT_ONCE).map(knownDelivery);
      for (const shard of target.shards) await shard.appendAll(known, Number.NEGATIVE_INFINITY);
    }
    for (const shard of target.shards) await shard.compact();
  } finally {
    await target.close();
  }
}

/** Samples past the retention go, as they would have in time; whatever else is left out is said. */
function reportRejected(outcomes: readonly Appended[], onProblem: (message: string) => void): void {
  for (const outcome of outcomes) {
    if (rejectedCount(outcome) === 0) continue;
    const reasons = [...outcome.rejected].map(([reason, { count }]) => `${count} ${reason}`).join(', ');
    onProblem(`samples are left out of the upgraded store: ${reasons}`);
  }
}

function knownDelivery(delivery: string): Batch {
  return {
    series: [],
    seriesOf: new Uint32Array(0),
    times: new Float64Array(0),
    values: new Float64Array(0),
    modes: new Uint8Array(0),
    histograms: undefined,
    startTimes: undefined,
    continues: undefined,
    exemplars: [],
    metadata: [],
    delivery,
  };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
