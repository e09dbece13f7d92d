import type { Edit } from './plant-edits.ts';

/** A fault that federations have had, as edits of the sources. */
export interface Mutant {
  readonly what: string;
  readonly edits: readonly Edit[];
  /** Domains that must be silent for it to show. */
  readonly kill?: number;
}

const FILTER_BEFORE_MERGE = `
    if (!readsSeries(node)) return node;
    const total = node.kind === 'binary' && !node.returnBool && !readsSeries(node.right) ? node.left : node;
    const isFiltered = total !== node && ['>', '<', '>=', '<=', '==', '!='].includes(node.op);
    if (isFiltered && total.kind === 'aggregate' && isPartialOp(total.op)) {
      const grouping = total.without
        ? total.grouping.filter((label) => label !== 'domain')
        : [...new Set([...total.grouping, 'domain'])];
      const op = total.op === 'count' ? 'sum' : total.op;
      return split({ ...total, op, expr: { ...node, left: { ...total, grouping } } }, on);
    }`;

const EMPTY_ANSWER = `{
    ok: true,
    value: {
      status: {
        domain: domain.config.name, policyDigest: '', expectedStreams: 0, observedStreams: 0, settledUntilMs: 0,
        heldFromMs: 0, rawBytesHeld: 0, releasedBytes: 0, gaps: [],
        bundleDigest: '', bundleVersion: 0, policyState: 'in force',
      },
      fragments: window.columns.map(() => ({ rows: [], notes: [] })),
      coverage: window.coverage.map(({ grid }) => (
        { runs: [{ steps: grid.steps, observed: 0, expected: 0 }], suppressible: false }
      )),
      cachedSteps: 0,
    },
    wireBytes: 0, tookMs: 0, replica: domain.replicas[0],
  }`;

export const MUTANTS: Readonly<Record<MutantName, Mutant>> = {
  'filter-before-merge': {
    what: 'a comparison with a number filters the share of each domain instead of the total',
    edits: [
      {
        file: 'src/plan/distribute.ts',
        find: '    if (!readsSeries(node)) return node;',
        replace: FILTER_BEFORE_MERGE,
      },
    ],
  },
  'absent-as-or': {
    what: 'what one domain lacks is absent',
    edits: [
      {
        file: 'src/hub/query.ts',
        find: 'const found = rowsOf(index, whole);',
        replace: `const isPresence = fragment.answer === 'partial' && fragment.expr.op === 'group' && fragment.expr.grouping.length === 0;
    const isLacking = whole.some((part) => rowsOf(index, [part]).rows.length === 0);
    const found = isPresence && isLacking ? { rows: [], notes: [] } : rowsOf(index, whole);`,
      },
    ],
  },
  'no-compensation': {
    what: 'sums lose the rounding errors that Neumaier’s compensation keeps',
    edits: [
      {
        file: 'src/base/compensated.ts',
        find: 'if (total === Infinity || total === -Infinity) compensations[i] = 0;',
        replace: 'if (total === total || total !== total) compensations[i] = 0;',
      },
      {
        file: 'src/base/compensated.ts',
        find: 'compensations[i]! += sum - (total - added) + (term - added);',
        replace: 'compensations[i]! += 0;',
      },
    ],
  },
  'silent-as-empty': {
    what: 'a domain that does not answer counts as one that holds nothing',
    edits: [
      {
        file: 'src/hub/parts/ask-window.ts',
        find: '    if (!given.ok) {',
        replace: `    if (!given.ok) return ${EMPTY_ANSWER};
    if (!given.ok) {`,
      },
    ],
    kill: 1,
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
  'notes-lost': {
    what: 'what domains have to say beside their answers is thrown away',
    edits: [
      {
        file: 'src/hub/query.ts',
        find: 'for (const note of found.notes) notes.add(note);',
        replace: '',
      },
    ],
  },
  'hints-lost': {
    what: 'native histograms come out of their domain without their reset hints',
    edits: [
      {
        file: 'src/plan/frames/histograms-codec.ts',
        find: 'row.hints[step] = hints[histogram]!;',
        replace: 'row.hints[step] = 0;',
      },
    ],
  },
  'names-kept': {
    what: 'that a metric name is to go at the end is forgotten on the way',
    edits: [
      {
        file: 'src/plan/frames/columns-codec.ts',
        find: '...(drops?.[row] === 1 && { dropsName: true }),',
        replace: '...(drops?.[row] === 2 && { dropsName: true }),',
      },
    ],
  },
  'topk-local-k': {
    what: 'each domain picks one series too few for the hub to pick from',
    edits: [
      {
        file: 'src/plan/distribute.ts',
        find: "return { ...node, expr: leaf({ answer: 'vector', expr: node, grid: on }) };",
        replace: `const one = { kind: 'number', value: 1, span: node.span };
          const param = { kind: 'binary', op: '-', left: node.param, right: one, returnBool: false, span: node.span };
          return { ...node, expr: leaf({ answer: 'vector', expr: { ...node, param }, grid: on }) };`,
      },
    ],
  },
  'match-in-domains': {
    what: 'vectors are matched inside each domain whether or not their domains must be the same',
    edits: [
      {
        file: 'src/plan/domain.ts',
        find: 'matching: ({ on, labels }) => matchAtHub !== true && on === labels.includes(domainLabel),',
        replace: 'matching: () => true,',
      },
    ],
  },
  'group-in-domains': {
    what: 'groups that are in several domains stand side by side',
    edits: [
      {
        file: 'src/plan/domain.ts',
        find: 'grouping: ({ without, grouping }) => without !== grouping.includes(domainLabel),',
        replace: 'grouping: () => true,',
      },
    ],
  },
};

export type MutantName =
  | 'filter-before-merge'
  | 'absent-as-or'
  | 'no-compensation'
  | 'silent-as-empty'
  | 'avg-of-averages'
  | 'notes-lost'
  | 'hints-lost'
  | 'names-kept'
  | 'topk-local-k'
  | 'match-in-domains'
  | 'group-in-domains';

export const MUTANT_NAMES = Object.keys(MUTANTS) as readonly MutantName[];
