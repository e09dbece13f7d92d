import { readAnswer, TwoSamples, type Answer } from './answer.ts';
import type { When } from './scope.ts';

/** The type of the error that stands for an answer with two samples of one series at one time. */
export const TWO_SAMPLES = 'two samples at one time';

const TIMEOUT_MS = 30_000;

/** Gives the answer of one side to a query. */
export type Ask = (query: string, when: When) => Promise<Answer>;

/** Asks a server that speaks Prometheus's query API: the oracle or an agent. */
export async function ask(baseUrl: string, query: string, when: When): Promise<Answer> {
  const response = await fetch(`${baseUrl}${requestPath(query, when)}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const body = await response.text();
  try {
    return readAnswer(response.status, body);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const errorType = error instanceof TwoSamples ? TWO_SAMPLES : 'unreadable';
    return { kind: 'error', status: response.status, errorType, message: `unreadable answer: ${reason}` };
  }
}

/** The request as people can repeat it. */
function requestPath(query: string, when: When): string {
  return `/api/v1/query${when.kind === 'instant' ? '' : '_range'}?${requestParameters(query, when).toString()}`;
}

/** The parameters of Prometheus's query API. */
export function requestParameters(query: string, when: When): URLSearchParams {
  const params = new URLSearchParams({ query });
  if (when.kind === 'instant') params.set('time', String(when.timeMs / 1000));
  else {
    params.set('start', String(when.startMs / 1000));
    params.set('end', String(when.endMs / 1000));
    params.set('step', String(when.stepMs / 1000));
  }
  if (when.lookbackMs !== undefined) params.set('lookback_delta', String(when.lookbackMs / 1000));
  return params;
}

export function describeWhen(when: When): string {
  const lookback = when.lookbackMs === undefined ? '' : ` lookback_delta=${when.lookbackMs / 1000}`;
  return when.kind === 'instant'
    ? `instant time=${when.timeMs / 1000}${lookback}`
    : `range start=${when.startMs / 1000} end=${when.endMs / 1000} step=${when.stepMs / 1000}${lookback}`;
}
