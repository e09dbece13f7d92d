import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { unescapeLabelName } from '../../api/label-name.ts';
import { integerParam, requestParams, switchParam, timeParam } from '../../api/params.ts';
import {
  buildInfoJson,
  getAndPost,
  instantQuery,
  limitRows,
  rangeQuery,
  readQuery,
  type QueryKind,
} from '../../api/query.ts';
import { promqlApi, type ApiFeatures } from '../../api/promql.ts';
import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { PromqlFeatures } from '../../promql/features.ts';
import { noteTexts } from '../../engine/notes.ts';
import { runLabels } from '../labels.ts';
import { runQuery } from '../query.ts';
import { answerExplain } from './explain.ts';
import type { Federation } from '../registry.ts';
import { approxParam } from './approx.ts';
import { sendSuccess } from './envelope.ts';

export interface PrometheusApiDeps {
  readonly federation: Federation;
  readonly lookbackMs: number;
  readonly queryTimeoutMs: number;
  readonly features: PromqlFeatures;
  onQuery(outcome: string, seconds: number): void;
}

/** The part of Prometheus's HTTP API that the hub serves; answers to queries carry `data.coverage` beside their result. */
export function prometheusApi(app: FastifyInstance, deps: PrometheusApiDeps): void {
  getAndPost(app, '/api/v1/query', (request, reply) => answer(deps, request, reply, instantQuery));
  getAndPost(app, '/api/v1/query_range', (request, reply) => answer(deps, request, reply, rangeQuery));
  getAndPost(app, '/api/v1/labels', (request, reply) => answerLabels(deps, request, reply, ''));
  getAndPost(app, '/api/v1/label/:name/values', (request, reply) => {
    const { name } = request.params as { name: string };
    return answerLabels(deps, request, reply, unescapeLabelName(name));
  });
  getAndPost(app, '/api/v1/explain', (request, reply) => answerExplain(deps, request, reply));
  promqlApi(app, deps.features, HUB_API);
  app.get('/api/v1/status/buildinfo', (_request, reply) => sendSuccess(reply, buildInfoJson()));
}

const HUB_API: ApiFeatures = {
  admin: false,
  exclude_alerts: false,
  label_values_match: true,
  lifecycle: false,
  otlp_write_receiver: false,
  query_stats: false,
  query_warnings: true,
  remote_write_receiver: false,
  search: false,
  time_range_labels: true,
  time_range_series: false,
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
    const { text, expr, grid, lookbackMs, deadlineMs, limit, warnings: known } = readQuery(params, kind, deps);
    const allowPartial = switchParam(params, 'partial_response') && request.headers['fromalert'] !== 'true';
    const approx = approxParam(params);
    const query = { text, expr, grid, lookbackMs, deadlineMs, features: deps.features, allowPartial, approx };
    const result = await runQuery(query, deps.federation);
    outcome = result.coverage.complete ? 'complete' : 'partial';
    const limited = limitRows(result.value, kind, limit);
    const coverage = JSON.stringify(result.coverage);
    const approximate = result.approximate === undefined ? '' : approximateJson(result.approximate);
    const data = `{${kind.json(limited.value, grid)},"coverage":${coverage}${approximate}}`;
    const notes = noteTexts(result.notes, text);
    const warnings = [...result.warnings, ...notes.warnings, ...limited.warnings, ...known];
    const infos =
      result.approximate === undefined ? notes.infos : [approximateInfo(result.approximate), ...notes.infos];
    return sendSuccess(reply, data, result.coverage, warnings, infos);
  } catch (error) {
    if (error instanceof ComityError) outcome = error.code;
    throw error;
  } finally {
    deps.onQuery(outcome, (performance.now() - started) / 1000);
  }
}

/** Beside the result, so that programs see it. */
function approximateJson(relativeError: number): string {
  return `,"approximate":${JSON.stringify({ relativeError })}`;
}

function approximateInfo(relativeError: number): string {
  const percent = Number((relativeError * 100).toPrecision(6));
  return `PromQL info: quantile is approximate, each value within ${percent} % of what lies at its rank`;
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
    deps.federation,
  );
  return sendSuccess(reply, JSON.stringify(result.values), result.coverage, result.warnings);
}
