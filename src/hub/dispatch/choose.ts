import type { TimeRange } from '../../plan/read-range.ts';
import type { Replica } from '../registry.ts';

/** Replicas that are settled so close to one another are equally fresh: heartbeats are seconds apart. */
const FRESH_WITHIN_MS = 10_000;

/** One that is not this much slower than the fastest is as good: differences of the moment must not move a query about. */
const SLOWER_TIMES = 2;
const SLOWER_MS = 50;

/**
 * The replicas in the order in which they are to be asked for what they hold of a window: those without a hole in it first, then
 * those that hold all of it, are reachable, let requests through, are settled for longest, and are near. Where nothing of this
 * tells them apart, the order is theirs, so that the same question goes to the same one.
 */
export function inOrder(replicas: readonly Replica[], window: TimeRange | undefined): readonly Replica[] {
  if (replicas.length < 2) return replicas;
  const settledMs = (replica: Replica): number =>
    Math.min(replica.lastStatus?.settledUntilMs ?? 0, window?.toMs ?? Infinity);
  const freshestMs = Math.max(...replicas.map(settledMs));
  const nearestMs = Math.min(...replicas.map(({ roundTripMs }) => roundTripMs ?? Infinity));
  const faults = (replica: Replica): readonly boolean[] => [
    hasHole(replica, window),
    !holds(replica, window),
    !replica.reachable,
    !letsThrough(replica),
    settledMs(replica) < freshestMs - FRESH_WITHIN_MS,
    (replica.roundTripMs ?? Infinity) > nearestMs * SLOWER_TIMES + SLOWER_MS,
  ];
  return replicas
    .map((replica) => ({ replica, faults: faults(replica) }))
    .sort((one, other) => compare(one.faults, other.faults))
    .map(({ replica }) => replica);
}

/** Whether the agent was down for a part of the window. */
export function hasHole({ lastStatus }: Replica, window: TimeRange | undefined): boolean {
  if (window === undefined || lastStatus === undefined) return false;
  return lastStatus.gaps.some(({ fromMs, toMs }) => fromMs <= window.toMs && toMs >= window.fromMs);
}

function holds({ lastStatus }: Replica, window: TimeRange | undefined): boolean {
  return window === undefined || lastStatus === undefined || lastStatus.heldFromMs <= window.fromMs;
}

/** Whether its breaker would let a request through now. */
export function letsThrough({ breaker }: Replica): boolean {
  return breaker.state !== 'open' && breaker.trial === undefined;
}

/** The first of them counts most. */
function compare(one: readonly boolean[], other: readonly boolean[]): number {
  const at = one.findIndex((fault, i) => fault !== other[i]);
  return at < 0 ? 0 : Number(one[at]) - Number(other[at]);
}
