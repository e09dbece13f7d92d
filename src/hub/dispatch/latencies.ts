/** How long the latest answers took. */
export interface Latencies {
  add(ms: number): void;
  /** In 19 of 20 cases it took no longer; undefined while too little is known. */
  p95(): number | undefined;
}

/** Fewer say nothing of one in twenty. */
const OBSERVATIONS_MIN = 20;

/** Older ones count no more: what a domain can do changes. */
const OBSERVATIONS_MAX = 128;

export function openLatencies(): Latencies {
  const latest = new Float64Array(OBSERVATIONS_MAX);
  let count = 0;
  return {
    add(ms) {
      latest[count % OBSERVATIONS_MAX] = ms;
      count++;
    },
    p95() {
      if (count < OBSERVATIONS_MIN) return undefined;
      const sorted = latest.slice(0, Math.min(count, OBSERVATIONS_MAX)).sort();
      return sorted[Math.ceil(sorted.length * 0.95) - 1];
    },
  };
}
