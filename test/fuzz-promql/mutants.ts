import { MUTANTS as OF_SCRIPTS } from '../../src/federationtest/mutants.ts';
import { MUTANTS as OF_DIFFERENTIAL } from '../differential/mutants.ts';
import type { Edit } from '../../src/federationtest/plant-edits.ts';

interface Mutant {
  readonly what: string;
  readonly edits: readonly Edit[];
}

function mutant(what: string, file: string, find: string, replace: string): Mutant {
  return { what, edits: [{ file: `src/${file}`, find, replace }] };
}

/** Faults that engines have had, or nearly; the fuzzing must find each of them. */
const OF_ENGINES = {
  'lost-stale-marker': OF_DIFFERENTIAL['lost-stale-marker'],
  'no-compensation': mutant(
    'sums lose the rounding errors that their compensation keeps',
    'base/compensated.ts',
    'compensations[i]! += sum - (total - added) + (term - added);',
    'compensations[i]! += 0;',
  ),
  'closed-lookback': mutant(
    'an instant selector sees a sample that is as old as the lookback',
    'engine/select/select.ts',
    'lastMs > end - lookbackMs',
    'lastMs >= end - lookbackMs',
  ),
  'left-closed': mutant(
    'range windows include the sample at their left end',
    'engine/rollup/kernels.ts',
    'while (from < to && times[from]! <= start) from++;\n      const enough',
    'while (from < to && times[from]! < start) from++;\n      const enough',
  ),
  'offset-sign': mutant(
    'an offset goes into the future',
    'engine/select/read-times.ts',
    'at: (step) => stepTime(grid, step) - offsetMs',
    'at: (step) => stepTime(grid, step) + offsetMs',
  ),
  'at-without-offset': mutant(
    'an offset does not count beside @',
    'engine/select/read-times.ts',
    'const fixed = at.ms - offsetMs;',
    'const fixed = at.ms;',
  ),
  'unaligned-subquery': mutant(
    'a subquery begins at its window instead of at a multiple of its step',
    'engine/select/subquery.ts',
    '(Math.floor((firstMs - rangeMs) / stepMs) + 1) * stepMs',
    'firstMs - rangeMs + stepMs',
  ),
  'kept-names': mutant(
    'metric names stay where values mean something else',
    'engine/names.ts',
    'const rest = { ...row, labels: drop(row.labels) };',
    'const rest = row;',
  ),
  'names-never-dropped': mutant(
    'names that are to go at the end stay',
    'engine/names.ts',
    'row.dropsName === true ? nameless(row) : row',
    'row',
  ),
  'no-zero-point': mutant(
    'a rate is extended to before the counter was zero',
    'engine/rollup/extrapolated.ts',
    'if (toZero < toStart) toStart = toZero;',
    '',
  ),
  'far-edge': mutant(
    'a rate is extended by a whole spacing where a series ends',
    'engine/rollup/extrapolated.ts',
    'isFar(toEnd, sampled, gaps)) toEnd = sampled / gaps / 2;',
    'isFar(toEnd, sampled, gaps)) toEnd = sampled / gaps;',
  ),
  'linear-quantile': mutant(
    'quantiles are interpolated linearly within exponential buckets',
    'model/histogram-quantile.ts',
    'return valueAt(lower, upper, fraction);',
    'return lower + (upper - lower) * fraction;',
  ),
  'two-sided-zero': mutant(
    'the zero bucket of positive observations begins below zero',
    'model/histogram-quantile.ts',
    'if (negative.length === 0 && positive.length > 0) bucket.lower = 0;',
    'if (negative.length < 0) bucket.lower = 0;',
  ),
  'lowest-bucket': mutant(
    'nothing is interpolated in the lowest classic bucket',
    'engine/calls/bucket-quantile.ts',
    'const start = b === 0 ? 0 : bounds[b - 1]!;',
    'const start = b === 0 ? bounds[0]! : bounds[b - 1]!;',
  ),
  'silent-mending': mutant(
    'classic buckets are made monotonic without a note',
    'engine/calls/bucket-quantile.ts',
    'mending.isForced = true;',
    '',
  ),
  'nearest-quantile': mutant(
    'a quantile of values is one of them',
    'engine/quantile.ts',
    'const weight = rank - lower;',
    'const weight = Math.round(rank - lower);',
  ),
  'whole-series-sets': mutant(
    'set operators look at whole series instead of at steps',
    'engine/operators/sets.ts',
    'if (mask[step] !== wanted) present[step] = 0;',
    'if ((mask.includes(1) ? 1 : 0) !== wanted) present[step] = 0;',
  ),
  'swapped-operands': mutant(
    'group_right swaps the operands',
    'engine/operators/match.ts',
    'const [first, second] = swapped ? [one, many] : [many, one];',
    'const [first, second] = [many, one];',
  ),
  'labels-of-many': mutant(
    'group_left copies labels from the wrong side',
    'engine/operators/match.ts',
    'labelValue(one, name)',
    'labelValue(many, name)',
  ),
  'fill-of-the-other-side': mutant(
    'fill_right fills with the value of fill_left',
    'engine/operators/match.ts',
    'filled(node.matching!, row, fill.right)',
    'filled(node.matching!, row, fill.left ?? 0)',
  ),
  'unseen-resets': mutant(
    'histograms reset by their counts alone, not by a bucket',
    'model/histogram-compare.ts',
    'return isSideReset(previous, current, true) || isSideReset(previous, current, false);',
    'return false;',
  ),
  'split-zero-bucket': mutant(
    'a zero bucket grows into a populated bucket',
    'model/histogram-zero.ts',
    'if (end > threshold) return counts[i] === 0 ? threshold : end;',
    'if (end > threshold) return threshold;',
  ),
  'wrong-trim': mutant(
    'trimming keeps the other part of a histogram',
    'engine/operators/operators.ts',
    "trimmed(left, right, 'upper')",
    "trimmed(left, right, 'lower')",
  ),
  'no-complement': mutant(
    'limit_ratio of a negative ratio takes too many',
    'engine/aggregate/limit.ts',
    'fraction >= 1 + Math.max(-1, ratio)',
    'fraction >= -ratio',
  ),
  'anchored-inside': mutant(
    'anchored windows begin with their own first sample',
    'engine/rollup/extended.ts',
    'firstFrom(times, from, last, startMs + 1) - 1',
    'firstFrom(times, from, last, startMs + 1)',
  ),
  'misplaced-note': mutant(
    'notes point at the end of what they are about',
    'engine/notes.ts',
    'positionText(query, span.start)',
    'positionText(query, span.end)',
  ),
} as const satisfies Record<string, Mutant>;

