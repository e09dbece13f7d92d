import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { VERSION } from '../../base/version.ts';
import { compareLabels } from '../../model/labels.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../../model/grid.ts';
import { matrixJson, scalarJson, stringJson, vectorJson } from '../../wire/prometheus-json.ts';
import type { Value } from '../../engine/evaluate.ts';
import { anyPresent, type Row } from '../../engine/rows.ts';
import type { Expr } from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';
import { PromqlError } from '../../promql/parse-error.ts';
import { parseExpr } from '../../promql/parse.ts';
import { runLabels, TRUNCATED } from '../labels.ts';
import { runQuery, type Query } from '../query.ts';
import type { Registry } from '../registry.ts';
import { sendSuccess } from './envelope.ts';
import {
  durationParam,
  integerParam,
  invalid,
  requestParams,
  requiredParam,
  switchParam,
  timeParam,
} from './params.ts';
import { unescapeLabelName } from './unescape.ts';

export interface PrometheusApiDeps {
  readonly registry: Registry;
  readonly domainLabel: string;
  readonly lookbackMs: number;
  readonly queryTimeoutMs: number;
  onQuery(outcome: string, seconds: number): void;
}

/** Clients choose their calls by this version: the API is that Prometheus's. */
const COMPATIBLE_WITH = '3.15.0';

