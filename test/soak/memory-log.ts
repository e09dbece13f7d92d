import { memoryOf } from '../../bench/process-stats.ts';

/** The resident memory of the agent over time. */
export interface MemoryLog {
  note(elapsedMs: number, pid: number | undefined): void;
  readonly last: number;
  /** Of this process. */
  readonly ownBytesMax: number;
  summary(): MemorySummary;
}

export interface MemorySummary {
  /** Median of each tenth of the run, in bytes; 0 where there is none. */
  readonly tenths: readonly number[];
  readonly min: number;
  readonly median: number;
  readonly max: number;
  /** Whether the last three tenths take much more than the three before them. */
  readonly grows: boolean;
}

const TENTHS = 10;

/** More than this factor is growth; less comes from when garbage is collected and when an agent was killed. */
const GROWTH = 1.25;

export function memoryLog(totalMs: number): MemoryLog {
  const noted: number[][] = Array.from({ length: TENTHS }, () => []);
  let last = 0;
  let ownBytesMax = 0;
  return {
    note(elapsedMs, pid) {
      ownBytesMax = Math.max(ownBytesMax, process.memoryUsage.rss());
      if (pid === undefined) return;
      try {
        last = memoryOf(pid).residentBytes;
      } catch {
        // It has just ended.
        return;
      }
      noted[Math.min(TENTHS - 1, Math.floor((elapsedMs / totalMs) * TENTHS))]!.push(last);
    },
    get last() {
      return last;
    },
    get ownBytesMax() {
      return ownBytesMax;
    },
    summary() {
      const all = noted.flat();
      const middle = median(noted.slice(4, 7).flat());
      const late = median(noted.slice(7).flat());
      return {
        tenths: noted.map(median),
        min: all.reduce((low, bytes) => Math.min(low, bytes), Infinity),
        median: median(all),
        max: all.reduce((high, bytes) => Math.max(high, bytes), 0),
        grows: middle > 0 && late > middle * GROWTH,
      };
    },
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
