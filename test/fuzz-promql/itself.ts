import type { AnswerRow, Data, Point } from './answer.ts';
import { mapChildren, walk, type Node, type Time } from './grammar.ts';
import type { When } from './scope.ts';

/**
 * A fault of Prometheus 3.15: in a range query whose start is a subquery's first step too, a selector with an `@` of its own
 * within the subquery reads at another time than it says. Asked for its steps one by one, Prometheus answers right: this gives
 * that answer, or undefined where the fault cannot be or an instant query is no such step.
 */
export async function answerByInstants(
  node: Node,
  when: When,
  askAt: (node: Node, when: When) => Promise<Data | undefined>,
): Promise<Data | undefined> {
  if (when.kind === 'instant' || !hasPinnedSelectorInSubquery(node)) return undefined;
  const pinned = withTimes(node, when.startMs, when.endMs);
  const { lookbackMs } = when;
  const rows = new Map<string, { row: AnswerRow; points: Map<number, Point> }>();
  let warnings: string[] = [];
  let infos: string[] = [];
  for (let timeMs = when.startMs; timeMs <= when.endMs; timeMs += when.stepMs) {
    const answer = await askAt(pinned, {
      kind: 'instant',
      timeMs,
      ...(lookbackMs === undefined ? {} : { lookbackMs }),
    });
    if (answer === undefined) return undefined;
    warnings = [...new Set([...warnings, ...answer.warnings])];
    infos = [...new Set([...infos, ...answer.infos])];
    for (const row of answer.rows) {
      const known = rows.get(row.key) ?? { row, points: new Map() };
      for (const [at, point] of row.points) known.points.set(at, point);
      rows.set(row.key, known);
    }
  }
  return {
    kind: 'data',
    resultType: 'matrix',
    rows: [...rows.values()].map(({ row, points }) => ({ ...row, points })),
    warnings,
    infos,
  };
}

function hasPinnedSelectorInSubquery(node: Node): boolean {
  return [...walk(node)].some(
    (part) =>
      part.kind === 'subquery' &&
      [...walk(part.expr)].some(
        (inner) => (inner.kind === 'selector' || inner.kind === 'subquery') && inner.time.at !== undefined,
      ),
  );
}

/** The tree with `start()` and `end()` as times, which each step by itself would take for its own. */
function withTimes(node: Node, startMs: number, endMs: number): Node {
  const inner = mapChildren(node, (child) => withTimes(child, startMs, endMs));
  if (inner.kind !== 'selector' && inner.kind !== 'subquery') return inner;
  const { at } = inner.time;
  if (at !== 'start()' && at !== 'end()') return inner;
  const time: Time = { ...inner.time, at: String((at === 'start()' ? startMs : endMs) / 1000) };
  return { ...inner, time };
}