/** The part of Prometheus's HTTP API that the hub serves; answers to queries carry `data.coverage` beside their result. */
export function prometheusApi(app: FastifyInstance, deps: PrometheusApiDeps): void {
  getAndPost(app, '/api/v1/query', (request, reply) => answer(deps, request, reply, instantQuery));
  getAndPost(app, '/api/v1/query_range', (request, reply) => answer(deps, request, reply, rangeQuery));
  getAndPost(app, '/api/v1/labels', (request, reply) => answerLabels(deps, request, reply, ''));
  getAndPost(app, '/api/v1/label/:name/values', (request, reply) => {
    const { name } = request.params as { name: string };
    return answerLabels(deps, request, reply, unescapeLabelName(name));
  });
  app.get('/api/v1/status/buildinfo', (_request, reply) => {
    // Without `features`: Grafana takes a server that lists any for Mimir.
    const info = {
      version: COMPATIBLE_WITH,
      revision: `comity-${VERSION}`,
      branch: '',
      buildUser: '',
      buildDate: '',
      goVersion: '',
    };
    return sendSuccess(reply, JSON.stringify(info));
  });
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

function getAndPost(app: FastifyInstance, url: string, handler: Handler): void {
  app.route({ method: ['GET', 'POST'], url, handler });
}

/** What a kind of query needs: its steps, the order of its rows, and its answer as JSON. */
interface QueryKind {
  grid(params: URLSearchParams, nowMs: number): QueryGrid;
  /** Throws for a query that is well-formed but makes no sense as this kind. */
  check(expr: Expr): void;
  inOrder(rows: readonly Row[]): readonly Row[];
  json(value: Value, grid: QueryGrid): string;
}

const instantQuery: QueryKind = {
  grid: (params, nowMs) => instantGrid(timeParam(params, 'time') ?? nowMs),
  check: () => undefined,
  inOrder: (rows) => rows,
  json(value, { startMs }) {
    if (value.kind === 'scalar') return scalarJson(startMs, value.values[0]!);
    if (value.kind === 'string') return stringJson(startMs, value.value);
    return vectorJson(value.rows, startMs);
  },
};

const rangeQuery: QueryKind = {
  grid(params) {
    for (const name of ['start', 'end', 'step']) requiredParam(params, name);
    const stepMs = durationParam(params, 'step')!;
    return rangeGrid(timeParam(params, 'start')!, timeParam(params, 'end')!, stepMs);
  },
  check(expr) {
    const type = typeOf(expr);
    if (type === 'scalar' || type === 'vector') return;
    const found = type === 'matrix' ? 'range vector' : type;
    throw invalid('query', `invalid expression type "${found}" for range query, must be Scalar or instant Vector`);
  },
  inOrder: (rows) => rows.toSorted((a, b) => compareLabels(a.labels, b.labels)),
  json(value, grid) {
    if (value.kind === 'string') throw new ComityError('internal', 'a string has no steps');
    if (value.kind === 'scalar') {
      const present = new Uint8Array(grid.steps).fill(1);
      return matrixJson([{ labels: [], values: value.values, present }], grid);
    }
    return matrixJson(value.rows, grid);
  },
};

async function answer(
  deps: PrometheusApiDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  kind: QueryKind,
): Promise<FastifyReply> {
  const started = performance.now();
  let outcome = 'error';
  try {
    const params = requestParams(request);
    const limit = integerParam(params, 'limit') ?? 0;
    const query = readQuery(deps, request, params, kind);
    kind.check(query.expr);
    const result = await runQuery(query, deps.registry, deps.domainLabel);
    outcome = result.coverage.complete ? 'complete' : 'partial';
    const { grid } = query;
    const limited = limitRows(result.value, kind, limit);
    const coverage = JSON.stringify(result.coverage);
    return sendSuccess(reply, `{${kind.json(limited.value, grid)},"coverage":${coverage}}`, result.coverage, [
      ...result.warnings,
      ...limited.warnings,
    ]);
  } catch (raw) {
    const error = raw instanceof PromqlError ? invalid('query', raw.message, raw) : raw;
    if (error instanceof ComityError) outcome = error.code;
    throw error;
  } finally {
    deps.onQuery(outcome, (performance.now() - started) / 1000);
  }
}

/** Reads every parameter, so that a bad one is told before any domain is asked. */
function readQuery(deps: PrometheusApiDeps, request: FastifyRequest, params: URLSearchParams, kind: QueryKind): Query {
  const nowMs = Date.now();
  const grid = kind.grid(params, nowMs);
  const timeoutMs = Math.min(durationParam(params, 'timeout') ?? Infinity, deps.queryTimeoutMs);
  const lookbackMs = durationParam(params, 'lookback_delta') ?? 0;
  const text = requiredParam(params, 'query');
  if (timeoutMs <= 0)
    throw new ComityError('timeout', 'query timed out in query execution: its timeout leaves no time');
  return {
    text,
    expr: parseExpr(text),
    grid,
    // As in Prometheus, 0 and less mean the default.
    lookbackMs: lookbackMs > 0 ? lookbackMs : deps.lookbackMs,
    deadlineMs: nowMs + timeoutMs,
    allowPartial: switchParam(params, 'partial_response') && request.headers['fromalert'] !== 'true',
  };
}

async function answerLabels(
  deps: PrometheusApiDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
): Promise<FastifyReply> {
  const params = requestParams(request);
  const result = await runLabels(
    {
      name,
      selectors: params.getAll('match[]'),
      fromMs: timeParam(params, 'start') ?? 0,
      toMs: timeParam(params, 'end') ?? Date.now() + LIMITS.futureMs,
      limit: integerParam(params, 'limit') ?? 0,
      deadlineMs: Date.now() + deps.queryTimeoutMs,
    },
    deps.registry,
    deps.domainLabel,
  );
  return sendSuccess(reply, JSON.stringify(result.values), result.coverage, result.warnings);
}

/** The value in its order, cut to `limit` rows (0 for all). */
function limitRows(value: Value, kind: QueryKind, limit: number): { value: Value; warnings: string[] } {
  if (value.kind !== 'vector') return { value, warnings: [] };
  const rows = kind.inOrder(value.rows.filter((row) => anyPresent(row.present)));
  if (limit === 0 || rows.length <= limit) return { value: { ...value, rows }, warnings: [] };
  return { value: { ...value, rows: rows.slice(0, limit) }, warnings: [TRUNCATED] };
}
