import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { labelNameOf } from '../api/label-name.ts';
import {
  boundParam,
  exemplarTimeParam,
  integerParam,
  invalid,
  numberParam,
  requestParams,
  requiredParam,
} from '../api/params.ts';
import { getAndPost, parseParam, type QueryDefaults } from '../api/query.ts';
import { matchParams, selectorsIn } from '../api/selectors.ts';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { Queries } from '../shard/queries.ts';

/** A question of the local API. */
export type LocalQuestion = Parameters<Queries['answer']>[0];

/** Asks the shards, and sends what they answer. */
export type Ask = (
  request: FastifyRequest,
  reply: FastifyReply,
  question: LocalQuestion,
  timeoutMs: number,
) => Promise<FastifyReply>;

/** Label sets in one answer: each is some hundred bytes of text. */
const LABEL_SETS = LIMITS.rowsPerAnswer;

export const SERIES_ROUTES = {
  labels: '/api/v1/labels',
  values: '/api/v1/label/:name/values',
  series: '/api/v1/series',
  metadata: '/api/v1/metadata',
  exemplars: '/api/v1/query_exemplars',
} as const;

/** The part of Prometheus's HTTP API that tells what series there are. */
export function localSeriesApi(
  app: FastifyInstance,
  ask: Ask,
  { queryTimeoutMs, features }: Pick<QueryDefaults, 'queryTimeoutMs' | 'features'>,
): void {
  const answer =
    (read: (request: FastifyRequest, deadlineMs: number) => LocalQuestion) =>
    (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
      ask(request, reply, read(request, Date.now() + queryTimeoutMs), queryTimeoutMs);

  const names = (request: FastifyRequest, name: string, deadlineMs: number): LocalQuestion => ({
    kind: 'names',
    name,
    deadlineMs,
    ...selectionOf(requestParams(request), LIMITS.labelValues),
  });
  getAndPost(
    app,
    SERIES_ROUTES.labels,
    answer((request, deadlineMs) => names(request, '', deadlineMs)),
  );
  getAndPost(
    app,
    SERIES_ROUTES.values,
    answer((request, deadlineMs) => names(request, labelNameOf(request), deadlineMs)),
  );
  getAndPost(
    app,
    SERIES_ROUTES.series,
    answer((request, deadlineMs) => {
      const selection = selectionOf(requestParams(request), LABEL_SETS);
      if (selection.selectors.length === 0) throw new ComityError('bad_data', 'no match[] parameter provided');
      return { kind: 'series', deadlineMs, ...selection };
    }),
  );
  app.get(
    SERIES_ROUTES.metadata,
    answer((request, deadlineMs) => metadataOf(requestParams(request), deadlineMs)),
  );
  getAndPost(
    app,
    SERIES_ROUTES.exemplars,
    answer((request, deadlineMs) => exemplarsOf(requestParams(request), deadlineMs, features)),
  );
}

/** Series that are asked for; no selector means all. `most`: the limit where the caller sets none or a higher one. */
function selectionOf(params: URLSearchParams, most: number) {
  const limit = Math.min(integerParam(params, 'limit') || most, most);
  const fromMs = boundParam(params, 'start', -Infinity);
  const toMs = boundParam(params, 'end', Infinity);
  return { limit, selectors: matchParams(params), fromMs, toMs };
}

/** A family has one entry, so `limit_per_metric` changes nothing. */
function metadataOf(params: URLSearchParams, deadlineMs: number): LocalQuestion {
  const limit = numberParam(params, 'limit') ?? -1;
  numberParam(params, 'limit_per_metric');
  return { kind: 'metadata', metric: params.get('metric') ?? '', limit: limit < 0 ? Infinity : limit, deadlineMs };
}

function exemplarsOf(params: URLSearchParams, deadlineMs: number, features: PromqlFeatures): LocalQuestion {
  const fromMs = exemplarTimeParam(params, 'start', -Infinity);
  const toMs = exemplarTimeParam(params, 'end', Infinity);
  if (toMs < fromMs) throw invalid('end', 'end timestamp must not be before start timestamp');
  const found = selectorsIn(parseParam('query', requiredParam(params, 'query'), features));
  const selectors = found.map(({ matchers }) => matchers);
  return { kind: 'exemplars', selectors, fromMs, toMs, deadlineMs };
}
