import { makeAggregate, steadyAggregations } from './aggregates.ts';
import { EXTENDED, makeCall } from './calls.ts';
import { DURATION_FORMS, offsetText, type DurationForm } from './durations.ts';
import { call, quoted, type Node, type Time } from './grammar.ts';
import { makeBinary, makeMatching, makeUnary, type MatchingForm } from './joins.ts';
import { atText, instantSelector, rangeSelector, subquery } from './selectors.ts';
import { pickLabels, type Scope } from './scope.ts';

/** A query that holds a construct in a place where it fits. */
export function makeTarget(scope: Scope, target: string, depth: number): Node {
  const { random, language } = scope;
  const [kind, name] = split(target);
  switch (kind) {
    case 'function':
      return makeCall(scope, name, depth - 1);
    case 'aggregation':
      return makeAggregate(scope, name, depth, random.pick(['float', 'any']), true);
    case 'operator':
      return makeBinary(scope, name, depth, random.pick(['float', 'any']));
    case 'modifier':
      return makeModified(scope, name, depth);
    default:
      throw new Error(
        `nothing is generated for ${target}, which the oracle has in ${language.modifiers.size} modifiers`,
      );
  }
}

function split(target: string): [string, string] {
  const space = target.indexOf(' ');
  return [target.slice(0, space), target.slice(space + 1)];
}

function makeModified(scope: Scope, name: string, depth: number): Node {
  const { random } = scope;
  const timed = (time: Time): Node => {
    const over = { ...instantSelector(scope, 'any'), time };
    if (random.chance(0.4)) return over;
    if (random.chance(0.4)) return call('last_over_time', { ...subquery(scope, scope.vector('any', depth - 1)), time });
    return makeOver(scope, { ...rangeSelector(scope, 'float'), time });
  };
  if (isDurationForm(name)) return makeOver(scope, rangeSelector(scope, 'float', name));
  switch (name) {
    case 'by':
    case 'without': {
      const op = random.pick(steadyAggregations(scope.language));
      const made = makeAggregate(scope, op, depth, 'any', false);
      return made.kind === 'aggregate'
        ? { ...made, grouping: { without: name === 'without', labels: pickLabels(scope, 0.6) } }
        : made;
    }
    case 'at_modifier':
      return timed({ at: atText(scope) });
    case '@ start()':
    case '@ end()':
      return timed({ at: name.slice(2) });
    case 'offset':
    case 'negative_offset':
      return timed({ offset: offsetText(scope, name === 'negative_offset') });
    case 'subqueries':
      return makeOver(scope, subquery(scope, scope.vector(random.pick(['float', 'any']), depth)));
    case 'anchored':
    case 'smoothed':
      return extended(scope, name);
    case '=~':
    case '!~':
    case '!=':
    case '=':
      return matched(scope, name);
    case 'unary':
      return makeUnary(scope, 'any', depth);
    default:
      return makeMatching(scope, name as MatchingForm, depth);
  }
}

function isDurationForm(name: string): name is DurationForm {
  return (DURATION_FORMS as readonly string[]).includes(name);
}

function makeOver(scope: Scope, range: Node): Node {
  return call(
    scope.random.pick([
      'rate',
      'increase',
      'delta',
      'avg_over_time',
      'last_over_time',
      'max_over_time',
      'count_over_time',
      'changes',
    ]),
    range,
  );
}

function extended(scope: Scope, how: 'anchored' | 'smoothed'): Node {
  const { random } = scope;
  if (how === 'smoothed' && random.chance(0.25))
    return { ...instantSelector(scope, random.pick(['float', 'any'])), extended: how };
  const func = random.chance(0.04) ? 'sum_over_time' : random.pick(EXTENDED[how]);
  return call(func, {
    ...rangeSelector(scope, random.pick(['counter', 'counter', 'gauge', 'histogram'])),
    extended: how,
  });
}

function matched(scope: Scope, op: string): Node {
  const value = scope.random.pick(['a.*', 'api', 'b:2', 'd.+']);
  const label = scope.random.pick(['job', 'instance']);
  const selector = instantSelector(scope, 'any');
  return { ...selector, matchers: [...selector.matchers, `${label}${op}${quoted(value)}`] };
}
