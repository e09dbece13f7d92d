/** How many requests beyond those asked for may be sent, so that trying again does not make an outage worse. */
export interface Allowance {
  /** Notes a request that was asked for. */
  asked(): void;
  /** Takes one more, or says that there is none. */
  take(): boolean;
}

/** Steps in which a window slides. */
const SLICES = 10;

/** At most `share` of the requests of the last `windowMs`, though `atLeast` in any case. */
export function openAllowance(share: number, windowMs: number, atLeast: number): Allowance {
  const sliceMs = windowMs / SLICES;
  const asked = new Float64Array(SLICES);
  const taken = new Float64Array(SLICES);
  let latest = Math.floor(Date.now() / sliceMs);

  /** The place of the slice that it is now; those that have passed since are empty. */
  function now(): number {
    const slice = Math.floor(Date.now() / sliceMs);
    const passed = slice < latest ? SLICES : Math.min(SLICES, slice - latest);
    for (let i = 1; i <= passed; i++) {
      const at = placeOf(slice - passed + i);
      asked[at] = taken[at] = 0;
    }
    latest = slice;
    return placeOf(slice);
  }

  return {
    asked() {
      asked[now()]! += 1;
    },
    take() {
      const at = now();
      if (sum(taken) + 1 > Math.max(atLeast, share * sum(asked))) return false;
      taken[at]! += 1;
      return true;
    },
  };
}

/** At most `share` of all requests, saved up for `most` at once. */
export function openCredit(share: number, most: number): Allowance {
  let credit = 0;
  return {
    asked() {
      credit = Math.min(most, credit + share);
    },
    take() {
      if (credit < 1) return false;
      credit--;
      return true;
    },
  };
}

function placeOf(slice: number): number {
  return slice % SLICES;
}

function sum(counts: Float64Array): number {
  return counts.reduce((total, count) => total + count, 0);
}
