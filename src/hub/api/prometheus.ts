import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { requestParams } from '../../api/params.ts';
import { getAndPost, instantQuery, limitRows, rangeQuery, readQuery, type QueryKind } from '../../api/query.ts';
import { promqlApi, type ApiFeatures } from '../../api/promql.ts';
import { ComityError } from '../../base/errors.ts';
import { suppressionInfo } from '../../coverage/coverage.ts';
import { noteTexts } from '../../engine/notes.ts';
import { runQuery } from '../query.ts';
import { answerExplain } from './explain.ts';
import { approxParam } from './approx.ts';
import { callerOf } from './caller.ts';
import { sendSuccess } from './envelope.ts';
import { listsApi, type ListsApiDeps } from './lists.ts';
import { rulesApi } from './rules.ts';
import { statsJson } from './stats.ts';
import { statusApi } from './status.ts';

export interface PrometheusApiDeps extends ListsApiDeps {
  readonly lookbackMs: number;
  onQuery(outcome: string, seconds: number): void;
  /** Told of every answer; 499 is that of a client which did not wait for it. */
  onAnswer(handler: string, status: number): void;
}

/** The part of Prometheus's HTTP API that the hub serves; answers to queries carry `data.coverage` beside their result. */
export function prometheusApi(app: FastifyInstance, deps: PrometheusApiDeps): void {
  app.addHook('onSend', async (request, reply) => {
    deps.onAnswer(request.routeOptions.url ?? 'none', reply.statusCode);
  });
  // Browsers ask before they send; whether another origin may read the answer is for a proxy to say.
  app.options('/api/v1/*', (_request, reply) => reply.code(204).header('allow', 'GET, HEAD, OPTIONS, POST').send());
  getAndPost(app, '/api/v1/query', (request, reply) => answer(deps, request, reply, instantQuery));
  getAndPost(app, '/api/v1/query_range', (request, reply) => answer(deps, request, reply, rangeQuery));
  listsApi(app, deps);
  getAndPost(app, '/api/v1/explain', (request, reply) => answerExplain(deps, request, reply));
  promqlApi(app, deps.features, HUB_API);
  rulesApi(app);
  statusApi(app, deps);
}

const HUB_API: ApiFeatures = {
  admin: false,
  exclude_alerts: true,
  label_values_match: true,
  lifecycle: false,
  otlp_write_receiver: false,
  query_stats: true,
  query_warnings: true,
  remote_write_receiver: false,
  search: false,
  time_range_labels: true,
  time_range_series: true,
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
    const { text, expr, grid, lookbackMs, deadlineMs, limit, stats, warnings: known } = readQuery(params, kind, deps);
    const caller = callerOf(request, reply, params);
    const approx = approxParam(params);
    const query = { ...caller, text, expr, grid, lookbackMs, deadlineMs, features: deps.features, approx };
    const result = await runQuery(query, deps.federation);
    outcome = result.coverage.complete ? 'complete' : 'partial';
    const limited = limitRows(result.value, kind, limit);
    const coverage = JSON.stringify(result.coverage);
    const approximate = result.approximate === undefined ? '' : approximateJson(result.approximate);
    const told = stats ? `,"stats":${statsJson(result, performance.now() - started)}` : '';
    const data = `{${kind.json(limited.value, grid)},"coverage":${coverage}${approximate}${told}}`;
    const notes = noteTexts(result.notes, text);
    const warnings = [...result.warnings, ...notes.warnings, ...limited.warnings, ...known];
    const infos = [
      suppressionInfo(result.coverage),
      result.approximate === undefined ? undefined : approximateInfo(result.approximate),
      ...notes.infos,
    ].filter((info) => info !== undefined);
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
