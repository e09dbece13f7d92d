import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendEnvelope } from '../api/envelope.ts';
import { unescapeLabelName } from '../api/label-name.ts';
import { boundParam, integerParam, invalid, requestParams, requiredParam } from '../api/params.ts';
import { getAndPost, parseParam } from '../api/query.ts';
import { matchParams, selectorsIn } from '../api/selectors.ts';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Queries } from '../shard/queries.ts';
import { whileConnected } from './while-connected.ts';

type Question = Parameters<Queries['answer']>[0];

/** Label sets in one answer: each is some hundred bytes of text. */
const LABEL_SETS = LIMITS.rowsPerAnswer;

/** The part of Prometheus's HTTP API that tells what series there are. */
export function localSeriesApi(app: FastifyInstance, queries: Pick<Queries, 'answer'>, timeoutMs: number): void {
  const answer =
    (read: (request: FastifyRequest, deadlineMs: number) => Question) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const question = read(request, Date.now() + timeoutMs);
      return sendEnvelope(reply, await queries.answer(question, whileConnected(reply)));
    };

  const names = (request: FastifyRequest, name: string, deadlineMs: number): Question => ({
    kind: 'names',
    name,
    deadlineMs,
    ...selectionOf(requestParams(request), LIMITS.labelValues),
  });
  getAndPost(
    app,
    '/api/v1/labels',
    answer((request, deadlineMs) => names(request, '', deadlineMs)),
  );
  getAndPost(
    app,
    '/api/v1/label/:name/values',
    answer((request, deadlineMs) =>
      names(request, unescapeLabelName((request.params as { name: string }).name), deadlineMs),
    ),
  );
  getAndPost(
    app,
    '/api/v1/series',
    answer((request, deadlineMs) => {
      const selection = selectionOf(requestParams(request), LABEL_SETS);
      if (selection.selectors.length === 0) throw new ComityError('bad_data', 'no match[] parameter provided');
      return { kind: 'series', deadlineMs, ...selection };
    }),
  );
  app.get(
    '/api/v1/metadata',
    answer((request, deadlineMs) => metadataOf(requestParams(request), deadlineMs)),
  );
  getAndPost(
    app,
    '/api/v1/query_exemplars',
    answer((request, deadlineMs) => exemplarsOf(requestParams(request), deadlineMs)),
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
function metadataOf(params: URLSearchParams, deadlineMs: number): Question {
  const limit = integerParam(params, 'limit') ?? Infinity;
  integerParam(params, 'limit_per_metric');
  return { kind: 'metadata', metric: params.get('metric') ?? '', limit, deadlineMs };
}

function exemplarsOf(params: URLSearchParams, deadlineMs: number): Question {
  const fromMs = exemplarTime(params, 'start', -Infinity);
  const toMs = exemplarTime(params, 'end', Infinity);
  if (toMs < fromMs) throw invalid('end', 'end timestamp must not be before start timestamp');
  const selectors = selectorsIn(parseParam('query', requiredParam(params, 'query')));
  return { kind: 'exemplars', selectors, fromMs, toMs, deadlineMs };
}

/** Grafana asks for exemplars in milliseconds, which as seconds would be tens of thousands of years ahead. */
const MILLISECONDS_FROM = 1e11;

function exemplarTime(params: URLSearchParams, name: string, otherwise: number): number {
  const ms = boundParam(params, name, otherwise);
  return Number.isFinite(ms) && ms / 1000 >= MILLISECONDS_FROM ? ms / 1000 : ms;
}
