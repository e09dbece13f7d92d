import type { StepGrid } from '../model/grid.ts';
import { labelsOf, type Labels } from '../model/labels.ts';
import { garbled } from './client.ts';

/** A series of the server's answer at the steps. */
export interface AnsweredRow {
  readonly labels: Labels;
  readonly present: Uint8Array;
  readonly values: Float64Array;
}

export interface AnsweredVector {
  readonly rows: readonly AnsweredRow[];
  /** Whether there are native histograms in it, which this form of answer has not exactly. */
  readonly hasHistograms: boolean;
}

/** Reads `data` of an answer to a query (one step) or to a range query. Throws `unavailable` for what it cannot be. */
export function readVector(data: unknown, grid: StepGrid): AnsweredVector {
  const { resultType, result } = recordOf(data);
  if ((resultType !== 'vector' && resultType !== 'matrix') || !Array.isArray(result)) throw garbled('its result');
  let hasHistograms = false;
  const rows: AnsweredRow[] = [];
  for (const one of result as unknown[]) {
    const { metric, value, values, histogram, histograms } = recordOf(one);
    hasHistograms ||= histogram !== undefined || histograms !== undefined;
    const points = value !== undefined ? [value] : (values ?? []);
    if (!Array.isArray(points)) throw garbled('its points');
    rows.push({ labels: labelsIn(metric), ...columnsOf(points, grid) });
  }
  return { rows, hasHistograms };
}

function columnsOf(points: readonly unknown[], { startMs, stepMs, steps }: StepGrid): Omit<AnsweredRow, 'labels'> {
  const present = new Uint8Array(steps);
  const values = new Float64Array(steps);
  for (const point of points) {
    if (!Array.isArray(point) || typeof point[0] !== 'number' || typeof point[1] !== 'string') throw garbled('a point');
    const step = Math.round((Math.round(point[0] * 1000) - startMs) / stepMs);
    if (!(step >= 0 && step < steps) || present[step] === 1) throw garbled('a point beside the steps');
    present[step] = 1;
    values[step] = numberOf(point[1]);
  }
  return { present, values };
}

/** A float as Prometheus writes it. */
function numberOf(text: string): number {
  if (text === 'NaN') return NaN;
  if (text === '+Inf' || text === 'Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  const value = text.trim() === '' ? NaN : Number(text);
  if (Number.isNaN(value)) throw garbled('a number');
  return value;
}

/** The label set in the form of a JSON object. */
export function labelsIn(metric: unknown): Labels {
  const record = recordOf(metric);
  for (const value of Object.values(record)) if (typeof value !== 'string') throw garbled('a label');
  return labelsOf(record as Record<string, string>);
}

export function recordOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw garbled('its form');
  return value as Record<string, unknown>;
}
