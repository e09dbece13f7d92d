import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { acceptForms, sendData, sendEnvelope, sendErrors } from '../api/envelope.ts';
import { requestParams } from '../api/params.ts';
import {
  buildInfoJson,
  DEFAULT_LOOKBACK_MS,
  DEFAULT_QUERY_TIMEOUT_MS,
  getAndPost,
  instantQuery,
  rangeQuery,
  readQuery,
} from '../api/query.ts';
import type { ComityError } from '../base/errors.ts';
import { assertSupported } from '../engine/supported.ts';
import type { Queries } from '../shard/queries.ts';
import { localSeriesApi } from './local-series.ts';
import { whileConnected } from './while-connected.ts';

export interface LocalQueryDeps {
  readonly queries: Pick<Queries, 'answer'>;
  /** How far back an instant selector looks, in ms; five minutes when left out, as in Prometheus. */
  readonly lookbackMs?: number;
  /** The longest that a query may take, in ms; `LIMITS.answerMs` at most makes sense: others wait for their turn. */
  readonly queryTimeoutMs?: number;
  onFault(error: ComityError): void;
}

/**
 * Prometheus's HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/) over what one agent holds, for people
 * and dashboards inside the domain. It answers with raw samples and knows no policy, so it must have a listener of its own
 * that nothing outside the domain can reach: hubs ask the federation endpoint. A client that hangs up stops its query.
 */
export function localQueryApi(app: FastifyInstance, deps: LocalQueryDeps): void {
  const { queries } = deps;
  const limits = {
    lookbackMs: deps.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    queryTimeoutMs: deps.queryTimeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS,
  };
  const answer =
    (kind: 'instant' | 'range') =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const read = readQuery(requestParams(request), kind === 'instant' ? instantQuery : rangeQuery, limits);
      const { text, ...query } = read;
      assertSupported(query.expr, text);
      return sendEnvelope(reply, await queries.answer({ kind, ...query }, whileConnected(reply)));
    };

  acceptForms(app);
  sendErrors(app, deps.onFault);
  getAndPost(app, '/api/v1/query', answer('instant'));
  getAndPost(app, '/api/v1/query_range', answer('range'));
  localSeriesApi(app, queries, limits.queryTimeoutMs);
  app.get('/api/v1/status/buildinfo', (_request, reply) => sendData(reply, buildInfoJson()));
  app.get('/-/healthy', async () => 'Comity agent is healthy.\n');
  app.get('/-/ready', async () => 'Comity agent is ready.\n');
}
