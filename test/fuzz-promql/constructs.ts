import { walk, type Node, type Time } from './grammar.ts';
import type { Language } from './language.ts';

/** What a run counts that the oracle's list does not name one by one. */
const FINER: readonly string[] = ['=', '!=', '@ start()', '@ end()', 'unary'];
const OF_DURATIONS: readonly string[] = ['duration step()', 'duration range()', 'duration min_of', 'duration max_of'];

/** Everything that the oracle's language has, by the names under which it is counted. */
export function constructsIn(language: Language): string[] {
  const { functions, aggregations, operators, modifiers, marks } = language;
  return [
    ...[...functions.keys()].map((name) => `function ${name}`),
    ...[...aggregations.keys()].map((name) => `aggregation ${name}`),
    ...operators.map((name) => `operator ${name}`),
    ...[...modifiers].map((name) => `modifier ${name}`),
    // `@` is counted as the modifier that the oracle calls by another name.
    ...marks.filter((mark) => mark !== '@').map((name) => `modifier ${name}`),
    ...[...FINER, ...OF_DURATIONS].map((name) => `modifier ${name}`),
  ];
}

/** The constructs that a query holds. */
export function constructsOf(node: Node): Set<string> {
  const found = new Set<string>();
  const add = (name: string): void => void found.add(`modifier ${name}`);
  for (const part of walk(node)) {
    switch (part.kind) {
      case 'call':
        found.add(`function ${part.func}`);
        break;
      case 'aggregate':
        found.add(`aggregation ${part.op}`);
        if (part.grouping !== undefined) add(part.grouping.without ? 'without' : 'by');
        break;
      case 'binary':
        found.add(`operator ${part.op}`);
        if (part.bool === true) add('bool');
        for (const name of matchingNames(part.matching)) add(name);
        break;
      case 'selector':
        for (const matcher of part.matchers) {
          const op = /^(?:[\w]+|"(?:[^"\\]|\\.)*")(=~|!~|!=|=)/.exec(matcher)?.[1];
          if (op !== undefined) add(op);
        }
        if (part.extended !== undefined) add(part.extended);
        for (const name of timeNames(part.time)) add(name);
        for (const name of durationNames(part.range)) add(name);
        break;
      case 'subquery':
        add('subqueries');
        for (const name of timeNames(part.time)) add(name);
        for (const name of [...durationNames(part.range), ...durationNames(part.step)]) add(name);
        break;
      case 'unary':
        add('unary');
        break;
      case 'literal':
      case 'paren':
    }
  }
  return found;
}

function matchingNames(matching: (Node & { kind: 'binary' })['matching']): string[] {
  if (matching === undefined) return [];
  const names: string[] = (matching.fill ?? '').match(/fill\w*/g) ?? [];
  if (matching.on !== undefined) names.push(matching.on ? 'on' : 'ignoring');
  if (matching.group !== undefined) names.push(matching.group);
  return names;
}

function timeNames({ at, offset }: Time): string[] {
  const names: string[] = [];
  if (at !== undefined) names.push('at_modifier');
  if (at === 'start()' || at === 'end()') names.push(`@ ${at}`);
  if (offset !== undefined) names.push(offset.startsWith('-') ? 'negative_offset' : 'offset', ...durationNames(offset));
  return names;
}

function durationNames(text: string | undefined): string[] {
  if (text === undefined || /^-?[\w.]+$/.test(text)) return [];
  return [
    'duration_expr',
    ...OF_DURATIONS.filter((name) => text.includes(name.slice('duration '.length).replace(/\)$/, ''))),
  ];
}
