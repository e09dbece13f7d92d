import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ComityError } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import type { Value } from '../engine/evaluation.ts';
import { anyPresent, type Row } from '../engine/rows.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../model/grid.ts';
import { compareLabels } from '../model/labels.ts';
import type { Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { PromqlError } from '../promql/parse-error.ts';
import { parseExpr } from '../promql/parse.ts';
import { resolveDurations } from '../promql/resolve-durations.ts';
import { matrixJson, rangeVectorJson, scalarJson, stringJson, vectorJson } from '../wire/prometheus-json.ts';
import { cutText, durationParam, integerParam, invalid, requiredParam, timeParam } from './params.ts';

/** What a kind of query needs: its steps, the order of its rows, and its answer as JSON. */
export interface QueryKind {
  grid(params: URLSearchParams, nowMs: number): QueryGrid;
  /** Throws for a query that is well-formed but makes no sense as this kind. */
  check(expr: Expr): void;
  inOrder(rows: readonly Row[]): readonly Row[];
  /** `"resultType":…,"result":…`. */
  json(value: Value, grid: QueryGrid): string;
}

/** How far back an instant selector looks, as in Prometheus. */
export const DEFAULT_LOOKBACK_MS = 300_000;

export const DEFAULT_QUERY_TIMEOUT_MS = 30_000;

export const instantQuery: QueryKind = {
  grid: (params, nowMs) => instantGrid(timeParam(params, 'time') ?? nowMs),
  check: () => undefined,
  inOrder: (rows) => rows,
  json(value, { startMs }) {
    if (value.kind === 'scalar') return scalarJson(startMs, value.values[0]!);
    if (value.kind === 'string') return stringJson(startMs, value.value);
    if (value.kind === 'matrix') return rangeVectorJson(value.series);
    return vectorJson(value.rows, startMs);
  },
};

export const rangeQuery: QueryKind = {
  grid(params) {
    for (const name of ['start', 'end', 'step']) requiredParam(params, name);
    const startMs = timeParam(params, 'start')!;
    const endMs = timeParam(params, 'end')!;
    if (endMs < startMs) throw invalid('end', 'end timestamp must not be before start time');
    const stepMs = durationParam(params, 'step')!;
    if (stepMs <= 0) {
      const problem = 'zero or negative query resolution step widths are not accepted. Try a positive integer';
      throw invalid('step', problem);
    }
    return rangeGrid(startMs, endMs, stepMs);
  },
  check(expr) {
    const type = typeOf(expr);
    if (type === 'scalar' || type === 'vector') return;
    const found = type === 'matrix' ? 'range vector' : type;
    throw invalid('query', `invalid expression type "${found}" for range query, must be Scalar or instant Vector`);
  },
  inOrder: (rows) => rows.toSorted((a, b) => compareLabels(a.labels, b.labels)),
  json(value, grid) {
    if (value.kind === 'string' || value.kind === 'matrix')
      throw new ComityError('internal', `a ${value.kind} has no steps`);
    if (value.kind === 'scalar') {
      const present = new Uint8Array(grid.steps).fill(1);
      return matrixJson([{ labels: [], values: value.values, present }], grid);
    }
    return matrixJson(value.rows, grid);
  },
};

/** A query as its parameters say it. */
export interface QueryParams {
  /** As the caller wrote it: errors point into it. */
  readonly text: string;
  readonly expr: Expr;
  readonly grid: QueryGrid;
  readonly lookbackMs: number;
  /** When to give up, in ms since the epoch. */
  readonly deadlineMs: number;
  /** The time that it has, of which reading the parameters took a part. */
  readonly timeoutMs: number;
  /** The most rows to answer with; 0 for all. */
  readonly limit: number;
  /** Whether to tell what the query took. */
  readonly stats: boolean;
  /** What there is to say of the parameters. */
  readonly warnings: readonly string[];
}

/** What a server brings to queries. */
export interface QueryDefaults {
  readonly lookbackMs: number;
  /** The longest that a query may take. */
  readonly queryTimeoutMs: number;
  readonly features: PromqlFeatures;
}

/** Reads every parameter, so that a bad one is told before any work is done. Throws `bad_data` naming it. */
export function readQuery(params: URLSearchParams, kind: QueryKind, defaults: QueryDefaults): QueryParams {
  const limit = integerParam(params, 'limit') ?? 0;
  const nowMs = Date.now();
  const grid = kind.grid(params, nowMs);
  const timeoutMs = Math.min(durationParam(params, 'timeout') ?? Infinity, defaults.queryTimeoutMs);
  const lookbackMs = durationParam(params, 'lookback_delta') ?? 0;
  const text = requiredParam(params, 'query');
  if (timeoutMs <= 0)
    throw new ComityError('timeout', 'query timed out in query execution: its timeout leaves no time');
  const expr = parseParam('query', text, defaults.features);
  kind.check(expr);
  const stats = params.get('stats') ?? '';
  return {
    text,
    expr: resolvedParam('query', expr, grid, text),
    grid,
    // As in Prometheus, 0 and less mean the default.
    lookbackMs: lookbackMs > 0 ? lookbackMs : defaults.lookbackMs,
    deadlineMs: nowMs + timeoutMs,
    timeoutMs,
    limit,
    stats: stats !== '',
    warnings: STATS.has(stats) ? [] : [deprecatedStats(stats)],
  };
}

const STATS: ReadonlySet<string> = new Set(['', 'true', 'all']);

/** Prometheus's words. */
function deprecatedStats(value: string): string {
  const allowed = 'use "true" or "all"';
  return `value ${JSON.stringify(cutText(value))} for parameter "stats" is deprecated and will be rejected in the next major release, ${allowed}`;
}

/** The tree of a parameter that is PromQL. Throws `bad_data` naming the parameter and the place in its text. */
export function parseParam(name: string, text: string, features: PromqlFeatures): Expr {
  return namingParam(name, () => parseExpr(text, features));
}

/** The tree with its computed durations worked out, whose mistakes only show once the steps are known. */
function resolvedParam(name: string, expr: Expr, grid: QueryGrid, text: string): Expr {
  const steps = { stepMs: grid.isInstant ? 0 : grid.stepMs, rangeMs: grid.endMs - grid.startMs };
  return namingParam(name, () => resolveDurations(expr, steps, text));
}

/** What `read` gives; a mistake in its PromQL becomes one of the parameter. */
export function namingParam<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof PromqlError ? invalid(name, error.message, error) : error;
  }
}

/** Prometheus's words for an answer that a limit cut. */
export const TRUNCATED = 'results truncated due to limit';

/** The value in the order of its kind, cut to `limit` rows (0 for all). */
export function limitRows(value: Value, kind: QueryKind, limit: number): { value: Value; warnings: string[] } {
  if (value.kind !== 'vector') return { value, warnings: [] };
  const rows = kind.inOrder(value.rows.filter((row) => anyPresent(row.present)));
  if (limit === 0 || rows.length <= limit) return { value: { ...value, rows }, warnings: [] };
  return { value: { ...value, rows: rows.slice(0, limit) }, warnings: [TRUNCATED] };
}

/** Clients choose their calls by this version: the API is that Prometheus's. */
const COMPATIBLE_WITH = '3.15.0';

/** `data` of /api/v1/status/buildinfo, without `features`: Grafana takes a server that lists any for Mimir. */
export function buildInfoJson(): string {
  return JSON.stringify({
    version: COMPATIBLE_WITH,
    revision: `comity-${VERSION}`,
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: '',
  });
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>;

export function getAndPost(app: FastifyInstance, url: string, handler: Handler): void {
  app.route({ method: ['GET', 'POST'], url, handler });
}
