/** What has been going on, and what was wrong. */
export interface Report {
  event(text: string): void;
  /** Notes that an answer was not what it must be. */
  mismatch(what: Mismatch): void;
  compared(count: number): void;
  readonly comparisons: number;
  readonly mismatches: number;
  /** The first of them, as texts with the events around them. */
  readonly shown: readonly string[];
}

export interface Mismatch {
  readonly series: string;
  /** Undefined where it is not about a moment. */
  readonly timeMs?: number | undefined;
  readonly expected: string;
  readonly got: string;
  /** What was asked. */
  readonly question: string;
  /** What is known of the sample: with which round it was sent, which deletions meant it. */
  readonly notes?: string | undefined;
}

/** Mismatches that are told in full, one of a series; one mistake makes thousands. */
const SHOWN = 10;
const EVENTS_KEPT = 400;
const EVENTS_SHOWN = 12;

export function makeReport(onLine: (line: string) => void): Report {
  const startedMs = performance.now();
  const events: string[] = [];
  const shown: string[] = [];
  /** Series that were told of, for samples too many and for others. */
  const told = new Set<string>();
  let comparisons = 0;
  let mismatches = 0;
  return {
    event(text) {
      events.push(`${((performance.now() - startedMs) / 1_000).toFixed(2)} s: ${text}`);
      if (events.length > EVENTS_KEPT) events.splice(0, EVENTS_KEPT / 2);
    },
    mismatch({ series, timeMs, expected, got, question, notes }) {
      mismatches++;
      if (shown.length >= SHOWN || told.has(`${series} ${expected === 'nothing'}`)) return;
      told.add(`${series} ${expected === 'nothing'}`);
      const lines = [
        `MISMATCH after ${((performance.now() - startedMs) / 1_000).toFixed(2)} s: ${series}` +
          (timeMs === undefined ? '' : ` at ${timeMs} ms (${new Date(timeMs).toISOString()})`),
        `  expected ${expected}, got ${got}`,
        `  asked: ${question}`,
        ...(notes === undefined ? [] : [`  ${notes}`]),
        '  events before:',
        ...events.slice(-EVENTS_SHOWN).map((event) => `    ${event}`),
      ];
      shown.push(lines.join('\n'));
      onLine(lines.join('\n'));
    },
    compared(count) {
      comparisons += count;
    },
    get comparisons() {
      return comparisons;
    },
    get mismatches() {
      return mismatches;
    },
    shown,
  };
}
