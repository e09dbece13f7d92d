import type { QueryGrid } from '../../src/model/grid.ts';
import { instantGrid } from '../../src/model/grid.ts';
import { decodeExpr, encodeExpr } from '../../src/plan/frames/expr-codec.ts';
import type { Fragment } from '../../src/plan/distribute.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';

export const AT_MS = Date.UTC(2026, 0, 5, 12, 0, 0);

/** A fragment as an agent reads it from the wire: a partial of an aggregation where that is asked for, else a vector. */
export function fragmentOf(
  text: string,
  answer: 'vector' | 'partial' = 'vector',
  grid: QueryGrid = instantGrid(AT_MS),
): Fragment {
  const expr = decodeExpr(encodeExpr(normalise(parseExpr(text, ALL_FEATURES), grid)));
  if (answer === 'vector') return { answer, expr, grid };
  if (expr.kind !== 'aggregate') throw new Error(`${text} is no aggregation`);
  return { answer, expr, grid };
}
