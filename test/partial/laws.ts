import { isDeepStrictEqual } from 'node:util';
import type { Row } from '../../src/engine/rows.ts';
import type { AnswerRow } from '../../src/plan/frames/columns-codec.ts';
import { randomFrom, type Random } from '../random.ts';
import { differenceOf } from './equal.ts';
import { sketchError, sumError } from './exact.ts';
import { floatSeries, histogramSeries, type Kinds, type Numbers } from './series.ts';
import {
  fragmentOf,
  merged,
  mergedAnyhow,
  outcomeInOrder,
  outcomeOf,
  sent,
  split,
  stateOf,
  type Op,
} from './states.ts';

type Made = ReturnType<typeof fragmentOf>;
type State = readonly AnswerRow[];

/** One random case: what is asked, and the series of a group. */
export interface Case {
  readonly op: Op;
  readonly of: Made;
  readonly series: readonly Row[];
  /** Whether Prometheus's own order of addition comes to the same, which it need not where histograms differ in kind. */
  readonly isOrdinary: boolean;
  readonly random: Random;
}

const NUMBERS: readonly Numbers[] = ['plain', 'extreme', 'cancelling', 'whole'];
const KINDS: readonly Kinds[] = ['one layout', 'overflowing', 'schemas', 'thresholds', 'custom', 'everything'];

export function caseOf(op: Op, seed: number, index: number): Case {
  const random = randomFrom(seed).fork(index);
  const of = fragmentOf(op, random.pick([0, 0.1, 0.5, 0.99, 1, 2, -1]), random.pick([0.001, 0.01, 0.2]));
  if (random.chance(0.6)) {
    return { op, of, series: floatSeries(random, random.pick(NUMBERS)), isOrdinary: true, random };
  }
  const kinds = random.pick(KINDS);
  return {
    op,
    of,
    series: histogramSeries(random, kinds),
    isOrdinary: kinds === 'one layout' || kinds === 'overflowing',
    random,
  };
}

/** What is wrong with a law in a case; undefined where it holds. */
export type Law = (one: Case) => string | undefined;

export const LAWS: Readonly<Record<string, Law>> = {
  'commutes, and leaves what it takes in as it is': ({ op, of, series, random }) => {
    const [a, b] = statesOf(of, split(random, series), 2);
    const before = structuredClone([a, b]);
    const there = merged(of, [a, b]);
    const back = merged(of, [b, a]);
    if (!sameBits([a, b], before)) return 'a state was changed';
    return compared(op, of, there, back, series);
  },
  associates: ({ op, of, series, random }) => {
    const [a, b, c] = statesOf(of, split(random, series), 3);
    return compared(op, of, merged(of, [merged(of, [a, b]), c]), merged(of, [a, merged(of, [b, c])]), series);
  },
  'has an identity': ({ of, series }) => {
    const state = stateOf(of, series);
    const nothing = stateOf(of, []);
    const silent = stateOf(of, [{ labels: [], values: new Float64Array(3), present: new Uint8Array(3) }]);
    for (const zero of [nothing, silent]) {
      for (const joined of [merged(of, [zero, state]), merged(of, [state, zero])]) {
        if (!sameBits(plain(joined), plain(state))) return 'a state that was merged with nothing differs';
      }
    }
    return undefined;
  },
  'gives one state however the series are split': ({ op, of, series, random }) => {
    const states = split(random, series).map((part) => stateOf(of, part));
    return compared(op, of, mergedAnyhow(random, of, states), stateOf(of, series), series);
  },
  'comes to what adding series after series comes to': ({ op, of, series, isOrdinary, random }) => {
    if (!isOrdinary) return undefined;
    const states = split(random, series).map((part) => stateOf(of, part));
    return differenceOf(op, outcomeOf(of, mergedAnyhow(random, of, states)), outcomeInOrder(of, series), series);
  },
  'crosses the wire bit for bit': ({ of, series }) => {
    const state = withoutEmpty(stateOf(of, series));
    return sameBits(plain(sent(of, state)), plain(state)) ? undefined : 'a state differs after its way over the wire';
  },
  'is as near to the truth as it says': ({ op, of, series, random }) => {
    const states = split(random, series).map((part) => stateOf(of, part));
    const outcome = outcomeOf(of, mergedAnyhow(random, of, states));
    if (of.answer === 'sketch') return sketchError(of, outcome, series);
    return op === 'sum' || op === 'avg' ? sumError(op, outcome, series) : undefined;
  },
};

/** The first case in which a law does not hold, in words; undefined where all do. */
export function brokenLaw(op: Op, seed: number, cases: number): string | undefined {
  for (let i = 0; i < cases; i++) {
    for (const [law, check] of Object.entries(LAWS)) {
      const wrong = check(caseOf(op, seed, i));
      if (wrong !== undefined) return `${op}, seed ${seed}, case ${i}: ${law}: ${wrong}`;
    }
  }
  return undefined;
}

/** The states of as many parts, of which the first ones have what is left over. */
function statesOf(of: Made, parts: readonly (readonly Row[])[], count: 2): [State, State];
function statesOf(of: Made, parts: readonly (readonly Row[])[], count: 3): [State, State, State];
function statesOf(of: Made, parts: readonly (readonly Row[])[], count: number): State[] {
  return Array.from({ length: count }, (_, i) => stateOf(of, parts.filter((_part, at) => at % count === i).flat()));
}

function compared(op: Op, of: Made, one: State, other: State, series: readonly Row[]): string | undefined {
  const isExact = op === 'count' || op === 'group' || op === 'quantile';
  if (isExact && !sameBits(plain(one), plain(other))) return 'states differ in some bit';
  return differenceOf(op, outcomeOf(of, one), outcomeOf(of, other), series);
}

function withoutEmpty(state: State): State {
  return state.filter(({ columns }) => columns.present.includes(1));
}

/** What a state says: its rows that hold something, and their numbers at the steps that they have. */
function plain(state: State): unknown {
  return withoutEmpty(state).map(({ labels, columns: { present, fields, histograms, sketches }, dropsName }) => ({
    labels,
    present,
    fields: fields.map((field) => field.map((value, step) => (present[step] === 1 ? value : 0))),
    histograms,
    sketches,
    dropsName: dropsName === true,
  }));
}

/** Whether two states are the same, zeros with their signs and NaN as NaN. */
function sameBits(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b);
}
