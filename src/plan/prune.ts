import type { Fragment } from './distribute.ts';
import { mayReadFrom } from './domain.ts';
import { readRange } from './read-range.ts';

/** A domain, as far as the hub knows what it holds. */
interface DomainHolding {
  readonly name: string;
  /** It holds no sample before this (ms) and takes none in; 0 where that is unknown. */
  readonly heldFromMs: number;
}

/** Why a domain cannot hold anything of a fragment: by the matchers on the domain label, or by time. */
type Pruned = 'domain_label' | 'time';

/** Why a domain need not be asked a fragment; undefined where it is to be asked. */
export function prunedFrom(
  { expr, grid }: Fragment,
  lookbackMs: number,
  domainLabel: string,
  { name, heldFromMs }: DomainHolding,
): Pruned | undefined {
  if (!mayReadFrom(expr, domainLabel, name)) return 'domain_label';
  // A subquery may have no step in its window.
  if (grid.steps === 0) return 'time';
  const range = readRange(expr, grid, lookbackMs);
  return heldFromMs !== 0 && range !== undefined && range.toMs < heldFromMs ? 'time' : undefined;
}
