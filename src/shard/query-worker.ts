/*
 * The thread that works out what shards do not answer by themselves: it asks them over ports of its own, so that rows never
 * pass through the main thread.
 */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { localAsker } from './local-asker.ts';
import { remoteShard, serveAsker } from './query-port.ts';

/** What a query worker is started with: where it answers, and where its shards do. */
export interface QueryWorkerStart {
  readonly port: MessagePort;
  readonly shards: readonly MessagePort[];
}

const { port, shards } = workerData as QueryWorkerStart;
serveAsker(port, localAsker(shards.map(remoteShard)));
// Nothing comes this way, but listening keeps the thread alive until it is ended.
parentPort?.on('message', () => undefined);
