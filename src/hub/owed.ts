import type { CoverageQuestion, CoverageRuns } from '../plan/frames/coverage-codec.ts';

/** How many streams a domain last said to expect, by what was read: what it owes while it is silent. */
export interface Owed {
  told(question: CoverageQuestion, answer: CoverageRuns): void;
  /** Undefined where it was never asked about these metrics. */
  of(question: CoverageQuestion): number | undefined;
}

/** Sets of metrics that are remembered of one domain: those of some dashboards. */
const QUESTIONS_MAX = 1_024;

export function openOwed(): Owed {
  /** In the order in which they were told. */
  const expectedOf = new Map<string, number>();
  return {
    told(question, { runs }) {
      const last = runs.at(-1);
      if (last === undefined || question.reads.length === 0) return;
      const key = metricsOf(question);
      expectedOf.delete(key);
      expectedOf.set(key, last.expected);
      for (const oldest of expectedOf.keys()) {
        if (expectedOf.size <= QUESTIONS_MAX) return;
        expectedOf.delete(oldest);
      }
    },
    of: (question) => expectedOf.get(metricsOf(question)),
  };
}

/** Streams count by the metrics that are read, whenever that is. */
function metricsOf({ reads }: CoverageQuestion): string {
  return JSON.stringify([...new Set(reads.map(({ metric }) => metric))].sort());
}
