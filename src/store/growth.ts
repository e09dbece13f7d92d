const FIRST_CAPACITY = 8;

/** A tail of a usual length has at most this many places to spare: at a million series each costs 16 MB. */
const STEP = 64;

/** How many samples there should be room for: the number doubles first, then goes on in steps, which grow with it. */
export function capacityFor(samples: number): number {
  let capacity = FIRST_CAPACITY;
  while (capacity < samples) capacity += Math.min(capacity, Math.max(STEP, capacity >> 2));
  return capacity;
}
