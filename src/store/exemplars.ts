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
   * Takes an exemplar in, provisionally. One that is older than the newest of its series is left out, unless it is known
   * already; those of one time come in the order of value and labels.
   */
  stage(row: ExemplarRow, nowMs: number): 'new' | 'known' | 'left out';
  readonly staged: readonly ExemplarRow[];
  commit(): void;
  discard(): void;
  /** Forgets those of some series with times in [fromMs, toMs]. */
  remove(refs: ReadonlySet<number>, fromMs: number, toMs: number): void;
  /** Those with times in [fromMs, toMs], by series, in order of time. */
  within(fromMs: number, toMs: number): ReadonlyMap<number, readonly SeriesExemplar[]>;
}

/** `stored`: in the order in which they came. */
export function exemplarRing(stored: readonly ExemplarRow[], capacity: number = LIMITS.exemplars): Exemplars {
  let ring: ExemplarRow[] = [];
  /** Where the oldest is once the ring is full. */
  let oldest = 0;
  /** Those in the ring by series, each in the order in which they came, which is that of time. */
  const bySeries = new Map<number, ExemplarRow[]>();
  const stagedBySeries = new Map<number, ExemplarRow[]>();
  let staged: ExemplarRow[] = [];
  for (const row of stored) keep(row);

  function keep(row: ExemplarRow): void {
    const own = bySeries.get(row.ref);
    if (own === undefined) bySeries.set(row.ref, [row]);
    else own.push(row);
    if (ring.length < capacity) {
      ring.push(row);
      return;
    }
    const { ref } = ring[oldest]!;
    const left = bySeries.get(ref)!;
    left.shift();
    if (left.length === 0) bySeries.delete(ref);
    ring[oldest] = row;
    oldest = (oldest + 1) % capacity;
  }

  return {
    stage(row, nowMs) {
      if (!(row.timeMs <= nowMs + LIMITS.futureMs)) return 'left out';
      const own = bySeries.get(row.ref) ?? [];
      const fresh = stagedBySeries.get(row.ref) ?? [];
      const last = fresh.at(-1) ?? own.at(-1);
      if (last === undefined || compare(row, last) > 0) {
        if (fresh.length === 0) stagedBySeries.set(row.ref, fresh);
        fresh.push(row);
        staged.push(row);
        return 'new';
      }
      return isAmong(fresh, row) || isAmong(own, row) ? 'known' : 'left out';
    },
    get staged() {
      return staged;
    },
    commit() {
      for (const row of staged) keep(row);
      staged = [];
      stagedBySeries.clear();
    },
    discard() {
      staged = [];
      stagedBySeries.clear();
    },
    remove(refs, fromMs, toMs) {
      const rows = [...ring.slice(oldest), ...ring.slice(0, oldest)];
      ring = [];
      oldest = 0;
      bySeries.clear();
      for (const row of rows) if (!refs.has(row.ref) || row.timeMs < fromMs || row.timeMs > toMs) keep(row);
    },
    within(fromMs, toMs) {
      const found = new Map<number, SeriesExemplar[]>();
      for (const [ref, rows] of bySeries) {
        const own = rows.filter(({ timeMs }) => timeMs >= fromMs && timeMs <= toMs);
        if (own.length > 0)
          found.set(
            ref,
            own.map(({ timeMs, value, labels }) => ({ timeMs, value, labels })),
          );
      }
      return found;
    },
  };
}

/** Whether an exemplar is among those of its series. */
function isAmong(rows: readonly ExemplarRow[], row: ExemplarRow): boolean {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(rows[middle]!, row) < 0) low = middle + 1;
    else high = middle;
  }
  return low < rows.length && compare(rows[low]!, row) === 0;
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
