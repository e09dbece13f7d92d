import type { Edit } from '../../src/federationtest/plant-edits.ts';
import type { Op } from './states.ts';

export type MutantName =
  | 'lost-compensation'
  | 'average-of-averages'
  | 'overflowing-mean'
  | 'n-twice'
  | 'nan-stays'
  | 'from-changed'
  | 'lost-cells'
  | 'first-hint'
  | 'lost-floats'
  | 'bin-off-by-one'
  | 'bins-not-added'
  | 'rank-off-by-one'
  | 'lost-bins';

/** A fault of the algebra, as edits of the sources, and an operator whose laws it breaks. */
export interface Mutant {
  readonly op: Op;
  readonly edits: readonly Edit[];
}

export const MUTANTS: Readonly<Record<MutantName, Mutant>> = {
  'lost-compensation': {
    op: 'sum',
    edits: [{ file: 'src/partial/sum.ts', find: '      compensations[i]! += otherCompensations[i]!;\n', replace: '' }],
  },
  'average-of-averages': {
    op: 'avg',
    edits: [
      {
        file: 'src/partial/avg.ts',
        find: '        join(sums, compensations, i, otherSums[i]!, otherCompensations[i]!, 1);',
        replace: '        sums[i] = ((sums[i]! / own + otherSums[i]! / other) / 2) * (own + other);',
      },
    ],
  },
  'overflowing-mean': {
    op: 'avg',
    edits: [
      {
        file: 'src/partial/avg.ts',
        find: ' && !isInfinite(sums[i]! + otherSums[i]!)',
        replace: '',
      },
    ],
  },
  'n-twice': {
    op: 'stdvar',
    edits: [
      {
        file: 'src/partial/variance.ts',
        find: '        counts[i] = count;\n      }\n    },\n    finish',
        replace: '        counts[i] = count + other;\n      }\n    },\n    finish',
      },
    ],
  },
  'nan-stays': {
    op: 'min',
    edits: [{ file: 'src/partial/extrema.ts', find: ' || Number.isNaN(best[i]!)', replace: '' }],
  },
  'from-changed': {
    op: 'count',
    edits: [
      {
        file: 'src/partial/count.ts',
        find: '      counts[i]! += others[i]!;',
        replace: '      counts[i]! += others[i]!;\n      others[i] = 0;',
      },
    ],
  },
  'lost-cells': {
    op: 'sum',
    edits: [{ file: 'src/partial/histogram-block.ts', find: '    lost[to]! += other.lost[from + i]!;\n', replace: '' }],
  },
  'first-hint': {
    op: 'avg',
    edits: [
      {
        file: 'src/partial/histogram-block.ts',
        find: '  return a === GAUGE || b === GAUGE ? GAUGE : RESET_UNKNOWN;',
        replace: '  return a === GAUGE ? GAUGE : RESET_UNKNOWN;',
      },
    ],
  },
  'lost-floats': {
    op: 'sum',
    edits: [
      {
        file: 'src/partial/partial-histograms.ts',
        find: 'seen[step]! |= from.seen[step]!;',
        replace: 'seen[step]! |= from.seen[step]! & ~FLOAT;',
      },
    ],
  },
  'bin-off-by-one': {
    op: 'quantile',
    edits: [
      {
        file: 'src/partial/sketch-keys.ts',
        find: 'Math.ceil(logarithm(value, high) * perLog)',
        replace: 'Math.floor(logarithm(value, high) * perLog)',
      },
    ],
  },
  'bins-not-added': {
    op: 'quantile',
    edits: [
      {
        file: 'src/partial/sketch.ts',
        find: '      if (keyB <= keyA) count += b.counts[j++]!;',
        replace: '      if (keyB <= keyA) count = Math.max(count, b.counts[j++]!);',
      },
    ],
  },
  'rank-off-by-one': {
    op: 'quantile',
    edits: [
      {
        file: 'src/partial/approximate-quantile.ts',
        find: '  const rank = phi * (total - 1);',
        replace: '  const rank = Math.min(phi * total, total - 1);',
      },
    ],
  },
  'lost-bins': {
    op: 'quantile',
    edits: [
      {
        file: 'src/plan/frames/sketches-codec.ts',
        find: 'row.counts[i] = counts.next(1, COUNT_MAX);',
        replace: 'row.counts[i] = Math.min(2, counts.next(1, COUNT_MAX));',
      },
    ],
  },
};
