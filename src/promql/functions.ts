import type { AggregateOp, ValueType } from './ast.ts';
import type { PromqlFeatures } from './features.ts';
import { nearestName } from './nearest-name.ts';

/** The signature of a PromQL function. */
export interface FunctionSignature {
  readonly args: readonly ValueType[];
  /**
   * How often the last of `args` may be given: 0 means exactly once, n > 0 means none to n times, -1 means any number
   * of times including none.
   */
  readonly variadic: number;
  readonly returns: ValueType;
  /** Offered only with the feature promql-experimental-functions. */
  readonly experimental: boolean;
}

function fn(args: readonly ValueType[], returns: ValueType, variadic = 0, experimental = false): FunctionSignature {
  return { args, variadic, returns, experimental };
}

function ofEach(names: string, signature: FunctionSignature): [string, FunctionSignature][] {
  return names.split(' ').map((name) => [name, signature]);
}

const EXPERIMENTAL = true;

/** Every function of Prometheus 3.15 (https://prometheus.io/docs/prometheus/latest/querying/functions/), by its name. */
export const FUNCTIONS: ReadonlyMap<string, FunctionSignature> = new Map<string, FunctionSignature>([
  ...ofEach('abs absent ceil exp floor ln log10 log2 sgn sort sort_desc sqrt timestamp', fn(['vector'], 'vector')),
  ...ofEach('acos acosh asin asinh atan atanh cos cosh deg rad sin sinh tan tanh', fn(['vector'], 'vector')),
  ...ofEach('histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum', fn(['vector'], 'vector')),
  ...ofEach('clamp_max clamp_min', fn(['vector', 'scalar'], 'vector')),
  ['clamp', fn(['vector', 'scalar', 'scalar'], 'vector')],
  ['histogram_fraction', fn(['scalar', 'scalar', 'vector'], 'vector')],
  ['histogram_quantile', fn(['scalar', 'vector'], 'vector')],
  ['round', fn(['vector', 'scalar'], 'vector', 1)],
  ['label_replace', fn(['vector', 'string', 'string', 'string', 'string'], 'vector')],
  ['label_join', fn(['vector', 'string', 'string', 'string'], 'vector', -1)],

  ...ofEach('changes delta deriv idelta increase irate rate resets', fn(['matrix'], 'vector')),
  ...ofEach('absent_over_time avg_over_time count_over_time first_over_time', fn(['matrix'], 'vector')),
  ...ofEach('last_over_time max_over_time min_over_time present_over_time', fn(['matrix'], 'vector')),
  ...ofEach('stddev_over_time stdvar_over_time sum_over_time', fn(['matrix'], 'vector')),
  ['predict_linear', fn(['matrix', 'scalar'], 'vector')],
  ['quantile_over_time', fn(['scalar', 'matrix'], 'vector')],

  ...ofEach('day_of_month day_of_week day_of_year days_in_month', fn(['vector'], 'vector', 1)),
  ...ofEach('hour minute month year', fn(['vector'], 'vector', 1)),
  ...ofEach('pi time', fn([], 'scalar')),
  ['scalar', fn(['vector'], 'scalar')],
  ['vector', fn(['scalar'], 'vector')],

  ...ofEach('end range start step', fn([], 'scalar', 0, EXPERIMENTAL)),
  ...ofEach('max_of min_of', fn(['scalar', 'scalar'], 'scalar', 0, EXPERIMENTAL)),
  ...ofEach(
    'mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time',
    fn(['matrix'], 'vector', 0, EXPERIMENTAL),
  ),
  ...ofEach('sort_by_label sort_by_label_desc', fn(['vector', 'string'], 'vector', -1, EXPERIMENTAL)),
  ['double_exponential_smoothing', fn(['matrix', 'scalar', 'scalar'], 'vector', 0, EXPERIMENTAL)],
  ['histogram_quantiles', fn(['vector', 'string', 'scalar', 'scalar'], 'vector', 9, EXPERIMENTAL)],
  ['info', fn(['vector', 'vector'], 'vector', 1, EXPERIMENTAL)],
  ['start_timestamp', fn(['vector'], 'vector', 0, EXPERIMENTAL)],
]);

/** The function of a hub that tells how much of what an expression reads is there, by domain. */
export const COVERAGE = 'coverage';

/** What a function is called with and gives, Prometheus's or ours; undefined where there is none of that name. */
export function signatureOf(name: string): FunctionSignature | undefined {
  return FUNCTIONS.get(name) ?? (name === COVERAGE ? COVERAGE_SIGNATURE : undefined);
}

/** Its argument may be a scalar as well. */
const COVERAGE_SIGNATURE = fn(['vector'], 'vector');

/** The aggregation operators: the type of the parameter that stands before the vector, if they take one. */
export const AGGREGATES: ReadonlyMap<string, { op: AggregateOp; param?: ValueType; experimental: boolean }> = new Map([
  ['sum', { op: 'sum', experimental: false }],
  ['avg', { op: 'avg', experimental: false }],
  ['count', { op: 'count', experimental: false }],
  ['min', { op: 'min', experimental: false }],
  ['max', { op: 'max', experimental: false }],
  ['group', { op: 'group', experimental: false }],
  ['stddev', { op: 'stddev', experimental: false }],
  ['stdvar', { op: 'stdvar', experimental: false }],
  ['topk', { op: 'topk', param: 'scalar', experimental: false }],
  ['bottomk', { op: 'bottomk', param: 'scalar', experimental: false }],
  ['quantile', { op: 'quantile', param: 'scalar', experimental: false }],
  ['count_values', { op: 'count_values', param: 'string', experimental: false }],
  ['limitk', { op: 'limitk', param: 'scalar', experimental: true }],
  ['limit_ratio', { op: 'limit_ratio', param: 'scalar', experimental: true }],
]);

/** The enabled function or aggregation whose name is nearest to a misspelt one, or undefined when none is near. */
export function nearestFunction(name: string, features: PromqlFeatures): string | undefined {
  const enabled = [...FUNCTIONS, ...AGGREGATES].flatMap(([candidate, { experimental }]) =>
    experimental && !features.experimentalFunctions ? [] : [candidate],
  );
  return nearestName(name, features.coverageFunction ? [...enabled, COVERAGE] : enabled);
}
