import type { QueryGrid } from '../../src/model/grid.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import type { FragmentAnswer } from '../../src/plan/frames/query-codec.ts';
import type { Refusal, RefusalCode } from '../../src/plan/frames/refusal-codec.ts';
import type { Arena } from './arena.ts';
import { errorCode, type Reply } from './hostile-hub.ts';

/** The class of metric that an attempt goes for; `every`: whatever the domain holds. */
type Attacked = 'open' | 'aggregate' | 'protected' | 'sealed' | 'every';

/** One thing that is tried. Leaks are looked for by whoever tries it. */
export type Attempt = {
  /** What is asked, in a line. */
  readonly what: string;
  readonly attacks: Attacked;
  /** The refusal's or the error's code, or why nothing leaks. */
  readonly wants: string;
} & (FragmentAttempt | OtherAttempt);

/** A fragment, which goes to the agent with others. */
export interface FragmentAttempt {
  readonly query: string;
  /** The last samples' time alone when left out. */
  readonly grid?: ((arena: Arena) => QueryGrid) | undefined;
  /** What went otherwise than it should; undefined where nothing did. */
  judge(answer: FragmentAnswer): string | undefined;
}

interface OtherAttempt {
  /** As `judge`. */
  run(arena: Arena): Promise<string | undefined>;
}

/** An item of the list. */
export interface Entry {
  readonly name: string;
  readonly attempts: readonly Attempt[];
  /** Why something of it is not there yet to be attacked. It never counts as passed. */
  readonly pending?: string | undefined;
  /** Whether it starts agents and hubs of its own. */
  readonly isSlow?: boolean;
}

/** A row of an answer, as far as it matters. */
export interface Shown {
  readonly labels: Readonly<Record<string, string>>;
  /** Of a vector, or the first field of a state. */
  readonly values: readonly number[];
}

/**
 * Each of the queries is refused with the code, before anything is looked up: by the tree alone, whose node at fault is named.
 * Several codes: which of the rules comes first is nobody's business.
 */
export function refused(
  attacks: Attacked,
  codes: RefusalCode | readonly RefusalCode[],
  queries: readonly string[],
  grid?: (arena: Arena) => QueryGrid,
): readonly Attempt[] {
  return refusals(attacks, codes, queries, (refusal) => refusal.node !== undefined, grid);
}

/** Each of the queries is refused for what has come of it: for the labels that its rows carry, for how much it is. */
export function refusedAfter(
  attacks: Attacked,
  codes: RefusalCode | readonly RefusalCode[],
  queries: readonly string[],
  grid?: (arena: Arena) => QueryGrid,
): readonly Attempt[] {
  return refusals(attacks, codes, queries, (refusal) => refusal.node === undefined, grid);
}

function refusals(
  attacks: Attacked,
  codes: RefusalCode | readonly RefusalCode[],
  queries: readonly string[],
  isInTime: (refusal: Refusal) => boolean,
  grid?: (arena: Arena) => QueryGrid,
): readonly Attempt[] {
  const wanted: readonly string[] = typeof codes === 'string' ? [codes] : codes;
  return queries.map((query) => ({
    what: query,
    attacks,
    wants: wanted.join(' or '),
    query,
    grid,
    judge(answer) {
      if (!('refusal' in answer)) return `it was answered, with ${answer.rows.length} rows`;
      const { code, name, node } = answer.refusal;
      const isWanted = wanted.includes(code) && isInTime(answer.refusal);
      return isWanted ? undefined : `it was refused with ${code} ${name}${node === undefined ? ' on the way out' : ''}`;
    },
  }));
}

/** The query is answered, and what it shows is harmless: `why`, and `fault` looks whether that holds. */
export function harmless(
  attacks: Attacked,
  query: string,
  why: string,
  fault: (rows: readonly Shown[]) => string | undefined,
): Attempt {
  return {
    what: query,
    attacks,
    wants: why,
    query,
    judge: (answer) => ('refusal' in answer ? `it was refused with ${answer.refusal.code}` : fault(shownBy(answer))),
  };
}

/** Rows in this number, whose labels have these names alone. */
export function onlyRows(count: number, ...names: readonly string[]): (rows: readonly Shown[]) => string | undefined {
  return (rows) => {
    const more = rows.flatMap(({ labels }) => Object.keys(labels)).find((name) => !names.includes(name));
    if (more !== undefined) return `its rows have the label ${more}`;
    return rows.length === count ? undefined : `it has ${rows.length} rows, not ${count}`;
  };
}

/** Something else than a query. */
export function attempt(
  attacks: Attacked,
  what: string,
  wants: string,
  run: (arena: Arena) => Promise<string | undefined>,
): Attempt {
  return { what, attacks, wants, run };
}

/** A request that is not answered but with an error, whose body says a code and no more. */
export function denied(what: string, status: number, code: string, send: (arena: Arena) => Promise<Reply>): Attempt {
  return attempt('every', what, `${status} ${code}`, async (arena) => {
    const reply = await send(arena);
    const said = errorCode(reply);
    return reply.status === status && said === code ? undefined : `it was answered ${reply.status} ${said}`;
  });
}

export function shownBy(answer: FragmentAnswer): readonly Shown[] {
  if ('refusal' in answer) return [];
  return answer.rows.map(({ labels, columns }) => ({
    labels: labelsRecord(labels),
    values: [...(columns.fields[0] ?? [])],
  }));
}
