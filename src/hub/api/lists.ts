import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { labelNameOf } from '../../api/label-name.ts';
import {
  boundParam,
  exemplarTimeParam,
  integerParam,
  invalid,
  numberParam,
  requestParams,
  requiredParam,
} from '../../api/params.ts';
import { getAndPost, parseParam } from '../../api/query.ts';
import { selectorParams, selectorsIn } from '../../api/selectors.ts';
import { ComityError } from '../../base/errors.ts';
import type { PromqlFeatures } from '../../promql/features.ts';
import { exemplarsJson, labelSetsJson } from '../../wire/prometheus-json.ts';
import { summariseCoverage, type Coverage } from '../../coverage/coverage.ts';
import { listCoverage } from '../coverage.ts';
import type { ListCaller, ListResult } from '../lists/ask.ts';
import { runExemplars } from '../lists/exemplars.ts';
import { runLabels } from '../lists/labels.ts';
import { runMetadata, type Family } from '../lists/metadata.ts';
import { runSeries } from '../lists/series.ts';
import type { Federation } from '../registry.ts';
import { callerOf } from './caller.ts';
import { sendList } from './envelope.ts';

export interface ListsApiDeps {
  readonly federation: Federation;
  readonly queryTimeoutMs: number;
  readonly features: PromqlFeatures;
}

/** A list that a request asks for, and its `data` as JSON text. */
type Lister<T> = (
  params: URLSearchParams,
  caller: ListCaller,
  request: FastifyRequest,
) => Promise<{ readonly result: ListResult<T>; readonly json: (values: readonly T[]) => string }>;

/** The part of Prometheus's HTTP API that tells what series there are, as far as the domains' policies let it out. */
export function listsApi(app: FastifyInstance, deps: ListsApiDeps): void {
  const { federation, features } = deps;
  const answer =
    <T>(list: Lister<T>) =>
    (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
      answerList(deps, list, request, reply);

  const names =
    (nameOf: (request: FastifyRequest) => string): Lister<string> =>
    async (params, caller, request) => {
      const name = nameOf(request);
      const limit = integerParam(params, 'limit') ?? 0;
      const range = rangeParams(params, boundParam);
      const selectors = selectorParams(params.getAll('match[]'));
      const result = await runLabels({ ...caller, ...range, name, selectors, limit }, federation);
      return { result, json: JSON.stringify };
    };
  getAndPost(app, '/api/v1/labels', answer(names(() => '')));
  getAndPost(app, '/api/v1/label/:name/values', answer(names(labelNameOf)));

  getAndPost(
    app,
    '/api/v1/series',
    answer(async (params, caller) => {
      const texts = params.getAll('match[]');
      if (texts.length === 0) throw new ComityError('bad_data', 'no match[] parameter provided');
      const limit = integerParam(params, 'limit') ?? 0;
      const range = rangeParams(params, boundParam);
      const selectors = selectorParams(texts);
      const result = await runSeries({ ...caller, ...range, selectors, limit }, federation);
      return { result, json: labelSetsJson };
    }),
  );

  getAndPost(
    app,
    '/api/v1/metadata',
    answer(async (params, caller) => {
      const limit = numberParam(params, 'limit') ?? -1;
      const perMetric = numberParam(params, 'limit_per_metric') ?? -1;
      const result = await runMetadata(
        {
          ...caller,
          metric: params.get('metric') ?? '',
          limit: limit < 0 ? undefined : limit,
          limitPerMetric: perMetric <= 0 ? undefined : perMetric,
        },
        federation,
      );
      return { result, json: metadataJson };
    }),
  );

  getAndPost(
    app,
    '/api/v1/query_exemplars',
    answer(async (params, caller) => {
      const range = rangeParams(params, exemplarTimeParam);
      if (range.toMs < range.fromMs) throw invalid('end', 'end timestamp must not be before start timestamp');
      const selectors = selectorsIn(parseParam('query', requiredParam(params, 'query'), features));
      const json = exemplarsJson;
      if (selectors.length === 0) return { result: { values: [], coverage: unasked(federation), warnings: [] }, json };
      return { result: await runExemplars({ ...caller, ...range, selectors }, federation), json };
    }),
  );
}

async function answerList<T>(
  { queryTimeoutMs }: ListsApiDeps,
  list: Lister<T>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const params = requestParams(request);
  const caller = { ...callerOf(request, reply, params), deadlineMs: Date.now() + queryTimeoutMs };
  const { result, json } = await list(params, caller, request);
  return sendList(reply, json(result.values), result.coverage, result.warnings);
}

/** The coverage of what no domain needs to be asked about. */
function unasked({ registry }: Federation): Coverage {
  return summariseCoverage(registry.map((domain) => listCoverage(domain, undefined, undefined)));
}

/** `start` and `end`; all of time where they are left out, in whole ms that a message can hold. */
function rangeParams(params: URLSearchParams, read: typeof boundParam): { fromMs: number; toMs: number } {
  return {
    fromMs: Math.max(read(params, 'start', -Infinity), Number.MIN_SAFE_INTEGER),
    toMs: Math.min(read(params, 'end', Infinity), Number.MAX_SAFE_INTEGER),
  };
}

/** `{"<family>":[{"type":…,"unit":…,"help":…}]}`. */
function metadataJson(families: readonly Family[]): string {
  // Text by text: a family may be named __proto__.
  const parts = families.map(({ metric, entries }) => `${JSON.stringify(metric)}:${JSON.stringify(entries)}`);
  return `{${parts.join(',')}}`;
}
