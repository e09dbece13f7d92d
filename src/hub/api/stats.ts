import { countOnes } from '../../plan/frames/blocks.ts';
import { analyzed } from '../analyze.ts';
import type { QueryResult } from '../query.ts';

/**
 * `data.stats` of a query, as JSON text: Prometheus's timings in seconds, and what came from the domains. How many stored samples
 * they read stays with them.
 */
export function statsJson(result: QueryResult, tookMs: number): string {
  const { domains, bytes } = analyzed(result, tookMs);
  const took = seconds(tookMs);
  let valuesReceived = 0;
  for (const { answer } of result.parts) {
    if (answer?.ok !== true) continue;
    for (const fragment of answer.value.fragments) {
      if ('rows' in fragment) for (const { columns } of fragment.rows) valuesReceived += countOnes(columns.present);
    }
  }
  return JSON.stringify({
    timings: { evalTotalTime: took, execTotalTime: took },
    samples: { valuesReceived },
    bytesReceived: bytes,
    domains: domains.map((one) => ({
      domain: one.domain,
      status: one.status,
      rows: one.rows,
      bytes: one.bytes,
      seconds: seconds(one.tookMs),
      cachedSteps: one.cachedSteps,
    })),
  });
}

function seconds(ms: number): number {
  return Math.round(ms * 1000) / 1e6;
}
