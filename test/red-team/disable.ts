import type { Edit } from '../../src/federationtest/plant-edits.ts';
import type { Entry } from './attempt.ts';
import { inThisProcess } from './bench.ts';
import type { Check } from './check.ts';
import { openArena } from './domain.ts';
import { openGraph } from './graphs.ts';
import { ENTRIES } from './list.ts';
import { tryEntry, UNTRIED, type Notice } from './try-entries.ts';

/** What came of attempts on an agent with a check taken out: the first that went otherwise than it should, if any did. */
export interface Disabled {
  readonly check: string;
  readonly noticed: Notice | undefined;
}

/**
 * Takes a check out of an agent of this process, as its modules are loaded, and makes the attempts until one goes otherwise
 * than it should, those first that should notice.
 */
export async function disable(check: Check): Promise<Disabled> {
  const { name, entry, edits, given } = check;
  const first = ENTRIES.filter((one) => one.name === entry);
  const others = ENTRIES.filter((one) => one.name !== entry);
  if (given === undefined) {
    const isNoticed = ({ said }: Notice): boolean => !said.startsWith(UNTRIED);
    return { check: name, noticed: await firstNotice(name, edits, [...first, ...others], isNoticed) };
  }
  // Behind others: with these alone out of the way it is this check that helps.
  const before = new Set<string>();
  await firstNotice(name, given, first, (notice) => {
    if (isLeak(notice)) before.add(keyOf(notice));
    return false;
  });
  const isNew = (notice: Notice): boolean => isLeak(notice) && !before.has(keyOf(notice));
  return { check: name, noticed: await firstNotice(name, [...given, ...edits], first, isNew) };
}

/** Attacks an agent of modules with some edits until `isEnough` says so of something that went otherwise than it should. */
async function firstNotice(
  name: string,
  edits: readonly Edit[],
  entries: readonly Entry[],
  isEnough: (notice: Notice) => boolean,
): Promise<Notice | undefined> {
  const arena = await openArena(await inThisProcess(openGraph(name, edits)));
  try {
    for (const entry of entries) {
      const enough = (await tryEntry(entry, arena, new Map())).find(isEnough);
      if (enough !== undefined) return enough;
    }
    return undefined;
  } finally {
    await arena.close();
  }
}

function isLeak({ said }: Notice): boolean {
  return /^(?:a leak|it was answered|it shows|it names)/.test(said);
}

function keyOf({ entry, attempt }: Notice): string {
  return `${entry} / ${attempt}`;
}
