import type { Endpoint, SendContext, Transport, TransportAnswer } from '../../../src/hub/transport.ts';
import type { Random } from '../../random.ts';

/** What a domain in bad faith, or a broken one, knows when it answers. */
export interface Asked {
  readonly endpoint: Endpoint;
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
  /** Ends only when the hub gives up. */
  readonly isSilent?: boolean;
  /** Fails as a transport does; undefined where there is nothing in the honest answer that it could change. */
  answer(asked: Asked): TransportAnswer | undefined | Promise<TransportAnswer | undefined>;
}

/** The same answer with other bytes. */
export function saying({ honest }: Asked, bytes: Uint8Array): TransportAnswer {
  return { ...honest, bytes, wireBytes: bytes.length };
}
