import type { MessagePort } from 'node:worker_threads';
import { ComityError, type ErrorCode } from '../base/errors.ts';
import type { StoreOptions, StoreProblem, StoreProgress } from '../store/store.ts';
import type { AppendReply } from './append-message.ts';
import type { ShardOptions } from './local-shard.ts';
import type { ShardStats } from './shard.ts';
import type { Upkeep } from './store-upkeep.ts';

/** What a worker is started with. */
export interface WorkerStart {
  readonly store: StoreData;
  readonly reading: ShardOptions;
  /** Appends have a port of their own, so that they can be taken out of turn. */
  readonly appends: MessagePort;
  readonly shared: SharedArrayBuffer;
}

/** The options of a store that can be sent. */
export type StoreData = Omit<StoreOptions, 'now' | 'onProblem' | 'onProgress'>;

/**
 * To the worker: a call of upkeep by the names of `Shard`; `connect` brings the port of one more reader, `connectQuick` one for
 * questions that are answered in the middle of a query, `policies` the policies from then on, `collect` is answered when the garbage is collected and `close` when the store is closed.
 */
export interface Call {
  readonly id: number;
  readonly method: keyof Upkeep | 'connect' | 'connectQuick' | 'policies' | 'collect' | 'close';
  readonly args: readonly unknown[];
}

/** From the worker: how its start goes on, what its store reports, and answers to calls. */
export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'not opened'; readonly error: ErrorData }
  | { readonly kind: 'progress'; readonly progress: StoreProgress }
  | { readonly kind: 'problem'; readonly problem: StoreProblem }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: ErrorData };

/** Appends, one under way at most. */
export type AppendAnswer = ({ readonly reply: AppendReply } | { readonly error: ErrorData }) & {
  /** The message's, to be used again. */
  readonly buffer: ArrayBuffer;
};

export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
}

export function errorFrom({ code, message }: ErrorData): ComityError {
  return new ComityError(code, message);
}

/** Numbers that both threads see: what the worker reports, and how many appends wait for it. */
export interface SharedNumbers {
  readonly buffer: SharedArrayBuffer;
  report(stats: ShardStats, heapPart: number): void;
  readonly stats: ShardStats;
  /** Of the worker's heap, the part of V8's limit that is in use. */
  readonly heapPart: number;
  /** Appends that were sent and not taken yet. */
  readonly waiting: Int32Array;
}

const REPORTED = 7;

export function sharedNumbers(buffer = new SharedArrayBuffer(REPORTED * 8 + 4)): SharedNumbers {
  const reported = new Float64Array(buffer, 0, REPORTED);
  return {
    buffer,
    report({ series, inputs, samples, bytes, quarantined, memoryBytes }, heapPart) {
      reported.set([series, inputs, samples, bytes, quarantined, memoryBytes, heapPart]);
    },
    get stats() {
      const [series = 0, inputs = 0, samples = 0, bytes = 0, quarantined = 0, memoryBytes = 0] = reported;
      return { series, inputs, samples, bytes, quarantined, memoryBytes };
    },
    get heapPart() {
      return reported[REPORTED - 1]!;
    },
    waiting: new Int32Array(buffer, REPORTED * 8, 1),
  };
}
