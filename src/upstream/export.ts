import type { Matcher } from '../model/matcher.ts';
import type { SeriesColumns } from '../model/series.ts';
import { printInBraces } from '../promql/print.ts';
import { apiError } from './api.ts';
import { seconds } from './ask.ts';
import { garbled, readBody, tooMuch, type ServerClient, type Until } from './client.ts';
import { LIMITS } from '../base/limits.ts';
import { labelsIn, recordOf } from './matrix.ts';
import type { RawQuery } from './remote-read.ts';
import { columnsBuilder, takeSamples, takeSeries, type ReadBudget } from './samples.ts';

/**
 * Reads raw samples by VictoriaMetrics's /api/v1/export
 * (https://docs.victoriametrics.com/victoriametrics/single-server-victoriametrics/#how-to-export-data-in-json-line-format):
 * a line of JSON a series, where null stands for a staleness marker. It keeps no other NaN and no native histogram.
 */
export async function exportRead(
  client: ServerClient,
  queries: readonly RawQuery[],
  budget: ReadBudget,
  until: Until,
): Promise<readonly (readonly SeriesColumns[])[]> {
  return Promise.all(queries.map((query) => exportOne(client, query, budget, until)));
}

async function exportOne(
  client: ServerClient,
  { matchers, fromMs, toMs }: RawQuery,
  budget: ReadBudget,
  until: Until,
): Promise<readonly SeriesColumns[]> {
  const params = exportParams(matchers, fromMs, toMs);
  return client.send({ path: '/api/v1/export', params, ...until }, async ({ status, body }) => {
    if (status !== 200)
      throw apiError(status, '', (await readBody(body, LIMITS.upstreamAnswerBytes, 'answerBytes')).toString());
    const found: SeriesColumns[] = [];
    for await (const line of linesOf(body, budget)) {
      const series = readLine(line, fromMs, toMs, budget);
      if (series.times.length > 0) found.push(series);
    }
    return found;
  });
}

/** A second more on either side, whatever the server makes of fractions; what was not asked for is left out again. */
const MARGIN_MS = 1_000;

function exportParams(matchers: readonly Matcher[], fromMs: number, toMs: number): URLSearchParams {
  return new URLSearchParams({
    'match[]': printInBraces({ matchers }),
    start: seconds(Math.max(1_000, fromMs - MARGIN_MS)),
    end: seconds(toMs + MARGIN_MS),
  });
}

async function* linesOf(body: AsyncIterable<Buffer>, budget: ReadBudget): AsyncIterable<string> {
  let pieces: Buffer[] = [];
  for await (const chunk of body) {
    budget.bytes -= chunk.length;
    if (budget.bytes < 0) throw tooMuch(LIMITS.upstreamReadBytes, 'bytes', 'readBytes');
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      pieces.push(chunk.subarray(from, end));
      yield Buffer.concat(pieces).toString('utf8');
      pieces = [];
      from = end + 1;
    }
    pieces.push(chunk.subarray(from));
  }
  const last = Buffer.concat(pieces).toString('utf8');
  if (last !== '') yield last;
}

function readLine(line: string, fromMs: number, toMs: number, budget: ReadBudget): SeriesColumns {
  takeSeries(budget);
  const { metric, values, timestamps } = parsedLine(line);
  if (!Array.isArray(values) || !Array.isArray(timestamps) || values.length !== timestamps.length)
    throw garbled('a line');
  takeSamples(budget, values.length);
  const builder = columnsBuilder();
  for (const [i, timeMs] of (timestamps as unknown[]).entries()) {
    if (typeof timeMs !== 'number' || !Number.isSafeInteger(timeMs)) throw garbled('a time');
    if (timeMs < fromMs || timeMs > toMs) continue;
    const value = floatOf((values as unknown[])[i]);
    if (value === undefined) builder.stale(timeMs);
    else builder.float(timeMs, value);
  }
  return builder.build(labelsIn(metric));
}

function parsedLine(line: string): Record<string, unknown> {
  try {
    return recordOf(JSON.parse(inJson(line)));
  } catch {
    throw garbled('a line');
  }
}

/**
 * Older versions write what is no JSON among the numbers, which come after all label values: `+Inf`, and `NaN` for a
 * staleness marker that is the first value.
 */
function inJson(line: string): string {
  const at = line.lastIndexOf('"values":[');
  if (at < 0) return line;
  return line.slice(0, at) + line.slice(at).replaceAll(/([[,])([+-]Inf|NaN)(?=[,\]])/g, '$1"$2"');
}

/** Undefined for a staleness marker. */
function floatOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (value === null || value === 'NaN') return undefined;
  if (value === 'Infinity' || value === '+Inf') return Infinity;
  if (value === '-Infinity' || value === '-Inf') return -Infinity;
  throw garbled('a value');
}
