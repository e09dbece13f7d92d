import type { ComityError } from '../base/errors.ts';

/** An agent's Merkle log. */
export interface Ledger {
  /** What its checkpoints are verified by. */
  readonly vkey: string;
  /** The name of the log in its checkpoints. */
  readonly origin: string;
  /**
   * Resolves once the leaf, its salts and a signed checkpoint that covers it are on disk. Fails with `unavailable` when they
   * cannot be written; the ledger takes the next all the same.
   */
  append(leaf: Uint8Array, extra?: LeafExtra): Promise<Inclusion>;
  /** Proofs between neighbours of some sizes (ascending) and the last checkpoint. Fails with `bad_data` for sizes that there are not. */
  consistency(sizes: readonly number[]): Promise<ConsistencyChain>;
  /** The last checkpoint that is on disk. */
  head(): Head;
  /** Bytes of the answers that were recorded on a UTC day (`2026-11-22`) as `released`. */
  bytesOf(day: string): Promise<number>;
  /** The last leaf that was appended as this kind, also before a restart. */
  latest(kind: string): Promise<Uint8Array | undefined>;
  /** Keeps a witness's signature line of the checkpoint of this size. */
  addCosignature(size: number, line: string): Promise<void>;
  /** Resolves when nothing can be appended any more though nobody has closed it: its thread has ended. */
  readonly failed: Promise<ComityError>;
  /** Commits what waits and closes the file. */
  close(): Promise<void>;
}

/** What is kept beside a leaf and is in no export. */
export interface LeafExtra {
  readonly salts?: { readonly request: Uint8Array; readonly answer: Uint8Array } | undefined;
  /** What `latest` finds it by. */
  readonly kind?: string | undefined;
  /** The bytes that the leaf says are released, for the sum of its UTC day. */
  readonly released?: { readonly day: string; readonly bytes: number } | undefined;
}

/** Where a leaf stands: under the checkpoint, at the index, by the proof. */
export interface Inclusion {
  readonly index: number;
  /** A signed note. */
  readonly checkpoint: string;
  /** Hashes from the leaf's sibling up (RFC 6962, 2.1.1). */
  readonly proof: readonly Uint8Array[];
}

export interface Head {
  readonly size: number;
  readonly root: Uint8Array;
  /** A signed note; that of an empty log is of size 0. */
  readonly checkpoint: string;
}

export interface ConsistencyChain {
  /** Of the head, which the last proof leads to. */
  readonly checkpoint: string;
  readonly proofs: readonly { readonly from: number; readonly to: number; readonly proof: readonly Uint8Array[] }[];
}

/** What becomes of commits, for metrics. */
export interface LedgerEvents {
  committed(leaves: number, seconds: number): void;
  failed(error: ComityError): void;
}
