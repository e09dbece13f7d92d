import type { Endpoint, SendContext, Transport, TransportAnswer } from '../../../src/hub/transport.ts';
import type { Domain } from '../../../src/hub/registry.ts';
import type { ReleaseLeaf } from '../../../src/ledger/leaf.ts';
import type { Random } from '../../random.ts';
import type { PlayedLedger } from '../played-ledger.ts';

/** What a domain in bad faith, or a broken one, knows when it answers. */
export interface Asked {
  readonly endpoint: Exclude<Endpoint, 'ledger'>;
  readonly body: Uint8Array;
  readonly context: SendContext;
  /** What it would say if it were honest. */
  readonly honest: TransportAnswer;
  /** The way to an honest domain of another name. */
  readonly other: Transport;
  readonly random: Random;
}

/** One way to answer wrongly. */
export interface Fault {
  readonly name: string;
  /** Whether no honest domain can send this, so that a hub must not take it; other faults may make what one could. */
  readonly isPlain: boolean;
  /** The queries to whose answers it can happen; all when left out. */
  readonly about?: RegExp;
  /** What is changed: the answer, for which the domain then has a receipt that holds (default), or all that is sent. */
  readonly layer?: 'answer' | 'wire';
  /** Ends only when the hub gives up. */
  readonly isSilent?: boolean;
  /** Fails as a transport does; undefined where there is nothing in the honest answer that it could change. */
  answer?(asked: Asked): TransportAnswer | undefined | Promise<TransportAnswer | undefined>;
  /** What is sent for an answer, where that is no honest receipt. */
  receipt?(proving: Proving): Uint8Array | Promise<Uint8Array>;
  /** What the hub has heard of the domain before. */
  prime?(domain: Domain, ledger: PlayedLedger): void;
}

/** An answer that is to get a receipt. */
export interface Proving extends Asked {
  /** The domain's own. */
  readonly ledger: PlayedLedger;
  readonly answer: Uint8Array;
  /** What is known of its record. */
  readonly leaf: Partial<ReleaseLeaf>;
}

/** The same answer with other bytes. */
export function saying({ honest }: Asked, bytes: Uint8Array): TransportAnswer {
  return { ...honest, bytes, wireBytes: bytes.length };
}
