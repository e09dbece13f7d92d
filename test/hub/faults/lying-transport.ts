import type { Domain } from '../../../src/hub/registry.ts';
import type { Transport, TransportAnswer } from '../../../src/hub/transport.ts';
import type { ReleaseLeaf } from '../../../src/ledger/leaf.ts';
import { decodeReleased } from '../../../src/plan/frames/receipt-codec.ts';
import type { Random } from '../../random.ts';
import { playedLedger } from '../played-ledger.ts';
import type { Fault, Proving } from './fault.ts';
import type { HonestDomain } from './honest-domains.ts';

/** The way to a domain with a fault. */
export interface LyingTransport {
  readonly transport: Transport;
  /** What the hub has heard of it before. */
  prime(domain: Domain): void;
  /** Whether there was anything to answer wrongly. */
  hasLied(): boolean;
}

/**
 * A domain that has its ledger in its own hands: whatever it says, it can prove to have said. Only faults of the receipt itself
 * make one that does not hold.
 */
export function lyingTransport(
  fault: Fault,
  { name, transport }: HonestDomain,
  elsewhere: HonestDomain,
  random: Random,
): LyingTransport {
  const ledger = playedLedger(name);
  let lies = 0;
  const withReceipt = ({ endpoint, body, answer, leaf }: Proving) =>
    ledger.release({ what: endpoint, request: body, answer, leaf });
  return {
    hasLied: () => lies > 0,
    prime: (domain) => fault.prime?.(domain, ledger),
    transport: {
      ...transport,
      async send(endpoint, body, context) {
        const honest = await transport.send(endpoint, body, context);
        if (endpoint === 'ledger') return honest;
        const { leaf, answer } = opened(honest);
        const asked = {
          endpoint,
          body,
          context,
          honest: replacing(honest, answer),
          other: elsewhere.transport,
          random,
        };
        lies++;
        const said = fault.layer === 'wire' ? undefined : await fault.answer?.(asked);
        const isSame = said === undefined && fault.layer !== 'wire' && fault.receipt === undefined;
        if (isSame) lies--;
        const sent = said ?? asked.honest;
        if (sent.statusCode !== 200) return sent;
        const proving = { ...asked, ledger, answer: sent.bytes, leaf: { policy: leaf.policy } };
        const bytes = await (fault.receipt ?? withReceipt)(proving);
        const proven = replacing(sent, bytes);
        if (fault.layer !== 'wire') return proven;
        const changed = await fault.answer?.({ ...asked, honest: proven });
        if (changed === undefined) lies--;
        return changed ?? proven;
      },
    },
  };
}

function opened({ bytes }: TransportAnswer): { readonly answer: Uint8Array; readonly leaf: ReleaseLeaf } {
  const { answer, receipt } = decodeReleased(bytes);
  return { answer, leaf: JSON.parse(Buffer.from(receipt!.leaf).toString()) as ReleaseLeaf };
}

function replacing(answer: TransportAnswer, bytes: Uint8Array): TransportAnswer {
  return { ...answer, bytes, wireBytes: bytes.length };
}
