import { Worker } from 'node:worker_threads';
import { ComityError } from '../base/errors.ts';
import type { ConsistencyChain, Head, Inclusion, LeafExtra, Ledger, LedgerEvents } from './ledger.ts';
import { openLog, type ErrorData, type LedgerCall, type LedgerMessage, type LogOptions } from './worker-calls.ts';

export interface LedgerOptions extends LogOptions {
  readonly events?: LedgerEvents | undefined;
  /**
   * How many answers are being made, those that wait for their record among them. While there are others than those a leaf
   * waits a moment for them, so that one flush to the disk does for all. Nothing waits when left out.
   */
  readonly underWay?: (() => number) | undefined;
}

/**
 * For so long a leaf waits for others: about as long as a disk takes to flush. Who asks alone does not wait at all. (The same
 * thought as `commit_delay` and `commit_siblings` of PostgreSQL.)
 */
const GATHER_MS = 5;

/** Leaves that wait for their commit; agents let in far fewer requests at once. */
const WAITING_MAX = 10_000;

/**
 * Opens or creates an agent's log: in a thread of its own, so that waiting for the disk holds up nothing else; one in memory
 * (`:memory:`) in this thread. Fails with `bad_config` when the file or the key is another log's, damaged or open to others.
 */
export async function openLedger({ events, underWay = () => 0, ...options }: LedgerOptions): Promise<Ledger> {
  const start = options.path === ':memory:' ? startHere : startThread;
  return await start(options, events ?? NOBODY, underWay);
}

/** The log of an agent: what its checkpoints call it. */
export function ledgerOrigin(domain: string, agent: string): string {
  return `comity.dev/${domain}/${agent}`;
}

const NOBODY: LedgerEvents = { committed() {}, failed() {} };

interface Waiting {
  readonly isAppend: boolean;
  resolve(value: unknown): void;
  reject(error: ComityError): void;
}

/** The calls of this side, and what is known of the log. `stop` follows the answer to `close`. */
function ledgerOf(
  opened: { readonly vkey: string; readonly head: Head },
  origin: string,
  events: LedgerEvents,
  send: (call: LedgerCall) => void,
  stop: () => Promise<void>,
) {
  const waiting = new Map<number, Waiting>();
  let { head } = opened;
  let calls = 0;
  let appends = 0;
  let ended: ComityError | undefined;
  let closing: Promise<void> | undefined;

  function ask(call: (id: number) => LedgerCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      const sent = call(calls++);
      const isAppend = sent.method === 'append';
      if (isAppend) appends++;
      waiting.set(sent.id, { isAppend, resolve, reject });
      send(sent);
    });
  }

  function take(id: number): Waiting | undefined {
    const one = waiting.get(id);
    waiting.delete(id);
    if (one?.isAppend === true) appends--;
    return one;
  }

  function failAll(error: ComityError): void {
    ended ??= error;
    for (const id of waiting.keys()) take(id)?.reject(error);
  }

  const failure = Promise.withResolvers<ComityError>();
  const ledger: Ledger = {
    failed: failure.promise,
    vkey: opened.vkey,
    origin,
    async append(leaf: Uint8Array, extra?: LeafExtra) {
      if (appends >= WAITING_MAX)
        throw new ComityError('unavailable', `${WAITING_MAX} leaves wait for the ledger already`);
      return (await ask((id) => ({ id, method: 'append', leaf, extra }))) as Inclusion;
    },
    async consistency(sizes) {
      return (await ask((id) => ({ id, method: 'consistency', args: [sizes] }))) as ConsistencyChain;
    },
    head: () => head,
    async bytesOf(day) {
      return (await ask((id) => ({ id, method: 'bytesOf', args: [day] }))) as number;
    },
    async latest(kind) {
      return (await ask((id) => ({ id, method: 'latest', args: [kind] }))) as Uint8Array | undefined;
    },
    async addCosignature(size, line) {
      await ask((id) => ({ id, method: 'addCosignature', args: [size, line] }));
    },
    close() {
      closing ??= (async () => {
        // A thread that has ended by itself has nothing left to close.
        if (ended === undefined) await ask((id) => ({ id, method: 'close' }));
        failAll(new ComityError('unavailable', 'the ledger is closed'));
        await stop();
      })();
      return closing;
    },
  };

  function hear(message: LedgerMessage): void {
    switch (message.kind) {
      case 'committed':
        ({ head } = message);
        events.committed(message.ids.length, message.seconds);
        for (const [i, id] of message.ids.entries()) take(id)?.resolve(message.inclusions[i]);
        break;
      case 'not committed': {
        const error = errorFrom(message.error);
        events.failed(error);
        for (const id of message.ids) take(id)?.reject(error);
        break;
      }
      case 'answer':
        take(message.id)?.resolve(message.value);
        break;
      case 'failure':
        take(message.id)?.reject(errorFrom(message.error));
        break;
      case 'ready':
      case 'not opened':
        break;
    }
  }

  /** Its thread is gone. */
  function end(error: ComityError): void {
    if (closing === undefined) failure.resolve(error);
    failAll(error);
  }

  return { ledger, hear, end };
}

function startHere(options: LogOptions, events: LedgerEvents, _underWay: () => number): Ledger {
  const log = openLog(options);
  const { ledger, hear } = ledgerOf(
    { vkey: log.vkey, head: log.head() },
    options.origin,
    events,
    (call) => log.answer([call], hear),
    async () => {},
  );
  return ledger;
}

function startThread(options: LogOptions, events: LedgerEvents, underWay: () => number): Promise<Ledger> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: options });
  return new Promise((resolve, reject) => {
    let fault: unknown;
    let running: ReturnType<typeof ledgerOf> | undefined;
    const exited = new Promise<void>((exit) => {
      worker.once('exit', (status) => {
        const reason = fault instanceof Error ? fault.message : `it exited with status ${status}`;
        const error = new ComityError('unavailable', `the thread of the ledger ${options.path} has ended: ${reason}`);
        reject(error);
        running?.end(error);
        exit();
      });
    });
    worker.on('error', (error) => (fault = error));
    worker.on('message', (message: LedgerMessage) => {
      if (message.kind === 'not opened') return reject(errorFrom(message.error));
      if (message.kind !== 'ready') return running?.hear(message);
      const send = gathering((calls) => worker.postMessage(calls), underWay);
      running = ledgerOf(message, options.origin, events, send, () => exited);
      resolve(running.ledger);
    });
  });
}

/** Holds appends back while others are under way, and sends them together. Other calls do not overtake them. */
function gathering(send: (calls: readonly LedgerCall[]) => void, underWay: () => number): (call: LedgerCall) => void {
  const held: LedgerCall[] = [];
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    send(held.splice(0));
  }

  return (call) => {
    held.push(call);
    if (call.method !== 'append' || held.length >= underWay()) flush();
    else timer ??= setTimeout(flush, GATHER_MS);
  };
}

function errorFrom({ code, message }: ErrorData): ComityError {
  return new ComityError(code, message);
}
