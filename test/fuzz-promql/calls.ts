import { call, literal, quoted, type Node, type Type } from './grammar.ts';
import { instantSelector, rangeSelector, rangeVector, subquery } from './selectors.ts';
import { isSpread, withDomain, type Scope, type Wanted } from './scope.ts';

/** What functions over ranges are meant for; any other takes what comes. */
const RANGE_OF: Readonly<Record<string, readonly Wanted[]>> = {
  rate: ['counter', 'counter', 'histogram'],
  increase: ['counter', 'counter', 'histogram'],
  irate: ['counter', 'counter', 'histogram'],
  resets: ['counter', 'histogram'],
  changes: ['float', 'histogram'],
  delta: ['gauge', 'gauge', 'histogram'],
  idelta: ['gauge', 'gauge', 'histogram'],
  deriv: ['gauge'],
  predict_linear: ['gauge'],
  double_exponential_smoothing: ['gauge'],
  sum_over_time: ['gauge', 'float', 'histogram'],
  avg_over_time: ['gauge', 'float', 'histogram'],
  last_over_time: ['float', 'histogram', 'any'],
  first_over_time: ['float', 'histogram', 'any'],
  count_over_time: ['any'],
  present_over_time: ['any'],
  absent_over_time: ['any'],
};

/** A call of a function with arguments that fit it. */
export function makeCall(scope: Scope, func: string, depth: number): Node {
  const { random, language } = scope;
  const recipe = RECIPES[func];
  if (recipe !== undefined) return call(func, ...recipe(scope, depth));
  const signature = language.functions.get(func);
  if (signature === undefined) throw new Error(`the oracle has no function ${func}`);
  const { args, variadic } = signature;
  const last = args.at(-1);
  const required = variadic === 0 ? args : args.slice(0, -1);
  const repeats = variadic === 0 || last === undefined ? 0 : random.int(0, variadic < 0 ? 2 : variadic);
  const types = [...required, ...Array.from({ length: repeats }, () => last as Type)];
  return call(func, ...types.map((type) => argument(scope, func, type, depth)));
}

function argument(scope: Scope, func: string, type: Type, depth: number): Node {
  const { random } = scope;
  switch (type) {
    case 'scalar':
      return scope.scalar(Math.min(1, depth));
    case 'string':
      return literal(quoted(random.pick(withDomain(scope, ['job', 'instance', 'code', 'läbel.x', 'new']))));
    case 'matrix':
      return maybeExtended(
        scope,
        func,
        rangeVector(scope, random.pick(RANGE_OF[func] ?? ['float', 'float', 'any']), depth),
      );
    case 'vector':
      return scope.vector(
        func.startsWith('histogram_') ? 'histogram' : random.pick(['float', 'float', 'float', 'any']),
        depth,
      );
  }
}

/** Functions that take ranges with these modifiers; no other does. */
export const EXTENDED: Readonly<Record<'anchored' | 'smoothed', readonly string[]>> = {
  anchored: ['rate', 'increase', 'delta', 'resets', 'changes'],
  smoothed: ['rate', 'increase', 'delta'],
};

function maybeExtended({ random, language }: Scope, func: string, range: Node): Node {
  const how = random.pick(['anchored', 'smoothed'] as const);
  const fits = range.kind === 'selector' && EXTENDED[how].includes(func) && language.modifiers.has(how);
  return fits && random.chance(0.2) ? { ...range, extended: how } : range;
}

type Recipe = (scope: Scope, depth: number) => Node[];

