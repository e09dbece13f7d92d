import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { acceptForms, sendData, sendEnvelope, sendErrors } from '../api/envelope.ts';
import { requestParams } from '../api/params.ts';
import { promqlApi, type ApiFeatures } from '../api/promql.ts';
import {
  buildInfoJson,
  DEFAULT_LOOKBACK_MS,
  DEFAULT_QUERY_TIMEOUT_MS,
  getAndPost,
  instantQuery,
  rangeQuery,
  readQuery,
} from '../api/query.ts';
import { ComityError } from '../base/errors.ts';
import { NO_FEATURES, type PromqlFeatures } from '../promql/features.ts';
import type { Queries } from '../shard/queries.ts';
import type { AuditLog } from '../base/audit-log.ts';
import { auditReads } from './audit-reads.ts';
import { localSeriesApi, SERIES_ROUTES, type Ask } from './local-series.ts';
import { healthPages } from './own-pages.ts';
import { whileConnected } from '../api/while-connected.ts';

export interface LocalQueryDeps {
  readonly queries: Pick<Queries, 'answer'>;
  /** How far back an instant selector looks, in ms; five minutes when left out, as in Prometheus. */
  readonly lookbackMs?: number | undefined;
  /** The longest that a query may take, in ms; `LIMITS.answerMs` at most makes sense: others wait for their turn. */
  readonly queryTimeoutMs?: number | undefined;
  readonly features?: PromqlFeatures | undefined;
  /** Takes who has read what; nothing does when left out. */
  readonly audit?: AuditLog | undefined;
  onFault(error: ComityError): void;
}

/**
 * Prometheus's HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/) over what one agent holds, for people
 * and dashboards inside the domain. It answers with raw samples and knows no policy, so it must have a listener of its own
 * that nothing outside the domain can reach: hubs ask the federation endpoint. A client that hangs up stops its query.
 */
export function localQueryApi(app: FastifyInstance, deps: LocalQueryDeps): void {
  const { queries, onFault, features = NO_FEATURES } = deps;
  const limits = {
    lookbackMs: deps.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    queryTimeoutMs: deps.queryTimeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS,
    features,
  };
  const tell = deps.audit === undefined ? () => undefined : auditReads(app, deps.audit, READ_ROUTES, onFault);
  const ask: Ask = async (request, reply, question, timeoutMs) => {
    const startedMs = performance.now();
    try {
      const { envelope, series, samples } = await queries.answer(question, whileConnected(reply));
      tell(request, { series, samples });
      return sendEnvelope(reply, envelope);
    } catch (error) {
      throw timedOut(error, performance.now() - startedMs, timeoutMs);
    }
  };
  const answer =
    (kind: 'instant' | 'range') =>
    (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const { timeoutMs, ...read } = readQuery(
        requestParams(request),
        kind === 'instant' ? instantQuery : rangeQuery,
        limits,
      );
      return ask(request, reply, { kind, features, ...read }, timeoutMs);
    };

  acceptForms(app);
  sendErrors(app, onFault);
  getAndPost(app, QUERY_ROUTE, answer('instant'));
  getAndPost(app, RANGE_ROUTE, answer('range'));
  localSeriesApi(app, ask, limits);
  promqlApi(app, features, LOCAL_API);
  app.get('/api/v1/status/buildinfo', (_request, reply) => sendData(reply, buildInfoJson()));
  healthPages(app);
}

const QUERY_ROUTE = '/api/v1/query';
const RANGE_ROUTE = '/api/v1/query_range';

/** Where samples, or what is known of them, are read. */
const READ_ROUTES: ReadonlySet<string> = new Set([QUERY_ROUTE, RANGE_ROUTE, ...Object.values(SERIES_ROUTES)]);

const LOCAL_API: ApiFeatures = {
  admin: false,
  exclude_alerts: false,
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

/** Says how long a query had, which whoever noticed the end of it does not know. */
function timedOut(error: unknown, tookMs: number, mostMs: number): unknown {
  if (!(error instanceof ComityError) || error.code !== 'timeout') return error;
  const times = `after ${(tookMs / 1000).toFixed(3)} s, with ${mostMs / 1000} s allowed (timeout)`;
  const advice = 'Narrow its selectors, shorten the range or raise the step';
  return new ComityError('timeout', `query timed out in expression evaluation ${times}. ${advice}`, { cause: error });
}
