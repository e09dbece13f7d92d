import type { Edit } from '../plant-edits.ts';

interface Mutant {
  readonly what: string;
  readonly edits: readonly Edit[];
}

/** Faults that federations have had for real; the differential test must find each of them. */
export const MUTANTS = {
  'no-compensation': {
    what: 'sums lose the rounding errors that Neumaier’s compensation keeps',
    edits: [
      {
        file: 'src/partial/compensated.ts',
        find: 'if (total === Infinity || total === -Infinity) compensations[i] = 0;',
        replace: 'if (total === total || total !== total) compensations[i] = 0;',
      },
      {
        file: 'src/partial/compensated.ts',
        find: 'compensations[i]! += sum - (total - added) + (term - added);',
        replace: 'compensations[i]! += 0;',
      },
    ],
  },
  'avg-of-averages': {
    what: 'the mean over domains is the mean of their means',
    edits: [
      { file: 'src/partial/avg.ts', find: 'counts[i] = own + other;', replace: 'counts[i] = own + 1;' },
      { file: 'src/partial/avg.ts', find: 'sums[i] = otherSums[i]!;', replace: 'sums[i] = otherSums[i]! / other;' },
      {
        file: 'src/partial/avg.ts',
        find: 'join(sums, compensations, i, otherSums[i]!, otherCompensations[i]!, 1);',
        replace: 'join(sums, compensations, i, otherSums[i]! / other, 0, 1);',
      },
    ],
  },
  'filter-before-merge': {
    what: 'a comparison with a number filters each domain’s share instead of the total',
    edits: [
      {
        file: 'src/plan/distribute.ts',
        find: 'if (!readsSeries(node)) return node;',
        replace: `
          if (!readsSeries(node)) return node;
          const total = node.kind === 'binary' && !node.returnBool && !readsSeries(node.right) ? node.left : node;
          if (total !== node && ['sum', 'count'].includes(total.op) && ['>', '<', '>=', '<='].includes(node.op)) {
            const grouping = total.without
              ? total.grouping.filter((label) => label !== 'domain')
              : [...new Set([...total.grouping, 'domain'])];
            return split({ ...total, op: 'sum', expr: { ...node, left: { ...total, grouping } } }, on);
          }`,
      },
    ],
  },
  'lost-stale-marker': {
    what: 'staleness markers count as samples',
    edits: [
      {
        file: 'src/model/series.ts',
        find: 'return words[0] === STALE_LOW && words[1] === STALE_HIGH;',
        replace: 'return words.length === 0;',
      },
    ],
  },
  'left-closed': {
    what: 'range windows include the sample at their left end',
    edits: [
      {
        file: 'src/engine/rollup/extrapolated.ts',
        find: 'if (fromMs <= start) {',
        replace: 'if (fromMs < start) {',
      },
      {
        file: 'src/engine/rollup/extrapolated.ts',
        find: '} while (fromMs <= start);',
        replace: '} while (fromMs < start);',
      },
      {
        file: 'src/engine/rollup/kernels.ts',
        find: 'while (from < to && times[from]! <= start) from++;\n      const enough',
        replace: 'while (from < to && times[from]! < start) from++;\n      const enough',
      },
      {
        file: 'src/engine/rollup/kernels.ts',
        find: 'while (from < to && times[from]! <= start) from++;\n    visit',
        replace: 'while (from < to && times[from]! < start) from++;\n    visit',
      },
    ],
  },
} as const satisfies Record<string, Mutant>;

export type MutantName = keyof typeof MUTANTS;
export const MUTANT_NAMES = Object.keys(MUTANTS) as readonly MutantName[];
