import { ComityError } from '../base/errors.ts';
import { FLOAT, INCOMPATIBLE, type PartialHistograms } from '../partial/partial-histograms.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';

/**
 * Numbers that no series give are refused: one count that is none, or a sum of nothing, and the totals of all domains are off
 * by what nobody can see in them. Throws `bad_data`.
 */
export function assertValuesFit({ columns }: AnswerRow, fragment: Fragment): void {
  const fits = stateTest(fragment);
  if (fits === undefined) return;
  const { present, fields, histograms } = columns;
  for (let step = 0; step < present.length; step++) {
    if (present[step] === 1 && !fits(fields, step, floatsAt(histograms, step))) {
      throw new ComityError('bad_data', `it answered with a state of ${nameOf(fragment)} that no series have`);
    }
  }
}

/** More values than any domain has series; the counts of sketches have the same bound. */
const COUNT_MAX = 2 ** 32;

/** Whether a state is of floats, of native histograms alone, or either. */
type Floats = 'some' | 'none' | 'either';

type StateTest = (fields: readonly Float64Array[], step: number, floats: Floats) => boolean;

const isCount = (count: number): boolean => Number.isInteger(count) && count >= 1 && count <= COUNT_MAX;

/** Undefined where every number is one that series may have. */
function stateTest({ answer, expr }: Fragment): StateTest | undefined {
  if (answer === 'timed') return ([times], step) => Number.isNaN(times![step]) || Number.isSafeInteger(times![step]);
  if (answer !== 'partial') return undefined;
  switch (expr.op) {
    case 'count':
      return ([counts], step) => isCount(counts![step]!);
    case 'sum':
      return fitsSum;
    case 'avg':
      return fitsMean;
    case 'stddev':
    case 'stdvar':
      return ([counts, , squares], step) => isCount(counts![step]!) && !(squares![step]! < 0);
    default:
      return undefined;
  }
}

/** What a step that saw histograms that cannot be added says of its floats is left open. */
function floatsAt(histograms: PartialHistograms | undefined, step: number): Floats {
  if (histograms === undefined) return 'some';
  const seen = histograms.seen[step]!;
  if ((seen & INCOMPATIBLE) !== 0) return 'either';
  return (seen & FLOAT) === 0 ? 'none' : 'some';
}

/** A sum that is infinite or no number has no rounding error, and no other one is infinite. */
function fitsSum([sums, errors]: readonly Float64Array[], step: number, floats: Floats): boolean {
  const sum = sums![step]!;
  const error = errors![step]!;
  if (floats === 'none') return sum === 0 && error === 0;
  return Number.isFinite(sum) ? Number.isFinite(error) : error === 0;
}

function fitsMean([sums, errors, counts, running]: readonly Float64Array[], step: number, floats: Floats): boolean {
  const isRunning = running![step]!;
  if (counts![step] === 0) {
    return floats !== 'some' && sums![step] === 0 && errors![step] === 0 && isRunning === 0;
  }
  return floats !== 'none' && isCount(counts![step]!) && (isRunning === 0 || isRunning === 1);
}

function nameOf({ answer, expr }: Fragment): string {
  return expr.kind === 'aggregate' ? expr.op : answer;
}
