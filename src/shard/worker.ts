/*
 * The thread of one shard: opens its store, then serves appends and calls until it is closed. Appends come on a port of
 * their own, from which a query takes them out of turn between two series.
 */
import { getHeapStatistics } from 'node:v8';
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { toComityError } from '../base/errors.ts';
import type { PolicyTexts } from '../policy/document.ts';
import { openStore, type Store } from '../store/store.ts';
import { appendIntake } from './append-intake.ts';
import type { AppendMessage } from './append-message.ts';
import { collectGarbage } from './garbage.ts';
import { lanes } from './lanes.ts';
import { localShard } from './local-shard.ts';
import { serveQuick, serveShard } from './query-port.ts';
import { storeUpkeep } from './store-upkeep.ts';
import { upkeepLoop } from './upkeep-loop.ts';
import {
  sharedNumbers,
  type AppendAnswer,
  type Call,
  type ErrorData,
  type WorkerMessage,
  type WorkerStart,
} from './worker-protocol.ts';

/** What is reported may be so old while appends come in, and a second otherwise: to look takes many calls of the system. */
const REPORT_MS = 100;

const start = workerData as WorkerStart;
const shared = sharedNumbers(start.shared);
const calls = parentPort!;

const store = open();
if (store !== undefined) serve(store);

function open(): Store | undefined {
  try {
    return openStore({
      ...start.store,
      onProblem: (problem) => post({ kind: 'problem', problem }),
      onProgress: (progress) => post({ kind: 'progress', progress }),
    });
  } catch (error) {
    post({ kind: 'not opened', error: errorData(error) });
    start.appends.close();
    return undefined;
  }
}

function serve(opened: Store): void {
  const { appends } = start;
  let reportedAt = -Infinity;
  let reporting: NodeJS.Timeout | undefined;
  const take = appendIntake(opened);
  const upkeep = storeUpkeep(opened);
  const reader = localShard(opened, { ...start.reading, turn });
  // In the middle of a query only appends may come in between.
  const { quick } = localShard(opened, { ...start.reading, turn: takeWaitingAppends });
  const takeQuick: (() => void)[] = [];
  const inTurn = lanes();
  appends.on('message', takeAppend);
  calls.on('message', (call: Call) => void answer(call));
  report();
  const stopUpkeep = upkeepLoop(opened, report);
  post({ kind: 'ready' });

  /** Does what cannot wait, in the middle of a query. */
  function turn(): void {
    takeWaitingAppends();
    for (const take of takeQuick) take();
  }

  function takeWaitingAppends(): void {
    while (Atomics.load(shared.waiting, 0) > 0) {
      const taken = receiveMessageOnPort(appends);
      // It is counted before it is sent.
      if (taken === undefined) return;
      takeAppend(taken.message as AppendMessage);
    }
  }

  function takeAppend(message: AppendMessage): void {
    Atomics.sub(shared.waiting, 0, 1);
    let reply: AppendAnswer;
    try {
      reply = { reply: take(message), buffer: message.buffer };
    } catch (error) {
      reply = { error: errorData(error), buffer: message.buffer };
    }
    appends.postMessage(reply, [message.buffer]);
    if (performance.now() - reportedAt > REPORT_MS) report();
    // What the last of several appends changed is told as well.
    else reporting ??= setTimeout(report, REPORT_MS);
  }

  async function answer({ id, method, args }: Call): Promise<void> {
    try {
      const value = await run(method, args);
      if (method !== 'close') report();
      post({ kind: 'answer', id, value });
    } catch (error) {
      post({ kind: 'failure', id, error: errorData(error) });
    }
  }

  function run(method: Call['method'], args: readonly unknown[]): unknown {
    switch (method) {
      case 'connect':
        return serveShard(args[0] as MessagePort, reader, turn, inTurn);
      case 'connectQuick':
        takeQuick.push(serveQuick(args[0] as MessagePort, quick));
        return undefined;
      case 'policies':
        return reader.applyPolicies(args[0] as readonly PolicyTexts[]);
      case 'collect':
        return collectGarbage();
      case 'close':
        return close();
      default: {
        // The arguments are those of a call of the same method.
        const call = upkeep[method] as (...args: readonly unknown[]) => unknown;
        return call(...args);
      }
    }
  }

  /** The thread ends by itself when its ports are closed, which the one for calls is once this is answered. */
  function close(): void {
    stopUpkeep();
    clearTimeout(reporting);
    appends.close();
    opened.close();
    setImmediate(() => calls.close());
  }

  function report(): void {
    clearTimeout(reporting);
    reporting = undefined;
    reportedAt = performance.now();
    const { used_heap_size: used, external_memory: external, heap_size_limit: limit } = getHeapStatistics();
    shared.report({ ...opened.stats(), memoryBytes: used + external }, used / limit);
  }
}

function errorData(error: unknown): ErrorData {
  const { code, message } = toComityError(error);
  return { code, message };
}

function post(message: WorkerMessage): void {
  calls.postMessage(message);
}
