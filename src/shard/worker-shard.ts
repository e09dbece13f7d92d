import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { ComityError } from '../base/errors.ts';
import type { Appended, Batch, SeriesHandle } from '../model/batch.ts';
import type { StoreProblem, StoreProgress } from '../store/store.ts';
import { releaseLabels } from './append-here.ts';
import { forgetSeries, packBatches, type AppendReply } from './append-message.ts';
import type { ShardOptions } from './local-shard.ts';
import { remoteQuick, remoteShard } from './query-port.ts';
import type { Shard } from './shard.ts';
import type { Upkeep } from './store-upkeep.ts';
import {
  errorFrom,
  sharedNumbers,
  type AppendAnswer,
  type Call,
  type StoreData,
  type WorkerMessage,
  type WorkerStart,
} from './worker-protocol.ts';

/** A shard in a thread of its own. */
export interface WorkerShard extends Shard {
  /** Of the thread's heap, the part of V8's limit that is in use. */
  heapPart(): number;
  /** Resolves when the thread has collected its garbage and `stats` tell of it. */
  collectGarbage(): Promise<void>;
}

export interface WorkerShardOptions {
  readonly store: StoreData;
  readonly reading: ShardOptions;
  onProblem(problem: StoreProblem): void;
  onProgress(progress: StoreProgress): void;
  /** Told once when the thread has ended though nobody closed it: what was under way has failed with `unavailable`. */
  onEnd(error: ComityError): void;
}

/** How often a message is sent again because series in it are gone. */
const RESENDS_MAX = 3;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: ComityError): void;
}

/** Starts a thread and opens the store in it. Rejects with what `openStore` throws. */
export function openWorkerShard(options: WorkerShardOptions): Promise<WorkerShard> {
  const shared = sharedNumbers();
  const { port1: appends, port2 } = new MessageChannel();
  const workerData: WorkerStart = {
    store: options.store,
    reading: options.reading,
    appends: port2,
    shared: shared.buffer,
  };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData, transferList: [port2] });
  const waiting = new Map<number, Waiting>();
  let appending: Waiting | undefined;
  let spare: ArrayBuffer | undefined;
  let calls = 0;
  let closing = false;
  let ended: ComityError | undefined;
  let fault: unknown;

  const exited = new Promise<void>((resolve) => {
    worker.once('exit', (status) => {
      appends.close();
      const reason = fault instanceof Error ? fault.message : `it exited with status ${status}`;
      end(new ComityError('unavailable', `the thread of the store at ${options.store.path} has ended: ${reason}`));
      resolve();
    });
  });
  worker.on('error', (error) => (fault = error));

  function end(error: ComityError): void {
    ended = error;
    for (const one of waiting.values()) one.reject(error);
    waiting.clear();
    appending?.reject(error);
    appending = undefined;
    if (!closing) options.onEnd(error);
  }

  function call(
    method: Call['method'],
    args: readonly unknown[],
    transfer: readonly MessagePort[] = [],
  ): Promise<unknown> {
    if (ended !== undefined) return Promise.reject(ended);
    const id = calls++;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      try {
        worker.postMessage({ id, method, args } satisfies Call, transfer);
      } catch (error) {
        waiting.delete(id);
        reject(new ComityError('internal', `${method} cannot be sent to the store's thread`, { cause: error }));
      }
    });
  }

  appends.on('message', (answer: AppendAnswer) => {
    const one = appending;
    appending = undefined;
    spare = answer.buffer;
    if ('error' in answer) one?.reject(errorFrom(answer.error));
    else one?.resolve(answer.reply);
  });

  function send(batches: readonly Batch[], settledUntilMs: number): Promise<AppendReply> {
    if (ended !== undefined) return Promise.reject(ended);
    if (appending !== undefined) {
      return Promise.reject(new ComityError('internal', 'an append is under way: one goes at a time'));
    }
    const { message, freshHandles } = packBatches(batches, settledUntilMs, spare);
    spare = undefined;
    return new Promise((resolve, reject) => {
      appending = {
        resolve(reply) {
          const known = reply as AppendReply;
          if ('refs' in known) noteSeries(freshHandles, known);
          resolve(known);
        },
        reject,
      };
      Atomics.add(shared.waiting, 0, 1);
      appends.postMessage(message, [message.buffer]);
    });
  }

  async function appendAll(batches: readonly Batch[], settledUntilMs: number): Promise<readonly Appended[]> {
    let reply = await send(batches, settledUntilMs);
    // Then each of them comes with its labels, so that once is enough; but retention may remove others meanwhile.
    for (let again = 0; 'gone' in reply; again++) {
      if (again === RESENDS_MAX) throw new ComityError('unavailable', 'series go faster than they can be sent again');
      forgetSeries(batches, reply.gone);
      reply = await send(batches, settledUntilMs);
    }
    return reply.appended;
  }

  function upkeep<M extends keyof Upkeep>(method: M): Upkeep[M] {
    return ((...args: readonly unknown[]) => call(method, args)) as Upkeep[M];
  }

  function connect(method: 'connect' | 'connectQuick' = 'connect'): MessagePort {
    const { port1, port2: reader } = new MessageChannel();
    // A thread that has ended closes the port, which the reader learns of.
    call(method, [port1], [port1]).catch(() => port1.close());
    return reader;
  }

  async function close(): Promise<void> {
    closing = true;
    try {
      if (ended === undefined) await call('close', []);
    } finally {
      await exited;
    }
  }

  const makeShard = (): WorkerShard => ({
    ...remoteShard(connect()),
    ...remoteQuick(connect('connectQuick')),
    appendAll,
    connect: () => connect(),
    stats: () => shared.stats,
    delete: upkeep('delete'),
    deletions: upkeep('deletions'),
    compact: upkeep('compact'),
    backup: upkeep('backup'),
    close,
    heapPart: () => shared.heapPart,
    async applyPolicies(policies) {
      await call('policies', [policies]);
    },
    async collectGarbage() {
      await call('collect', []);
    },
  });

  return new Promise((resolve, reject) => {
    let opened = false;
    worker.on('message', (message: WorkerMessage) => {
      switch (message.kind) {
        case 'ready':
          opened = true;
          return resolve(makeShard());
        case 'not opened':
          closing = true;
          return reject(errorFrom(message.error));
        case 'progress':
          return options.onProgress(message.progress);
        case 'problem':
          return options.onProblem(message.problem);
        case 'answer':
        case 'failure': {
          const one = waiting.get(message.id);
          waiting.delete(message.id);
          if (message.kind === 'failure') one?.reject(errorFrom(message.error));
          else one?.resolve(message.value);
          return undefined;
        }
        default:
          return message satisfies never;
      }
    });
    void exited.then(() => {
      if (!opened) reject(ended ?? new ComityError('unavailable', 'the thread has ended'));
    });
  });
}

function noteSeries(
  handles: readonly SeriesHandle[],
  { refs, ids }: { readonly refs: Int32Array; readonly ids: Float64Array },
): void {
  for (const [i, handle] of handles.entries()) {
    handle.ref = refs[i]!;
    handle.id = ids[i]!;
  }
  releaseLabels(handles);
}
