import { groupingOf, GROUPED, startGroups, type Groups, type GroupsOf } from '../../src/engine/aggregate/groups.ts';
import { noteText } from '../../src/engine/note-codes.ts';
import { startNotes } from '../../src/engine/notes.ts';
import { collectRows, type Row } from '../../src/engine/rows.ts';
import { startUsage } from '../../src/engine/usage.ts';
import {
  decodeColumns,
  encodeColumns,
  shapeOf,
  startColumnsBudget,
  type AnswerRow,
} from '../../src/plan/frames/columns-codec.ts';
import type { Fragment } from '../../src/plan/distribute.ts';
import type { Aggregate } from '../../src/promql/ast.ts';
import type { Random } from '../random.ts';

/** Steps of the states. */
export const STEPS = 3;

export type Op = 'sum' | 'count' | 'group' | 'min' | 'max' | 'avg' | 'stddev' | 'stdvar' | 'quantile';

export const OPS: readonly Op[] = ['sum', 'count', 'group', 'min', 'max', 'avg', 'stddev', 'stdvar', 'quantile'];

const RELATIVE_ERROR = 0.01;

/** What is asked of an operator: a sketch of `quantile`, a partial of the others. */
export function fragmentOf(op: Op, phi = 0.5, relativeError = RELATIVE_ERROR): Extract<Fragment, GroupsOf> {
  const grid = { startMs: 0, stepMs: 1, steps: STEPS };
  const span = { start: 0, end: 0 };
  const none = { kind: 'number', value: 0, span } as const;
  const expr: Aggregate = { kind: 'aggregate', op, expr: none, without: false, grouping: [], span };
  if (op !== 'quantile') return { answer: 'partial', expr, grid };
  return { answer: 'sketch', relativeError, expr: { ...expr, param: { kind: 'number', value: phi, span } }, grid };
}

/** The state of series, as a domain sends it. */
export function stateOf(of: Fragment & GroupsOf, series: readonly Row[]): readonly AnswerRow[] {
  const groups = startGroups(of, of.grid.steps, groupingOf(of.expr), 'anyOrder');
  for (const row of series) groups.add(row);
  return groups.list();
}

/** The state of the series of all states, which stay as they are. */
export function merged(of: Fragment & GroupsOf, states: readonly (readonly AnswerRow[])[]): readonly AnswerRow[] {
  return mergedGroups(of, states).list();
}

function mergedGroups(of: Fragment & GroupsOf, states: readonly (readonly AnswerRow[])[]): Groups {
  const groups = startGroups(of, of.grid.steps, GROUPED, 'anyOrder');
  for (const state of states) for (const row of state) groups.merge(row);
  return groups;
}

/** The state after its way over the wire. */
export function sent(of: Fragment, state: readonly AnswerRow[]): readonly AnswerRow[] {
  const shape = shapeOf(of);
  return decodeColumns(encodeColumns(state, shape), shape, startColumnsBudget());
}

/** The aggregation's rows, and what there is to say of them. */
export interface Outcome {
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

export function outcomeOf(of: Fragment & GroupsOf, state: readonly AnswerRow[]): Outcome {
  // Finishing must not depend on what a state shares with others.
  const groups = mergedGroups(of, [structuredClone(state)]);
  return finished(groups);
}

/** What Prometheus's way, series after series, comes to. */
export function outcomeInOrder(of: Fragment & GroupsOf, series: readonly Row[]): Outcome {
  const groups = startGroups(of, of.grid.steps, groupingOf(of.expr), 'inOrder');
  for (const row of series) groups.add(row);
  return finished(groups);
}

function finished(groups: Groups): Outcome {
  const notes = startNotes();
  const rows = collectRows((sink) => groups.finish({ notes, usage: startUsage(Infinity) }, sink));
  const texts = notes.list().map((note) => noteText(note));
  return { rows, notes: texts.sort() };
}

/** Random parts of the series, some of them empty. */
export function split(random: Random, series: readonly Row[]): readonly (readonly Row[])[] {
  const parts: Row[][] = Array.from({ length: random.int(1, 6) }, () => []);
  for (const row of series) random.pick(parts).push(row);
  return parts;
}

/** All states merged two by two in a random order, each perhaps over the wire. */
export function mergedAnyhow(
  random: Random,
  of: Fragment & GroupsOf,
  states: readonly (readonly AnswerRow[])[],
): readonly AnswerRow[] {
  const left = states.map((state) => (random.chance(0.3) ? sent(of, state) : state));
  while (left.length > 1) {
    const [one] = left.splice(random.int(0, left.length - 1), 1);
    const [other] = left.splice(random.int(0, left.length - 1), 1);
    left.push(merged(of, [one!, other!]));
  }
  return left[0]!;
}
