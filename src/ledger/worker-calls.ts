import { statSync } from 'node:fs';
import { ComityError, messageOf, type ErrorCode } from '../base/errors.ts';
import { newKey, openKeyFile, signerOf } from '../base/note-key.ts';
import { openLedgerFile, type LeafToAppend, type LedgerFile } from './ledger-db.ts';
import type { Head, Inclusion } from './ledger.ts';

/** Which log a thread opens. */
export interface LogOptions {
  /** `:memory:` for one that ends with its thread. */
  readonly path: string;
  /** Where the secret key that signs checkpoints is, made when missing; a key that is nowhere kept when left out. */
  readonly keyPath?: string | undefined;
  readonly origin: string;
}

/** What is asked of a log but appending. */
type Method = 'consistency' | 'latest' | 'bytesOf' | 'addCosignature';

/** To the thread. */
export type LedgerCall =
  | ({ readonly id: number; readonly method: 'append' } & LeafToAppend)
  | { readonly id: number; readonly method: 'close' }
  | { readonly id: number; readonly method: Method; readonly args: readonly unknown[] };

/** From the thread. One `committed` answers all appends of a commit. */
export type LedgerMessage =
  | { readonly kind: 'ready'; readonly vkey: string; readonly head: Head }
  | { readonly kind: 'not opened'; readonly error: ErrorData }
  | {
      readonly kind: 'committed';
      readonly ids: readonly number[];
      readonly inclusions: readonly Inclusion[];
      readonly head: Head;
      readonly seconds: number;
    }
  | { readonly kind: 'not committed'; readonly ids: readonly number[]; readonly error: ErrorData }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: ErrorData };

export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Leaves that wait go into one commit up to here; a commit of so many takes some hundredths of a second. */
const LEAVES_PER_COMMIT = 1_000;

/** A log that answers calls, in whichever thread. */
export interface Log {
  readonly vkey: string;
  head(): Head;
  /** Answers some calls: all appends among them by as few commits as there can be, before the others. */
  answer(calls: readonly LedgerCall[], post: (message: LedgerMessage) => void): void;
}

/** Opens the key and the file. Throws `bad_config`. */
export function openLog({ path, keyPath, origin }: LogOptions): Log {
  const signer = keyPath === undefined ? signerOf(newKey(origin).skey) : keyOf(path, keyPath, origin);
  const file = openLedgerFile(path, origin, signer);
  return { vkey: signer.vkey, head: () => file.head(), answer: (calls, post) => answerAll(file, calls, post) };
}

/** Where the ledger is there and its key is not, a new key would be of no use: nobody could tell the log from a forged one. */
function keyOf(path: string, keyPath: string, origin: string) {
  const isThere = (file: string): boolean => statSync(file, { throwIfNoEntry: false }) !== undefined;
  if (isThere(path) && !isThere(keyPath)) {
    throw new ComityError(
      'bad_config',
      `the key ${keyPath} of the ledger ${path} is missing: restore it from a backup`,
    );
  }
  return openKeyFile(keyPath, origin);
}

function answerAll(file: LedgerFile, calls: readonly LedgerCall[], post: (message: LedgerMessage) => void): void {
  const appends = calls.filter((call) => call.method === 'append');
  for (let i = 0; i < appends.length; i += LEAVES_PER_COMMIT) {
    post(commit(file, appends.slice(i, i + LEAVES_PER_COMMIT)));
  }
  for (const call of calls) if (call.method !== 'append') post(answerOne(file, call));
}

function commit(file: LedgerFile, appends: readonly (LeafToAppend & { readonly id: number })[]): LedgerMessage {
  const ids = appends.map(({ id }) => id);
  const startedAt = performance.now();
  try {
    const { inclusions, head } = file.append(appends);
    return { kind: 'committed', ids, inclusions, head, seconds: (performance.now() - startedAt) / 1000 };
  } catch (error) {
    return { kind: 'not committed', ids, error: errorData(error) };
  }
}

function answerOne(file: LedgerFile, call: Exclude<LedgerCall, { readonly method: 'append' }>): LedgerMessage {
  const { id, method } = call;
  try {
    if (method === 'close') {
      file.close();
      return { kind: 'answer', id, value: undefined };
    }
    // The arguments are those of a call of the same method.
    const run = file[method] as (...args: readonly unknown[]) => unknown;
    return { kind: 'answer', id, value: run(...call.args) };
  } catch (error) {
    return { kind: 'failure', id, error: errorData(error) };
  }
}

/** Whatever SQLite says (no room, damage, no access), the answer cannot leave now and may later. */
export function errorData(error: unknown): ErrorData {
  if (error instanceof ComityError) return { code: error.code, message: error.message };
  return { code: 'unavailable', message: `the ledger cannot be written or read: ${messageOf(error)}` };
}
