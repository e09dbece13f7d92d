import { toComityError } from '../base/errors.ts';
import { hull } from '../coverage/late-intervals.ts';
import type { Change, Settlement } from '../coverage/settlement.ts';
import type { Appended, Batch, LateInterval } from '../model/batch.ts';
import type { Shard } from './shard.ts';

/** The group commit of one shard: batches gather while it commits, and go together in the next one. */
export interface AppendQueue {
  /**
   * Resolves when the batch is as durable as configured. Rejects with what the shard threw when nothing of the batch was
   * stored.
   */
  append(batch: Batch): Promise<Appended>;
  /** Resolves when nothing waits and nothing is under way. */
  drained(): Promise<void>;
}

/** Where samples behind a watermark that others know are noted. */
export type AppendSettlement = Pick<Settlement, 'begin'>;

interface Waiting {
  readonly batch: Batch;
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

export function appendQueue(shard: Pick<Shard, 'appendAll'>, settlement: AppendSettlement = NOTHING_TOLD): AppendQueue {
  let waiting: Waiting[] = [];
  let underWay: Promise<void> | undefined;

  /** Commits until nothing waits. One append is under way at most, so that the store's answers stay in order. */
  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      await commit(group);
    }
    underWay = undefined;
  }

  /** One transaction for all; when that fails each by itself, so that one bad batch is no one else's failure. */
  async function commit(group: readonly Waiting[]): Promise<void> {
    const batches = group.map(({ batch }) => batch);
    let change: Change | undefined;
    try {
      change = settlement.begin(timesOf(batches));
      const appended = await shard.appendAll(batches, change.toldMs);
      // Before the senders' replies: none of them would bring again what others have to hear of.
      change.made(lateOf(appended));
      for (const [i, one] of group.entries()) one.resolve(appended[i]!);
    } catch (error) {
      change?.failed();
      if (group.length > 1 && toComityError(error).code !== 'unavailable') {
        for (const one of group) await commit([one]);
      } else {
        for (const one of group) one.reject(error);
      }
    }
  }

  return {
    append(batch) {
      return new Promise((resolve, reject) => {
        waiting.push({ batch, resolve, reject });
        // Those that arrive in one turn of the event loop go together.
        underWay ??= new Promise<void>((next) => setImmediate(next)).then(flush);
      });
    },
    async drained() {
      await underWay;
    },
  };
}

const NOTHING_TOLD: AppendSettlement = {
  begin: () => ({ toldMs: -Infinity, made: () => {}, failed: () => {} }),
};

/** From the earliest to the latest time; from Infinity to -Infinity where there is none. */
function timesOf(batches: readonly Batch[]): LateInterval {
  let fromMs = Infinity;
  let toMs = -Infinity;
  for (const { times } of batches) {
    for (let row = 0; row < times.length; row++) {
      const timeMs = times[row]!;
      if (timeMs < fromMs) fromMs = timeMs;
      if (timeMs > toMs) toMs = timeMs;
    }
  }
  return { fromMs, toMs };
}

function lateOf(appended: readonly Appended[]): LateInterval | undefined {
  let all: LateInterval | undefined;
  for (const { late } of appended) all = hull(all, late);
  return all;
}
