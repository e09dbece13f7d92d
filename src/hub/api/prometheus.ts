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
import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { runLabels } from '../labels.ts';
import { runQuery } from '../query.ts';
import type { Registry } from '../registry.ts';
import { sendSuccess } from './envelope.ts';

export interface PrometheusApiDeps {
  readonly registry: Registry;
  readonly domainLabel: string;
  readonly lookbackMs: number;
  readonly queryTimeoutMs: number;
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
  app.get('/api/v1/status/buildinfo', (_request, reply) => sendSuccess(reply, buildInfoJson()));
}

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
    const { limit, ...query } = readQuery(params, kind, deps);
    const allowPartial = switchParam(params, 'partial_response') && request.headers['fromalert'] !== 'true';
    const result = await runQuery({ ...query, allowPartial }, deps.registry, deps.domainLabel);
    outcome = result.coverage.complete ? 'complete' : 'partial';
    const limited = limitRows(result.value, kind, limit);
    const coverage = JSON.stringify(result.coverage);
    return sendSuccess(reply, `{${kind.json(limited.value, query.grid)},"coverage":${coverage}}`, result.coverage, [
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
