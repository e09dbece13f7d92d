import { globMeets, globsMeet, globTest } from './glob.ts';
import type { Said, Speaker } from './said.ts';

/** Rules of several documents that one metric may fall under, one of each, in the order of the documents. */
export interface Combination {
  readonly said: readonly Said[];
  /** Of the metrics that it decides: a name, or globs that each of them matches. */
  readonly globs: readonly string[];
}

/**
 * All combinations of rules under which a metric whose name begins with `prefix` can fall, each document resolved by itself:
 * no metric falls under another one, though some of them may have no metric at all. Undefined where there are too many to say.
 */
export function combinations(speakers: readonly Speaker[], prefix: string): readonly Combination[] | undefined {
  const ordered = speakers.map(({ rules }) => rules.filter(({ glob }) => glob.includes('*')));
  const covers = ordered.map(firstCover);
  // Names of which something is said as such have exactly one rule of each document.
  const names = new Set(speakers.flatMap(({ rules }) => rules.map(({ glob }) => glob)).filter(isExact));
  const exact = [...names]
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ said: speakers.map((speaker) => speaker.saysOf(name)), globs: [name] }));

  let found: readonly Partial[] = [{ said: [], at: [], globs: [`${prefix}*`] }];
  for (const [i, rules] of ordered.entries()) {
    const longer: Partial[] = [];
    for (const { said, at, globs } of found) {
      // Of what all texts of a glob fall under, nothing that comes later decides.
      const last = Math.min(...globs.map((glob) => covers[i]!(glob)));
      for (const [place, one] of rules.entries()) {
        if (place > last) break;
        // Another rule of the document decides all that it matches.
        if (covers[i]!(one.glob) < place) continue;
        if (!globMeets(one.glob, prefix) || !globs.every((glob) => globsMeet(glob, one.glob))) continue;
        if (at.some((chosen, j) => chosen > covers[j]!(one.glob))) continue;
        if (longer.push({ said: [...said, one], at: [...at, place], globs: [...globs, one.glob] }) > COMBINATIONS_MAX) {
          return undefined;
        }
      }
    }
    found = longer;
  }
  return [...exact, ...found];
}

const COMBINATIONS_MAX = 10_000;

interface Partial extends Combination {
  /** Where the rules stand in their documents. */
  readonly at: readonly number[];
}

/** Where the first rule stands that all texts of a glob match. Only `*` matches the `*` of a glob taken as a text. */
function firstCover(rules: readonly Said[]): (glob: string) => number {
  const tests = rules.map(({ glob }) => globTest(glob));
  const known = new Map<string, number>();
  return (glob) => {
    let at = known.get(glob);
    if (at === undefined) {
      at = tests.findIndex((test) => test(glob));
      known.set(glob, at);
    }
    return at;
  };
}

function isExact(glob: string): boolean {
  return !glob.includes('*');
}
