import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** One text in one source file and what stands there in the mutant. */
interface Edit {
  /** Below the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

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
    ],
  },
  'avg-of-averages': {
    what: 'the mean over domains is the mean of their means',
    edits: [
      {
        file: 'src/partial/avg.ts',
        find: 'addTerm(sums, compensations, scaled, i, otherSums[i]!, otherScaled[i]!);',
        replace: 'addTerm(sums, compensations, scaled, i, otherSums[i]! / otherCounts[i]!, otherScaled[i]!);',
      },
      { file: 'src/partial/avg.ts', find: 'counts[i]! += otherCounts[i]!;', replace: 'counts[i]! += 1;' },
    ],
  },
  'filter-before-merge': {
    what: 'a comparison with a number filters each domain’s share instead of the total',
    edits: [
      {
        file: 'src/plan/distribute.ts',
        find: 'if (isScalar(node)) return node;',
        replace: `
          if (isScalar(node)) return node;
          const total = node.kind === 'binary' && !node.returnBool && isScalar(node.right) ? node.left : node;
          if (total !== node && ['sum', 'count'].includes(total.op) && ['>', '<', '>=', '<='].includes(node.op)) {
            const grouping = total.without
              ? total.grouping.filter((label) => label !== domainLabel)
              : [...new Set([...total.grouping, domainLabel])];
            return split({ ...total, op: 'sum', expr: { ...node, left: { ...total, grouping } } });
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
        file: 'src/engine/rollup.ts',
        find: 'while (from < to && times[from]! <= start) from++;',
        replace: 'while (from < to && times[from]! < start) from++;',
      },
    ],
  },
} as const satisfies Record<string, Mutant>;

export type MutantName = keyof typeof MUTANTS;
export const MUTANT_NAMES = Object.keys(MUTANTS) as readonly MutantName[];

export interface Planted {
  readonly name: MutantName;
  /** Throws when a changed file was never loaded: then the mutant is not what was tested. */
  assertLoaded(): void;
}

const ROOT = new URL('../../', import.meta.url);

/**
 * Changes source texts as this process loads them, so that production code holds no switch for it. Must be called
 * before anything under `src/` is loaded. Throws when a text to change is not in its file exactly once.
 */
export function plantMutant(name: MutantName): Planted {
  const changed = new Map<string, string>();
  for (const edit of MUTANTS[name].edits as readonly Edit[]) {
    const url = new URL(edit.file, ROOT).href;
    const source = changed.get(url) ?? readSource(name, url);
    changed.set(url, applyEdit(name, source, edit));
  }
  const unloaded = new Set(changed.keys());
  registerHooks({
    load(url, context, nextLoad) {
      const source = changed.get(url);
      if (source === undefined) return nextLoad(url, context);
      unloaded.delete(url);
      return { format: 'module-typescript', source, shortCircuit: true };
    },
  });
  return {
    name,
    assertLoaded() {
      if (unloaded.size > 0) throw new Error(`mutant ${name} was not tested: never loaded ${[...unloaded].join(', ')}`);
    },
  };
}

/** The source with the edit made. Throws unless the text to find is there exactly once. */
export function applyEdit(name: string, source: string, { file, find, replace }: Edit): string {
  const found = source.split(find).length - 1;
  if (found !== 1) {
    throw new Error(`mutant ${name} no longer applies: ${file} holds ${JSON.stringify(find)} ${found} times, not once`);
  }
  return source.replace(find, () => replace);
}

function readSource(name: string, url: string): string {
  try {
    return readFileSync(fileURLToPath(url), 'utf8');
  } catch (error) {
    throw new Error(`mutant ${name} no longer applies: cannot read ${url}`, { cause: error });
  }
}
