/*
 * The thread of a ledger. It takes all calls that wait at once, so that what arrives while a commit waits for the disk shares
 * the next one, and what arrives when nothing is under way is committed at once.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { errorData, openLog, type LedgerCall, type LedgerMessage, type Log, type LogOptions } from './worker-calls.ts';

const port = parentPort!;
const log = open();
if (log !== undefined) serve(log);

function open(): Log | undefined {
  try {
    const opened = openLog(workerData as LogOptions);
    post({ kind: 'ready', vkey: opened.vkey, head: opened.head() });
    return opened;
  } catch (error) {
    post({ kind: 'not opened', error: errorData(error) });
    return undefined;
  }
}

function serve(opened: Log): void {
  port.on('message', (first: readonly LedgerCall[]) => {
    const calls = [...first];
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      calls.push(...(next.message as readonly LedgerCall[]));
    }
    opened.answer(calls, post);
    // The thread ends when nothing can come any more.
    if (calls.some(({ method }) => method === 'close')) port.close();
  });
}

function post(message: LedgerMessage): void {
  port.postMessage(message);
}
