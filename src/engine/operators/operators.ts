import { atan2, pow } from '../../base/go-math.ts';
import { compacted, differenceOf, divided, scaled, sumOf } from '../../model/histogram-arithmetic.ts';
import { equalHistograms } from '../../model/histogram-compare.ts';
import { trimmed } from '../../model/histogram-trim.ts';
import { GAUGE, type NativeHistogram } from '../../model/histogram.ts';
import type { Binary, BinaryOp } from '../../promql/ast.ts';
import {
  counterResetCollision,
  customBoundsReconciled,
  incompatibleBucketLayout,
  incompatibleTypes,
} from '../annotations.ts';
import type { Note } from '../notes.ts';

/** The value of `left op right`. A comparison gives its left side; whether it holds is `compares`. */
export function arithmetic(op: BinaryOp, left: number, right: number): number {
  switch (op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      // JavaScript's remainder is C's fmod, as is Go's math.Mod.
      return left % right;
    case '^':
      return pow(left, right);
    case 'atan2':
      return atan2(left, right);
    default:
      return left;
  }
}

export function compares(op: BinaryOp, left: number, right: number): boolean {
  switch (op) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '>':
      return left > right;
    case '<':
      return left < right;
    case '>=':
      return left >= right;
    case '<=':
      return left <= right;
    default:
      return true;
  }
}

/** A float or a native histogram. */
export type Operand = number | NativeHistogram;

/** What two operands come to where one of them is a histogram. */
export interface Outcome {
  /** Undefined where the operator gives nothing for these operands. */
  readonly value?: Operand;
  /** Whether a comparison holds; true for any other operator that gives something. */
  readonly holds: boolean;
  readonly note?: Note;
}

/**
 * `left op right` where at least one side is a native histogram, or the operator is only for those
 * (https://prometheus.io/docs/prometheus/latest/querying/operators/).
 */
export function histogramOutcome({ op, span }: Pick<Binary, 'op' | 'span'>, left: Operand, right: Operand): Outcome {
  if (typeof left !== 'number' && typeof right !== 'number') return bothHistograms(op, left, right, span);
  if (typeof left !== 'number' && typeof right === 'number') {
    if (op === '*') return { value: compacted(scaled(left, right)), holds: true };
    if (op === '/') return { value: compacted(divided(left, right)), holds: true };
    if (op === '</') return { value: trimmed(left, right, 'upper'), holds: true };
    if (op === '>/') return { value: trimmed(left, right, 'lower'), holds: true };
  }
  if (typeof left === 'number' && typeof right !== 'number' && op === '*') {
    return { value: compacted(scaled(right, left)), holds: true };
  }
  return { holds: false, note: incompatibleTypes(typeName(left), op, typeName(right), span) };
}

function bothHistograms(op: BinaryOp, left: NativeHistogram, right: NativeHistogram, span: Binary['span']): Outcome {
  if (op === '==') return { value: left, holds: equalHistograms(left, right) };
  if (op === '!=') return { value: left, holds: !equalHistograms(left, right) };
  if (op !== '+' && op !== '-') return { holds: false, note: incompatibleTypes('histogram', op, 'histogram', span) };
  const combined = op === '+' ? sumOf(left, right) : differenceOf(left, right);
  if (combined === undefined) return { holds: false, note: incompatibleBucketLayout(op, span) };
  const operation = op === '+' ? 'addition' : 'subtraction';
  // As in Prometheus, a collision leaves nothing of the result.
  if (combined.resetCollision) return { holds: false, note: counterResetCollision(operation, span) };
  const result = compacted(combined.histogram);
  const value = op === '-' ? { ...result, hint: GAUGE } : result;
  return combined.boundsReconciled
    ? { value, holds: true, note: customBoundsReconciled(operation, span) }
    : { value, holds: true };
}

function typeName(operand: Operand): 'float' | 'histogram' {
  return typeof operand === 'number' ? 'float' : 'histogram';
}
