import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { acceptForms, sendData, sendErrors } from '../api/envelope.ts';
import { requestParams } from '../api/params.ts';
import {
  buildInfoJson,
  DEFAULT_LOOKBACK_MS,
  DEFAULT_QUERY_TIMEOUT_MS,
  getAndPost,
  instantQuery,
  limitRows,
  rangeQuery,
  readQuery,
  TRUNCATED,
  type QueryKind,
  type QueryParams,
} from '../api/query.ts';
import type { ComityError } from '../base/errors.ts';
import { startUsage, type EvalContext } from '../engine/context.ts';
import { evaluate } from '../engine/evaluate.ts';
import { selectRange } from '../engine/select-range.ts';
import { assertSupported } from '../engine/supported.ts';
import { normalise } from '../plan/normalise.ts';
import type { Expr, MatrixSelector } from '../promql/ast.ts';
import { rangeVectorJson } from '../wire/prometheus-json.ts';
import { localSeriesApi, type LocalSource } from './local-series.ts';

export interface LocalQueryDeps {
  readonly source: LocalSource;
  /** How far back an instant selector looks, in ms; five minutes when left out, as in Prometheus. */
  readonly lookbackMs?: number;
  /** The longest that a query may take, in ms; `LIMITS.answerMs` at most makes sense: others wait for their turn. */
  readonly queryTimeoutMs?: number;
  onFault(error: ComityError): void;
}

/**
 * Prometheus's HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/) over what one agent holds, for people
 * and dashboards inside the domain. It answers with raw samples and knows no policy, so it must have a listener of its own
 * that nothing outside the domain can reach: hubs ask the federation endpoint.
 */
export function localQueryApi(app: FastifyInstance, deps: LocalQueryDeps): void {
  const limits = {
    lookbackMs: deps.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    queryTimeoutMs: deps.queryTimeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS,
  };
  const answer =
    (kind: QueryKind) =>
    (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
      const query = readQuery(requestParams(request), kind, limits);
      assertSupported(query.expr, query.text);
      const { data, warnings } = run(query, kind, deps.source);
      return sendData(reply, `{${data}}`, warnings);
    };

  acceptForms(app);
  sendErrors(app, deps.onFault);
  getAndPost(app, '/api/v1/query', answer(instantQuery));
  getAndPost(app, '/api/v1/query_range', answer(rangeQuery));
  localSeriesApi(app, deps.source, limits.queryTimeoutMs);
  app.get('/api/v1/status/buildinfo', (_request, reply) => sendData(reply, buildInfoJson()));
  app.get('/-/healthy', async () => 'Comity agent is healthy.\n');
  app.get('/-/ready', async () => 'Comity agent is ready.\n');
}

/** `data` without its braces, and warnings. */
interface Answer {
  readonly data: string;
  readonly warnings: readonly string[];
}

function run({ expr, grid, lookbackMs, deadlineMs, limit }: QueryParams, kind: QueryKind, source: LocalSource): Answer {
  const ctx: EvalContext = { grid, lookbackMs, source, merged: [], usage: startUsage(deadlineMs), scope: 'whole' };
  const matrix = rangeVectorOf(expr);
  if (matrix !== undefined) {
    const selector = normalise(matrix.selector, grid);
    return rangeVector(selector.kind === 'vector' ? { ...matrix, selector } : matrix, limit, ctx);
  }
  const limited = limitRows(evaluate(normalise(expr, grid), ctx), kind, limit);
  return { data: kind.json(limited.value, grid), warnings: limited.warnings };
}

function rangeVector(matrix: MatrixSelector, limit: number, ctx: EvalContext): Answer {
  let isCut = false;
  function* withinLimit() {
    let count = 0;
    for (const series of selectRange(matrix, ctx)) {
      isCut = limit > 0 && count === limit;
      if (isCut) return;
      count++;
      yield series;
    }
  }
  const data = rangeVectorJson(withinLimit());
  return { data, warnings: isCut ? [TRUNCATED] : [] };
}

function rangeVectorOf(expr: Expr): MatrixSelector | undefined {
  if (expr.kind === 'paren') return rangeVectorOf(expr.expr);
  return expr.kind === 'matrix' ? expr : undefined;
}
