import type { FragmentAnswer } from '../../src/plan/frames/query-codec.ts';
import type { Arena } from './arena.ts';
import type { Attempt, Entry, FragmentAttempt } from './attempt.ts';
import { atOnce, Denied, fragmentOf } from './hostile-hub.ts';

/** Something that went otherwise than the list says. */
export interface Notice {
  readonly entry: string;
  readonly attempt: string;
  readonly said: string;
}

/** What came of attempts, by the code of the refusal, by `answered`, or by `other` for what is no query. */
export type Tally = Map<string, number>;

/** Fragments in a request: some room is left below what a request may have. */
const TOGETHER = 32;

/** Makes all attempts of an entry and gives what went otherwise than it should. */
export async function tryEntry({ name, attempts }: Entry, arena: Arena, tally: Tally): Promise<readonly Notice[]> {
  const notices: Notice[] = [];
  const notice = ({ what }: Attempt, said: string): void => {
    notices.push({ entry: name, attempt: what, said });
  };
  const queries = attempts.filter((one) => 'query' in one);
  for (let at = 0; at < queries.length; at += TOGETHER) {
    const some = queries.slice(at, at + TOGETHER);
    const found = await tryQueries(some, arena, tally);
    // Whose fault a leak is shows when they are asked one by one.
    const isLeaking = found.length === 0 ? false : found.some(({ said }) => said.startsWith(LEAK));
    for (const one of isLeaking ? some : []) {
      for (const { said } of await tryQueries([one], arena, new Map())) notice(one, said);
    }
    if (!isLeaking) for (const { of, said } of found) notice(of, said);
  }
  for (const one of attempts) {
    if ('query' in one) continue;
    const said = (await guarded(() => one.run(arena))) ?? leaked(arena);
    count(tally, 'other');
    if (said !== undefined) notice(one, said);
  }
  return notices;
}

const LEAK = 'a leak: ';

/** Said of an attempt that failed by itself: that says nothing about the agent. */
export const UNTRIED = 'it could not be tried';

type QueryAttempt = Attempt & FragmentAttempt;

async function tryQueries(
  attempts: readonly QueryAttempt[],
  arena: Arena,
  tally: Tally,
): Promise<readonly { readonly of: QueryAttempt; readonly said: string }[]> {
  const fragments = attempts.map(({ query, grid }) =>
    fragmentOf(arena.fill(query), grid?.(arena) ?? atOnce(arena.endMs)),
  );
  let answers: readonly FragmentAnswer[];
  try {
    answers = await arena.hub.ask(fragments);
  } catch (error) {
    if (!(error instanceof Denied)) throw error;
    return attempts.map((of) => ({ of, said: `the whole request was answered ${error.message}` }));
  }
  const leak = leaked(arena);
  if (leak !== undefined) return attempts.map((of) => ({ of, said: leak }));
  return attempts.flatMap((of, i) => {
    const answer = answers[i]!;
    count(tally, 'refusal' in answer ? answer.refusal.code : 'answered');
    const said = of.judge(answer);
    return said === undefined ? [] : [{ of, said }];
  });
}

/** What was found in all that has crossed since the last time. */
export function leaked(arena: Arena): string | undefined {
  const [first, ...more] = arena.crossings.takeLeaks();
  if (first === undefined) return undefined;
  return `${LEAK}${first.place}, as ${first.form}, in ${first.where}${more.length === 0 ? '' : `, and ${more.length} more`}`;
}

export function count(tally: Tally, what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1);
}

async function guarded(run: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await run();
  } catch (error) {
    return `${UNTRIED}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
}
