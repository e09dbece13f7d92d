import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { printInBraces } from '../promql/print.ts';
import { callApi } from './api.ts';
import { seconds } from './ask.ts';
import { garbled, tooMuch, type ServerClient, type Until } from './client.ts';
import { LIMITS } from '../base/limits.ts';
import { labelsIn } from './matrix.ts';

/** Times in ms, both included; infinite for all of time. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The label sets on the server that one of the selectors finds. Throws `limit` past `LIMITS.upstreamSeries`. */
export async function listSeries(
  client: ServerClient,
  selectors: readonly (readonly Matcher[])[],
  range: TimeRange,
  until: Until,
  limit: number = LIMITS.upstreamSeries,
): Promise<readonly Labels[]> {
  const params = matchParams(selectors, range);
  // One more shows that there are too many; servers that know no limit send all.
  params.set('limit', String(limit + 1));
  const { data } = await callApi(client, '/api/v1/series', params, until);
  if (!Array.isArray(data)) throw garbled('its series');
  if (data.length > limit) throw tooMuch(limit, 'series', 'series');
  return data.map(labelsIn);
}

/** Whether one of the selectors finds a series. */
export async function hasSeries(
  client: ServerClient,
  selectors: readonly (readonly Matcher[])[],
  range: TimeRange,
  until: Until,
): Promise<boolean> {
  const params = matchParams(selectors, range);
  params.set('limit', '1');
  const { data } = await callApi(client, '/api/v1/series', params, until);
  if (!Array.isArray(data)) throw garbled('its series');
  return data.length > 0;
}

export function matchParams(selectors: readonly (readonly Matcher[])[], range: TimeRange): URLSearchParams {
  const params = new URLSearchParams();
  for (const matchers of selectors) params.append('match[]', printInBraces({ matchers }));
  params.set('start', seconds(Math.max(range.fromMs, EARLIEST_MS)));
  params.set('end', seconds(Math.min(range.toMs, LATEST_MS)));
  return params;
}

/** Said in full: VictoriaMetrics takes times that are left out, or 0, for the last five minutes. */
const EARLIEST_MS = 1_000;
const LATEST_MS = Date.UTC(2200, 0, 1);
