import { newKey, openKeyFile, signerOf, type NoteSigner } from '../../base/note-key.ts';
import { isEqual } from '../../ledger/merkle.ts';
import { memoryWitnessDb } from './memory-witness.ts';
import { openWitnessDb, type Fork, type SignedRoot, type TrustedKey, type WitnessDb } from '../witness-db.ts';

/**
 * A hub's memory of the ledgers that it got receipts from: the newest state of each that is known to have grown out of all
 * that was seen of it before. What it vouches for is on disk before it says so.
 */
export interface Witness {
  /** Signs what it vouches for (cosignature/v1). */
  readonly signer: NoteSigner;
  latest(vkey: string): SignedRoot | undefined;
  /** The fork that was found of a log; undefined for none. */
  fork(vkey: string): Fork | undefined;
  /** Notes a fork. From now on it is there, even where it cannot be written down. */
  addFork(vkey: string, fork: Fork): void;
  /**
   * Makes `to`, which is known to have grown out of `from` (undefined: nothing), the newest state. False where another one is
   * by now. Throws where it cannot be written down: then nothing has changed.
   */
  advance(vkey: string, from: SignedRoot | undefined, to: SignedRoot): boolean;
  trustedKey(domain: string, url: string): string | undefined;
  trust(key: TrustedKey): void;
  /** Reads again what another process may have changed: an operator lifts a fork in the file. */
  refresh(vkey: string): void;
  close(): void;
}

/** The name of the witness's key where the configuration gives none. */
const WITNESS_NAME = 'comity.dev/hub';

/** Where a witness keeps what it knows; its key is in a file beside it. In memory when left out. */
export interface WitnessState {
  readonly path: string;
  /** Of the key; default `comity.dev/hub`. */
  readonly witnessName?: string | undefined;
}

/** Opens a witness. Throws `bad_config` for a file or a key that cannot be used. */
export function openWitness(state?: WitnessState): Witness {
  if (state === undefined) {
    let signer: NoteSigner | undefined;
    return witnessOver(memoryWitnessDb(), () => (signer ??= signerOf(newKey(WITNESS_NAME, 'cosignature').skey)));
  }
  const signer = openKeyFile(`${state.path}.witness.key`, state.witnessName ?? WITNESS_NAME, 'cosignature');
  return witnessOver(openWitnessDb(state.path), () => signer);
}

interface Known {
  readonly latest: SignedRoot | undefined;
  readonly fork: Fork | undefined;
}

function witnessOver(db: WitnessDb, signer: () => NoteSigner): Witness {
  const logs = new Map<string, Known>();
  const known = (vkey: string): Known => {
    let log = logs.get(vkey);
    if (log === undefined) {
      log = db.log(vkey);
      logs.set(vkey, log);
    }
    return log;
  };
  return {
    get signer() {
      return signer();
    },
    latest: (vkey) => known(vkey).latest,
    fork: (vkey) => known(vkey).fork,
    addFork(vkey, fork) {
      const { latest, fork: before } = known(vkey);
      if (before !== undefined) return;
      logs.set(vkey, { latest, fork });
      db.addFork(vkey, fork);
    },
    advance(vkey, from, to) {
      const { latest, fork } = known(vkey);
      if (fork !== undefined || !isSame(latest, from)) return false;
      if (latest !== undefined && to.size <= latest.size) return isSame(latest, to);
      const isWritten = db.advance(vkey, from?.size ?? 0, to);
      logs.set(vkey, isWritten ? { latest: to, fork } : db.log(vkey));
      return isWritten;
    },
    trustedKey: (domain, url) => db.trustedKey(domain, url),
    trust: (key) => db.trust(key),
    refresh: (vkey) => void logs.set(vkey, db.log(vkey)),
    close: () => db.close(),
  };
}

/** Whether two states are one. */
export function isSame(one: SignedRoot | undefined, other: SignedRoot | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.size === other.size && isEqual(one.root, other.root);
}
