import { AVG } from './avg.ts';
import { COUNT, GROUP } from './count.ts';
import { MAX, MIN } from './extrema.ts';
import type { Partial, PartialColumns } from './partial.ts';
import { SUM } from './sum.ts';
import { STDDEV, STDVAR } from './variance.ts';

/** Aggregations whose partials the algebra knows. */
export type PartialOp = 'sum' | 'count' | 'avg' | 'min' | 'max' | 'group' | 'stddev' | 'stdvar';

const PARTIALS: Record<PartialOp, Partial> = {
  sum: SUM,
  count: COUNT,
  avg: AVG,
  min: MIN,
  max: MAX,
  group: GROUP,
  stddev: STDDEV,
  stdvar: STDVAR,
};

export function isPartialOp(op: string): op is PartialOp {
  return Object.hasOwn(PARTIALS, op);
}

/** The algebra of an aggregation. */
export function partialOf(op: PartialOp): Partial {
  return PARTIALS[op];
}

/** The identity of an aggregation over `steps` steps: nothing present. */
export function zeroColumns(partial: Partial, steps: number): PartialColumns {
  return { present: new Uint8Array(steps), fields: partial.fields.map(() => new Float64Array(steps)) };
}