/** Those of federations, which show with several domains only. */
const OF_FEDERATIONS = {
  'avg-of-averages': OF_DIFFERENTIAL['avg-of-averages'],
  'absent-as-or': OF_DIFFERENTIAL['absent-as-or'],
  'topk-local-k': OF_DIFFERENTIAL['topk-local-k'],
  'group-in-domains': OF_DIFFERENTIAL['group-in-domains'],
  'match-in-domains': OF_DIFFERENTIAL['match-in-domains'],
  'notes-lost': OF_SCRIPTS['notes-lost'],
  'names-kept-in-domains': mutant(
    'rows forget on their way that their name is to go',
    'hub/query.ts',
    'return mergeFragment(fragment, found.rows, notes, usage);',
    'return mergeFragment(fragment, found.rows.map((row) => ({ ...row, dropsName: false })), notes, usage);',
  ),
} as const satisfies Record<string, Mutant>;

export const MUTANTS = { ...OF_ENGINES, ...OF_FEDERATIONS } as const;

export type MutantName = keyof typeof MUTANTS;
export const MUTANT_NAMES = Object.keys(MUTANTS) as readonly MutantName[];
export const ENGINE_MUTANT_NAMES = Object.keys(OF_ENGINES) as readonly (keyof typeof OF_ENGINES)[];
export const FEDERATION_MUTANT_NAMES = Object.keys(OF_FEDERATIONS) as readonly (keyof typeof OF_FEDERATIONS)[];
