import type { FastifyInstance } from 'fastify';
import { AGGREGATES, COVERAGE, FUNCTIONS } from '../promql/functions.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { formatExpr } from '../promql/format.ts';
import { PRECEDENCE } from '../promql/precedence.ts';
import { astJson } from './ast-json.ts';
import { sendData } from './envelope.ts';
import { requestParams } from './params.ts';
import { getAndPost, namingParam, parseParam } from './query.ts';

/** The parts of Prometheus's HTTP API that are about PromQL itself and read no series. */
export function promqlApi(app: FastifyInstance, features: PromqlFeatures, api: ApiFeatures): void {
  getAndPost(app, '/api/v1/format_query', (request, reply) => {
    const text = requestParams(request).get('query') ?? '';
    return sendData(reply, JSON.stringify(namingParam('query', () => formatExpr(text, features))));
  });
  getAndPost(app, '/api/v1/parse_query', (request, reply) => {
    const text = requestParams(request).get('query') ?? '';
    return sendData(reply, JSON.stringify(astJson(parseParam('query', text, features), text)));
  });
  const data = JSON.stringify(featureList(features, api));
  app.get('/api/v1/features', (_request, reply) => sendData(reply, data));
}

/** By Prometheus's names for what a server's API can do. */
export type ApiFeatures = Readonly<Record<string, boolean>>;

/** `data` of /api/v1/features, of the categories that a program of ours has. */
function featureList(features: PromqlFeatures, api: ApiFeatures): Record<string, Record<string, boolean>> {
  const { experimentalFunctions, extendedRangeSelectors, fillModifiers } = features;
  const isOn = ({ experimental }: { readonly experimental: boolean }): boolean =>
    !experimental || experimentalFunctions;
  const all = (names: readonly string[], on = true): [string, boolean][] => names.map((name) => [name, on]);
  const enabled = <T extends { readonly experimental: boolean }>(table: ReadonlyMap<string, T>): [string, boolean][] =>
    [...table].map(([name, signature]) => [name, isOn(signature)]);
  return {
    api,
    promql: Object.fromEntries([
      ...all([
        'at_modifier',
        'bool',
        'by',
        'duration_expr',
        'group_left',
        'group_right',
        'ignoring',
        'negative_offset',
      ]),
      ...all(['offset', 'on', 'per_query_lookback_delta', 'subqueries', 'without']),
      ...all(['anchored', 'smoothed'], extendedRangeSelectors),
      ...all(['fill', 'fill_left', 'fill_right'], fillModifiers),
      ...all(['delayed_name_removal'], features.delayedNameRemoval),
      ...all(['type_and_unit_labels'], features.typeAndUnitLabels),
      ...all(['per_step_stats'], false),
    ]),
    promql_functions: Object.fromEntries([
      ...enabled(FUNCTIONS),
      // No Prometheus has it.
      ...(features.coverageFunction ? all([COVERAGE]) : []),
    ]),
    promql_operators: Object.fromEntries([
      ...all([...Object.keys(PRECEDENCE), '=~', '!~', '@']),
      ...enabled(AGGREGATES),
    ]),
  };
}
