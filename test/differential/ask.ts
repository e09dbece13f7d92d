import { readAnswer, type Answer } from './answer.ts';
import type { When } from './generator.ts';

const TIMEOUT_MS = 30_000;

/** Asks a server that speaks Prometheus's query API: the oracle or a hub. */
export async function ask(baseUrl: string, query: string, when: When): Promise<Answer> {
  const url = new URL(when.kind === 'instant' ? '/api/v1/query' : '/api/v1/query_range', baseUrl);
  for (const [name, value] of Object.entries(parameters(query, when))) url.searchParams.set(name, value);
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const body = await response.text();
  try {
    return readAnswer(response.status, body);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'error', status: response.status, errorType: 'unreadable', message: `unreadable answer: ${reason}` };
  }
}

function parameters(query: string, when: When): Record<string, string> {
  if (when.kind === 'instant') return { query, time: seconds(when.timeMs) };
  return { query, start: seconds(when.startMs), end: seconds(when.endMs), step: seconds(when.stepMs) };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
