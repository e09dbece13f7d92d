import type { FastifyReply, FastifyRequest } from 'fastify';
import { requestParams } from '../../api/params.ts';
import { instantQuery, rangeQuery, readQuery } from '../../api/query.ts';
import type { PromqlFeatures } from '../../promql/features.ts';
import { explainQuery } from '../explain.ts';
import type { Federation } from '../registry.ts';
import { approxParam } from './approx.ts';
import { callerOf } from './caller.ts';
import { sendSuccess } from './envelope.ts';

interface ExplainDeps {
  readonly federation: Federation;
  readonly lookbackMs: number;
  readonly queryTimeoutMs: number;
  readonly features: PromqlFeatures;
}

/**
 * GET|POST /api/v1/explain: how a query would run. The parameters are those of `query`, or of `query_range` where there is a
 * `start`; `analyze=true` runs it as well.
 */
export async function answerExplain(
  deps: ExplainDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const params = requestParams(request);
  const kind = (params.get('start') ?? '') === '' ? instantQuery : rangeQuery;
  const { text, expr, grid, lookbackMs, deadlineMs } = readQuery(params, kind, deps);
  const approx = approxParam(params);
  const analyze = ANALYZE.has(params.get('analyze') ?? '');
  const { federation, features } = deps;
  const caller = { ...callerOf(request, reply, params), allowPartial: true };
  const query = { ...caller, text, expr, grid, lookbackMs, deadlineMs, features, approx };
  return sendSuccess(reply, JSON.stringify(await explainQuery(query, federation, analyze)));
}

const ANALYZE: ReadonlySet<string> = new Set(['1', 'true']);
