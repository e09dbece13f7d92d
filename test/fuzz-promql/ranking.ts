import type { AnswerRow, Data } from './answer.ts';
import { labelKey } from './answer.ts';
import { closePoints } from './compare.ts';
import { RANKING } from './aggregates.ts';
import { walk, type Aggregate, type Node } from './grammar.ts';

type AskOracle = (node: Node) => Promise<Data | undefined>;

/** The ranking at the root of a query. */
export function rankingAtRoot(node: Node): Aggregate | undefined {
  if (node.kind === 'paren') return rankingAtRoot(node.expr);
  return node.kind === 'aggregate' && RANKING.has(node.op) ? node : undefined;
}

/**
 * Whether `got` differs from `want` only in which of equals a ranking took: each step and group has as many series with the
 * same values, and a series that is not in `want` has the last rank's value (with `limitk`, any) among those ranked.
 */
export async function differsInTies(ranking: Aggregate, want: Data, got: Data, ask: AskOracle): Promise<boolean> {
  const all = await ask(ranking.expr);
  if (all === undefined) return false;
  const ranked = places(all, ranking);
  const wanted = places(want, ranking);
  const given = places(got, ranking);
  for (const place of new Set([...wanted.keys(), ...given.keys()])) {
    const at = (from: ReadonlyMap<string, Place>): Place => from.get(place) ?? new Map();
    if (!isSameRank(ranking.op, at(wanted), at(given), at(ranked))) return false;
  }
  return true;
}

/** Whether a ranking below the root had to choose among equals, so that what is above it is not defined. */
export async function hasTiesBelow(node: Node, ask: AskOracle): Promise<boolean> {
  const root = rankingAtRoot(node);
  for (const part of walk(node)) {
    if (part.kind !== 'aggregate' || part === root || !RANKING.has(part.op)) continue;
    const [all, taken] = await Promise.all([ask(part.expr), ask(part)]);
    if (all === undefined || taken === undefined) return true;
    const chosen = places(taken, part);
    for (const [place, pool] of places(all, part)) {
      const rank = chosen.get(place) ?? new Map<string, Entry>();
      const rest = [...pool.values()].filter(({ key }) => !rank.has(key));
      if (rest.length === 0 || rank.size === 0) continue;
      if (
        part.op === 'limitk' ||
        rest.some(({ point }) => [...rank.values()].some((one) => closePoints(one.point, point)))
      )
        return true;
    }
  }
  return false;
}

interface Entry {
  readonly key: string;
  readonly point: NonNullable<ReturnType<AnswerRow['points']['get']>>;
}

type Place = ReadonlyMap<string, Entry>;

/** By time and group, the series by their labels. */
function places({ rows }: Data, { grouping }: Aggregate): Map<string, Map<string, Entry>> {
  const found = new Map<string, Map<string, Entry>>();
  const names = new Set(grouping?.labels);
  for (const { key, labels, points } of rows) {
    const kept = [...labels].filter(([name]) => {
      if (grouping === undefined) return false;
      return grouping.without ? name !== '__name__' && !names.has(name) : names.has(name);
    });
    const group = labelKey(new Map(kept));
    for (const [timeMs, point] of points) {
      const place = `${timeMs} ${group}`;
      const entries = found.get(place) ?? new Map<string, Entry>();
      entries.set(key, { key, point });
      found.set(place, entries);
    }
  }
  return found;
}

function isSameRank(op: string, want: Place, got: Place, pool: Place): boolean {
  if (want.size !== got.size) return false;
  const lost = [...want.values()].filter(({ key }) => !got.has(key));
  for (const { key, point } of got.values()) {
    const same = want.get(key);
    if (same !== undefined) {
      if (!closePoints(same.point, point)) return false;
      continue;
    }
    const ranked = pool.get(key);
    if (ranked === undefined || !closePoints(ranked.point, point)) return false;
    if (op === 'limitk') continue;
    const at = lost.findIndex((one) => closePoints(one.point, point));
    if (at < 0) return false;
    lost.splice(at, 1);
  }
  return true;
}
