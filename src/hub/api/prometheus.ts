import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { VERSION } from '../../base/version.ts';
import { compareLabels } from '../../model/labels.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../../model/grid.ts';
import { matrixJson, scalarJson, stringJson, vectorJson } from '../../wire/prometheus-json.ts';
import type { Value } from '../../engine/evaluate.ts';
import { runLabels } from '../labels.ts';
import { runQuery, type QueryResult } from '../query.ts';
import type { Registry } from '../registry.ts';
import { sendSuccess } from './envelope.ts';
import {
  durationParam,
  integerParam,
  invalid,
  positiveDuration,
  requestParams,
  requiredParam,
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

/** What a kind of query needs: its steps, and its answer as JSON. */
interface QueryKind {
  grid(params: URLSearchParams, nowMs: number): QueryGrid;
  json(value: Value, grid: QueryGrid): string;
}

const instantQuery: QueryKind = {
  grid: (params, nowMs) => instantGrid(timeParam(params, 'time') ?? nowMs),
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
  json(value, grid) {
    if (value.kind === 'string') {
      throw invalid('query', 'invalid expression type "string" for range query, must be Scalar or instant Vector');
    }
    if (value.kind === 'scalar') {
      const present = new Uint8Array(grid.steps).fill(1);
      return matrixJson([{ labels: [], values: value.values, present }], grid);
    }
    return matrixJson(
      value.rows.toSorted((a, b) => compareLabels(a.labels, b.labels)),
      grid,
    );
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
    const grid = kind.grid(params, Date.now());
    const result = await run(deps, request, params, grid);
    outcome = result.coverage.complete ? 'complete' : 'partial';
    const limited = limitRows(result.value, integerParam(params, 'limit') ?? 0);
    const coverage = JSON.stringify(result.coverage);
    return sendSuccess(reply, `{${kind.json(limited.value, grid)},"coverage":${coverage}}`, result.coverage, [
      ...result.warnings,
      ...limited.warnings,
    ]);
  } catch (error) {
    if (error instanceof ComityError) outcome = error.code;
    throw error;
  } finally {
    deps.onQuery(outcome, (performance.now() - started) / 1000);
  }
}

function run(
  deps: PrometheusApiDeps,
  request: FastifyRequest,
  params: URLSearchParams,
  grid: QueryGrid,
): Promise<QueryResult> {
  const text = requiredParam(params, 'query');
  const timeoutMs = Math.min(durationParam(params, 'timeout') ?? Infinity, deps.queryTimeoutMs);
  return runQuery(
    {
      text,
      grid,
      lookbackMs: positiveDuration(params, 'lookback_delta') ?? deps.lookbackMs,
      deadlineMs: Date.now() + timeoutMs,
      allowPartial: params.get('partial_response') !== 'false' && request.headers['fromalert'] !== 'true',
    },
    deps.registry,
    deps.domainLabel,
  );
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
  );
  return sendSuccess(reply, JSON.stringify(result.values), result.coverage, result.warnings);
}

function limitRows(value: Value, limit: number): { value: Value; warnings: string[] } {
  if (limit === 0 || value.kind !== 'vector' || value.rows.length <= limit) return { value, warnings: [] };
  return { value: { ...value, rows: value.rows.slice(0, limit) }, warnings: ['results truncated due to limit'] };
}
