import type { StepGrid } from '../model/grid.ts';
import { labelsKey } from '../model/labels.ts';
import { callApi } from './api.ts';
import { garbled, type ServerClient, type Until } from './client.ts';
import { LIMITS } from '../base/limits.ts';
import { readVector, type AnsweredRow, type AnsweredVector } from './matrix.ts';

/** A vector and the annotations of the answers that it came in. */
export interface Asked extends AnsweredVector {
  readonly annotations: readonly string[];
}

/** `query` at exactly the steps: one by an instant query, more by range queries of as many points as a server gives. */
export async function askVector(
  client: ServerClient,
  query: string,
  grid: StepGrid,
  settings: Readonly<Record<string, string>>,
  until: Until,
): Promise<Asked> {
  if (grid.steps <= LIMITS.upstreamPointsPerQuery) return askPiece(client, query, grid, settings, until);
  const rows = new Map<string, AnsweredRow>();
  const annotations = new Set<string>();
  for (let first = 0; first < grid.steps; first += LIMITS.upstreamPointsPerQuery) {
    const steps = Math.min(LIMITS.upstreamPointsPerQuery, grid.steps - first);
    const piece = { startMs: grid.startMs + first * grid.stepMs, stepMs: grid.stepMs, steps };
    const answer = await askPiece(client, query, piece, settings, until);
    if (answer.hasHistograms) return answer;
    for (const text of answer.annotations) annotations.add(text);
    for (const { labels, present, values } of answer.rows) {
      const key = labelsKey(labels);
      let row = rows.get(key);
      if (row === undefined) {
        row = { labels, present: new Uint8Array(grid.steps), values: new Float64Array(grid.steps) };
        rows.set(key, row);
      }
      row.present.set(present, first);
      row.values.set(values, first);
    }
  }
  return { rows: [...rows.values()], hasHistograms: false, annotations: [...annotations] };
}

async function askPiece(
  client: ServerClient,
  query: string,
  grid: StepGrid,
  settings: Readonly<Record<string, string>>,
  until: Until,
): Promise<Asked> {
  const { startMs, stepMs, steps } = grid;
  const leftMs = Math.max(1, until.deadlineMs - Date.now());
  const params = new URLSearchParams({ query, timeout: `${Math.ceil(leftMs)}ms`, ...settings });
  if (steps === 1) params.set('time', seconds(startMs));
  else {
    params.set('start', seconds(startMs));
    params.set('end', seconds(startMs + (steps - 1) * stepMs));
    // As a duration: Prometheus cuts the digits of a number of seconds.
    params.set('step', `${stepMs}ms`);
  }
  const { data, annotations } = await callApi(
    client,
    steps === 1 ? '/api/v1/query' : '/api/v1/query_range',
    params,
    until,
  );
  const vector = readVector(data, grid);
  if (new Set(vector.rows.map(({ labels }) => labelsKey(labels))).size < vector.rows.length)
    throw garbled('a series twice');
  return { ...vector, annotations };
}

/** A time in seconds, to the millisecond. */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