/** Functions whose arguments must go together. */
const RECIPES: Readonly<Record<string, Recipe>> = {
  histogram_quantile: (scope, depth) => [quantile(scope), buckets(scope, depth)],
  histogram_fraction: (scope, depth) => [
    literal(scope.random.pick(['-Inf', '-1', '0', '0.5', '1', 'NaN'])),
    literal(scope.random.pick(['+Inf', '0', '0.7', '2', '5', '1e3', '-2'])),
    buckets(scope, depth),
  ],
  histogram_quantiles: (scope, depth) => [
    buckets(scope, depth),
    literal(quoted(scope.random.pick(withDomain(scope, ['q', 'quantile', 'job', 'bad-name', 'läbel.x'])))),
    ...Array.from({ length: scope.random.int(2, 4) }, () => quantile(scope)),
  ],
  quantile_over_time: (scope, depth) => [
    quantile(scope),
    rangeVector(scope, scope.random.pick(['float', 'any']), depth),
  ],
  label_replace: (scope, depth) => {
    const { random } = scope;
    const fromDomain = [
      ['$1', 'domain', '(.*)'],
      ['$1', 'domain', 'd(.)'],
      ['same', 'domain', 'd1|d3'],
    ] as const;
    const [replacement, source, pattern] = random.pick([
      ...(isSpread(scope) ? fromDomain : []),
      ['$1-x', 'instance', '(.*):.*'],
      ['${name}!', 'job', '(?P<name>.+)'],
      ['', 'instance', '.*'],
      ['$2$1', 'instance', '(.)(.*)'],
      ['same', 'job', '.*'],
      ['$1', 'nothing', '(.*)'],
      ['$1', '__name__', '(.*)_total'],
      ['x', 'job', '('],
    ] as const);
    const odd = random.pick(['new', '', '\u0001']);
    const target = random.pick(withDomain(scope, ['new', 'new', 'job', 'instance', '__name__', 'läbel.y', odd]));
    return [scope.vector('any', depth), ...[target, replacement, source, pattern].map((text) => literal(quoted(text)))];
  },
  label_join: (scope, depth) => {
    const { random } = scope;
    const target = random.pick(withDomain(scope, ['new', 'new', 'job', '__name__', 'läbel.y']));
    const sources = random.subset(withDomain(scope, ['job', 'instance', 'nothing', 'code', '__name__']), 0.5);
    return [
      scope.vector('any', depth),
      ...[target, random.pick(['-', '', 'ü']), ...sources].map((text) => literal(quoted(text))),
    ];
  },
  info: (scope, depth) => {
    const { random } = scope;
    const base = scope.vector('any', Math.min(depth, 1));
    return random.weighted<() => Node[]>([
      [2, () => [base]],
      [
        3,
        () => {
          const ofDomains = isSpread(scope) ? ['domain=~".+"', 'domain!="d1"'] : [];
          const known = ['version=~".+"', 'zone="b"', 'version!="2"', 'nothing=""', 'zone=~".*"'];
          return [base, selection(random.pick([...known, ...ofDomains]))];
        },
      ],
      [2, () => [base, selection('__name__="build_info"', 'version=~".+"')]],
      [1, () => [base, selection('__name__=~".+_info"')]],
      [1, () => [base, selection('__name__!="target_info"', 'version="7"')]],
    ])();
  },
  start_timestamp: (scope) => [instantSelector(scope, scope.random.pick(['counter', 'any', 'histogram']))],
  timestamp: (scope, depth) => [scope.random.chance(0.7) ? instantSelector(scope, 'any') : scope.vector('any', depth)],
  absent: (scope, depth) => [missing(scope, instantSelector(scope, 'any'), depth)],
  absent_over_time: (scope, depth) => {
    if (scope.random.chance(0.2)) return [subquery(scope, missing(scope, instantSelector(scope, 'any'), depth))];
    return [missing(scope, rangeSelector(scope, 'any'), depth)];
  },
  double_exponential_smoothing: (scope, depth) => [
    rangeVector(scope, 'gauge', depth),
    literal(scope.random.pick(['0.5', '0.1', '0.9', '0.3', '1', '0', '1.5'])),
    literal(scope.random.pick(['0.5', '0.1', '0.9', '0.2', 'NaN'])),
  ],
  round: (scope, depth) => {
    const { random } = scope;
    const to = random.pick(['0.1', '5', '1e-3', '-2', '0', '0.3', 'Inf', '100']);
    return [scope.vector('float', depth), ...(random.chance(0.6) ? [literal(to)] : [])];
  },
  predict_linear: (scope, depth) => [
    rangeVector(scope, 'gauge', depth),
    literal(scope.random.pick(['60', '3600', '-30', '5m', '0', '1e9'])),
  ],
  sort_by_label: (scope, depth) => [scope.vector('any', depth), ...labelTexts(scope)],
  sort_by_label_desc: (scope, depth) => [scope.vector('any', depth), ...labelTexts(scope)],
  vector: (scope, depth) => [scope.scalar(depth)],
};

function labelTexts(scope: Scope): Node[] {
  const names = withDomain(scope, ['instance', 'job', 'code', 'nothing', 'version']);
  return scope.random.subset(names, 0.4).map((name) => literal(quoted(name)));
}

function selection(...matchers: readonly string[]): Node {
  return { kind: 'selector', matchers, time: {} };
}

/** What a quantile is taken of: native histograms or classic buckets, mostly as they are used. */
function buckets(scope: Scope, depth: number): Node {
  const { random } = scope;
  if (random.chance(0.55)) return scope.vector('histogram', depth);
  if (random.chance(0.2)) return scope.vector('classic', 0);
  const rated = call(random.pick(['rate', 'increase']), rangeSelector(scope, 'classic'));
  if (random.chance(0.4)) return rated;
  const labels = random.pick([['le'], ['le', 'job'], ['le', 'instance', 'job'], ['job']]);
  return { kind: 'aggregate', op: 'sum', expr: rated, grouping: { without: false, labels } };
}

/** A probability, and what people give by mistake. */
export function quantile({ random }: Pick<Scope, 'random'>): Node {
  return literal(
    random.weighted([
      [8, random.pick(['0.5', '0.9', '0.99', '0.25', '0.333', '0.05'])],
      [3, random.pick(['0', '1', '1e-9'])],
      [1, random.pick(['-1', '2', 'NaN'])],
    ]),
  );
}

/** A selector that often finds nothing, since only that gives an answer here. */
function missing(scope: Scope, selector: Node, depth: number): Node {
  const { random } = scope;
  if (selector.kind !== 'selector' || random.chance(0.2)) return selector;
  if (depth > 0 && selector.range === undefined && random.chance(0.15)) return scope.vector('any', depth);
  const ofDomains = isSpread(scope)
    ? ['domain="none"', 'domain=~"d2|x",job="nobody"', 'domain="d1",instance="none"']
    : [];
  const more = random.pick(['job="nobody"', 'instance="none",job="a"', 'job=~"x.+"', ...ofDomains]);
  return { ...selector, matchers: [...selector.matchers.filter((one) => !one.startsWith('job')), more] };
}
