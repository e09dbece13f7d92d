import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ComityError } from '../base/errors.ts';
import type { Value } from '../engine/evaluation.ts';
import type { Note } from '../engine/notes.ts';
import type { Batch, RejectReason } from '../model/batch.ts';
import type { QueryGrid } from '../model/grid.ts';
import { normalise } from '../plan/normalise.ts';
import type { Expr } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { splitBatch } from '../shard/append-split.ts';
import type { ShardOptions } from '../shard/local-shard.ts';
import { openShards } from '../shard/open-shards.ts';
import { router } from '../shard/router.ts';
import { evaluateOver, NOTHING_SPENT } from '../shard/run.ts';
import type { Shard } from '../shard/shard.ts';

/** An embedded store, with the engine that agents have, for scripts to load and query. */
export interface Database {
  /** Stores all samples durably or throws `execution` saying why not. */
  append(batch: Batch): Promise<void>;
  /** Removes all that was appended. */
  clear(): Promise<void>;
  /**
   * The value of a checked expression. `text`: what it was parsed from; `changes`: what is different from the features that
   * the database was opened with. Throws what the engine throws.
   */
  query(expr: Expr, text: string, grid: QueryGrid, changes?: Partial<PromqlFeatures>): Promise<Answer>;
  /** Removes the files too. */
  close(): Promise<void>;
}

export interface Answer {
  readonly value: Value;
  readonly notes: readonly Note[];
}

export interface DatabaseOptions {
  /** Threads that the store is spread over, or 0 for a single one in this thread. */
  readonly shards: number;
  readonly features: PromqlFeatures;
}

/** How far back an instant selector looks, as Prometheus does by default. */
export const LOOKBACK_MS = 5 * 60_000;

/** A query of a test that takes longer hangs. */
export const QUERY_MS = 30_000;

/** Scripts load in any order of time. */
const OUT_OF_ORDER_MS = 8.64e15;

/** The embedded store behind a database. */
export interface ScriptStore extends Pick<Database, 'append' | 'clear' | 'close'> {
  readonly shards: readonly Shard[];
  /** Throws `internal` with what the store has complained of. */
  assertNoProblem(): void;
}

/** Opens an empty database in a temporary folder. */
export async function openDatabase({ shards, features }: DatabaseOptions): Promise<Database> {
  const store = await openScriptStore(shards);
  return {
    append: store.append,
    clear: store.clear,
    close: store.close,
    async query(expr, text, grid, changes) {
      store.assertNoProblem();
      return evaluateOver(store.shards, normalise(expr, grid, text), grid, {
        features: { ...features, ...changes },
        lookbackMs: LOOKBACK_MS,
        scope: 'whole',
        releases: false,
        spent: NOTHING_SPENT,
        deadlineMs: Date.now() + QUERY_MS,
        cancelled: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
      });
    },
  };
}

/** Opens an empty store in a temporary folder; `reading` as an agent's. */
export async function openScriptStore(shards: number, reading: ShardOptions = {}): Promise<ScriptStore> {
  const path = mkdtempSync(join(tmpdir(), 'comity-promqltest-'));
  const problems: string[] = [];
  const opened = await openShards({
    store: { path, outOfOrderMs: OUT_OF_ORDER_MS },
    shards,
    reading,
    onProblem: ({ message }) => problems.push(message),
    onProgress: () => {},
    onWarning: (message) => problems.push(message),
  }).catch((error: unknown) => {
    rmSync(path, { recursive: true, force: true });
    throw error;
  });
  const routes = router(opened.shards.length);

  function assertNoProblem(): void {
    if (problems.length > 0) throw new ComityError('internal', `the store: ${problems.join('; ')}`);
  }

  return {
    shards: opened.shards,
    assertNoProblem,
    async append(batch) {
      const outcomes = await Promise.all(
        splitBatch(batch, routes).map(({ shard, batch: part }) => opened.shards[shard]!.appendAll([part], -Infinity)),
      );
      for (const { rejected } of outcomes.flat()) {
        for (const [reason, { count }] of rejected) {
          throw new ComityError('execution', `${count} samples were not stored: ${REASONS[reason]}`);
        }
      }
      assertNoProblem();
    },
    async clear() {
      await Promise.all(opened.shards.map((shard) => shard.delete([], -OUT_OF_ORDER_MS, OUT_OF_ORDER_MS)));
    },
    async close() {
      try {
        await opened.close();
      } finally {
        rmSync(path, { recursive: true, force: true });
      }
    },
  };
}

const REASONS: Readonly<Record<RejectReason, string>> = {
  out_of_order: 'they are out of order',
  too_old: 'they are too old',
  duplicate_timestamp: 'there are others at the same times already',
  too_far_in_future: 'they lie in the future',
  series_limit: 'there are too many series',
  metric_series_limit: 'there are too many series of one metric',
  not_finite: 'they are no numbers',
  bad_histogram: 'they are histograms that cannot be',
};
