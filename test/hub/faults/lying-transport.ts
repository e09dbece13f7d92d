import type { Transport } from '../../../src/hub/transport.ts';
import type { Random } from '../../random.ts';
import type { Fault } from './fault.ts';
import type { HonestDomain } from './honest-domains.ts';

/** The way to a domain with a fault, which says whether there was anything to answer wrongly. */
export function lyingTransport(
  fault: Fault,
  { transport }: HonestDomain,
  elsewhere: HonestDomain,
  random: Random,
): { readonly transport: Transport; hasLied(): boolean } {
  let lies = 0;
  return {
    hasLied: () => lies > 0,
    transport: {
      ...transport,
      async send(endpoint, body, context) {
        const honest = await transport.send(endpoint, body, context);
        lies++;
        const said = await fault.answer({ endpoint, body, context, honest, other: elsewhere.transport, random });
        if (said === undefined) lies--;
        return said ?? honest;
      },
    },
  };
}
