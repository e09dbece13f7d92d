import { MUTANTS as OF_FEDERATIONS } from '../../src/federationtest/mutants.ts';
import type { Edit } from '../../src/federationtest/plant-edits.ts';

interface Mutant {
  readonly what: string;
  readonly edits: readonly Edit[];
}

/** Faults that federations have had for real; the differential test must find each of them. */
export const MUTANTS = {
  'no-compensation': OF_FEDERATIONS['no-compensation'],
  'avg-of-averages': OF_FEDERATIONS['avg-of-averages'],
  'filter-before-merge': OF_FEDERATIONS['filter-before-merge'],
  'absent-as-or': OF_FEDERATIONS['absent-as-or'],
  'topk-local-k': OF_FEDERATIONS['topk-local-k'],
  'group-in-domains': OF_FEDERATIONS['group-in-domains'],
  'match-in-domains': OF_FEDERATIONS['match-in-domains'],
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
  'relabel-in-domains': {
    what: 'a domain writes its own label anew',
    edits: [
      {
        file: 'src/plan/domain.ts',
        find: 'relabelling: (target) => target !== domainLabel,',
        replace: 'relabelling: () => true,',
      },
    ],
  },
  'number-in-domains': {
    what: 'each domain works out a number from its own series',
    edits: [
      {
        file: 'src/plan/keeps.ts',
        find: "return typeOf(expr) === 'scalar' && !readsSeries(expr);",
        replace: "return typeOf(expr) === 'scalar';",
      },
    ],
  },
  'histogram-layout-mixed': {
    what: 'native histograms of different resolutions are added bucket by bucket',
    edits: [
      {
        file: 'src/partial/histogram-block.ts',
        find: 'if (a.schema !== b.schema ||',
        replace: 'if (a.schema < -4 !== b.schema < -4 ||',
      },
    ],
  },
} as const satisfies Record<string, Mutant>;

export type MutantName = keyof typeof MUTANTS;
export const MUTANT_NAMES = Object.keys(MUTANTS) as readonly MutantName[];
