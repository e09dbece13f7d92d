import { ComityError } from '../base/errors.ts';
import type { Aggregate } from '../promql/ast.ts';
import { approximateQuantile } from './approximate-quantile.ts';
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

/** An aggregation that runs in two levels. */
export type TwoLevelAggregation =
  | {
      readonly answer: 'partial';
      /** Its operator is a `PartialOp`. */
      readonly expr: Pick<Aggregate, 'op'>;
    }
  | {
      readonly answer: 'sketch';
      /** A `quantile` of a number. */
      readonly expr: Pick<Aggregate, 'op' | 'param'>;
      readonly relativeError: number;
    };

/** The algebra of an aggregation. Throws `bad_data` for what has none. */
export function partialOf(aggregation: TwoLevelAggregation): Partial {
  const { op } = aggregation.expr;
  if (aggregation.answer === 'sketch') {
    return approximateQuantile(quantileParameter(aggregation.expr), aggregation.relativeError);
  }
  if (!isPartialOp(op)) throw new ComityError('bad_data', `${op} has no partial`);
  return PARTIALS[op];
}

function quantileParameter({ op, param }: Pick<Aggregate, 'op' | 'param'>): number {
  if (op === 'quantile' && param?.kind === 'number') return param.value;
  throw new ComityError('bad_data', 'a sketch answers a quantile whose parameter is a number');
}

/** The identity of an aggregation over `steps` steps: nothing present. */
export function zeroColumns(partial: Partial, steps: number): PartialColumns {
  return { present: new Uint8Array(steps), fields: partial.fields.map(() => new Float64Array(steps)) };
}
