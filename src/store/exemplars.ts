import { LIMITS } from '../base/limits.ts';
import type { SeriesExemplar } from '../model/batch.ts';
import { compareLabels } from '../model/labels.ts';

/** An exemplar with the reference of its series. */
export interface ExemplarRow extends SeriesExemplar {
  readonly ref: number;
}

/** The latest exemplars of all series; the oldest goes when there is no more room. */
export interface Exemplars {
  /**
   * Takes an exemplar in, provisionally. One that is older than the newest of its series is left out; those of one time
   * come in the order of value and labels, so that one comparison tells whether an exemplar is new.
   */
  stage(row: ExemplarRow, nowMs: number): 'new' | 'known' | 'left out';
  readonly staged: readonly ExemplarRow[];
  commit(): void;
  discard(): void;
  /** Those with times in [fromMs, toMs], by series, in order of time. */
  within(fromMs: number, toMs: number): ReadonlyMap<number, readonly SeriesExemplar[]>;
}

/** `stored`: in the order in which they came. */
export function exemplarRing(stored: readonly ExemplarRow[], capacity: number = LIMITS.exemplars): Exemplars {
  const ring: ExemplarRow[] = [];
  const newest = new Map<number, ExemplarRow>();
  const stagedNewest = new Map<number, ExemplarRow>();
  let staged: ExemplarRow[] = [];
  /** Where the oldest is once the ring is full. */
  let oldest = 0;
  for (const row of stored) keep(row);

  function keep(row: ExemplarRow): void {
    newest.set(row.ref, row);
    if (ring.length < capacity) {
      ring.push(row);
      return;
    }
    const gone = ring[oldest]!;
    if (newest.get(gone.ref) === gone) newest.delete(gone.ref);
    ring[oldest] = row;
    oldest = (oldest + 1) % capacity;
  }

  return {
    stage(row, nowMs) {
      if (!(row.timeMs <= nowMs + LIMITS.futureMs)) return 'left out';
      const last = stagedNewest.get(row.ref) ?? newest.get(row.ref);
      const order = last === undefined ? 1 : compare(row, last);
      if (order <= 0) return order === 0 ? 'known' : 'left out';
      stagedNewest.set(row.ref, row);
      staged.push(row);
      return 'new';
    },
    get staged() {
      return staged;
    },
    commit() {
      for (const row of staged) keep(row);
      staged = [];
      stagedNewest.clear();
    },
    discard() {
      staged = [];
      stagedNewest.clear();
    },
    within(fromMs, toMs) {
      const found = new Map<number, SeriesExemplar[]>();
      for (let i = 0; i < ring.length; i++) {
        const { ref, timeMs, value, labels } = ring[(oldest + i) % ring.length]!;
        if (timeMs < fromMs || timeMs > toMs) continue;
        const ofSeries = found.get(ref);
        if (ofSeries === undefined) found.set(ref, [{ timeMs, value, labels }]);
        else ofSeries.push({ timeMs, value, labels });
      }
      return found;
    },
  };
}

function compare(a: SeriesExemplar, b: SeriesExemplar): number {
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs ? -1 : 1;
  return compareValues(a.value, b.value) || compareLabels(a.labels, b.labels);
}

/** NaN before all numbers. */
function compareValues(a: number, b: number): number {
  if (a === b) return 0;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  return a < b ? -1 : 1;
}
