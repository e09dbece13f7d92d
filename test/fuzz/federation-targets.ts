import { startNotes } from '../../src/engine/notes.ts';
import { startUsage } from '../../src/engine/usage.ts';
import { instantGrid, rangeGrid } from '../../src/model/grid.ts';
import { distribute, type Fragment } from '../../src/plan/distribute.ts';
import { decodeExplainAnswer, encodeExplainAnswer, type Verdict } from '../../src/plan/frames/explain-codec.ts';
import { encodeFragment } from '../../src/plan/frames/fragment-codec.ts';
import {
  decodeQueryAnswer,
  decodeQueryRequest,
  encodeQueryAnswer,
  encodeQueryRequest,
} from '../../src/plan/frames/query-codec.ts';
import { mergeFragment } from '../../src/plan/merge.ts';
import { ALL_FEATURES, NO_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { REQUEST_ID } from '../plan/beside.ts';
import { randomAnswer, randomBeside, randomFragments, STATUS } from '../plan/random-frames.ts';
import type { Random } from '../random.ts';
import { listTargets } from './list-targets.ts';
import type { FuzzTarget } from './target.ts';

/** What hub and agent read of each other. What a hub could read it merges as well. */
export function federationTargets(): FuzzTarget[] {
  return [request(), ...ANSWERS.map(([name, text]) => answer(name, fragmentsOf(text))), explained(), ...listTargets()];
}

/** What is asked beside the fragments. */
const BESIDE = {
  id: REQUEST_ID,
  coverage: [10, 3].map((steps) => ({ grid: { startMs: 0, stepMs: 15_000, steps }, reads: [] })),
};

/** Queries whose fragments have answers of every kind. */
const ANSWERS = [
  ['query-answer-vector', 'x or y'],
  ['query-answer-sum', 'sum by (job) (x)'],
  ['query-answer-avg', 'avg(x)'],
  ['query-answer-partials', 'stddev(x) + max by (job) (x) + count(x)'],
  ['query-answer-sketch', 'quantile(0.9, x)'],
] as const;

function fragmentsOf(text: string): readonly Fragment[] {
  const grid = rangeGrid(0, 150_000, 15_000);
  return distribute(parseExpr(text, ALL_FEATURES), grid, { domainLabel: 'domain', approx: 0.01 }).fragments;
}

function request(): FuzzTarget {
  return {
    name: 'query-request',
    valid: (random) =>
      encodeQueryRequest({
        lookbackMs: random.int(1, 300_000),
        timeLeftMs: 10_000,
        features: random.chance(0.5) ? ALL_FEATURES : NO_FEATURES,
        fragments: randomFragments(random),
        ...randomBeside(random),
      }),
    decode(input) {
      for (const fragment of decodeQueryRequest(input).fragments) {
        // What could be read can be said again.
        if (fragment.answer !== 'unread') encodeFragment(fragment);
      }
    },
  };
}

function answer(name: string, fragments: readonly Fragment[]): FuzzTarget {
  return {
    name,
    valid: (random) => encodeQueryAnswer(randomAnswer(random, fragments, BESIDE), fragments),
    decode(input) {
      const parts = [1, 2].map(() => decodeQueryAnswer(input, { ...BESIDE, fragments }).fragments);
      fragments.forEach((fragment, index) => {
        const rows = parts.flatMap((part) => {
          const one = part[index]!;
          return 'rows' in one ? one.rows : [];
        });
        mergeFragment(fragment, rows, startNotes(), startUsage(Date.now() + 10_000));
      });
    },
  };
}

function explained(): FuzzTarget {
  const { fragments } = distribute(parseExpr('sum(a) + sum(b)'), instantGrid(0), { domainLabel: 'domain' });
  return {
    name: 'explain-answer',
    valid: (random) =>
      encodeExplainAnswer({ ...BESIDE, status: STATUS, verdicts: fragments.map(() => verdict(random)) }),
    decode: (input) => void decodeExplainAnswer(input, { ...BESIDE, fragments }),
  };
}

function verdict(random: Random): Verdict {
  if (random.chance(0.4)) return { refusal: { code: 'class_sealed', name: 'a', node: random.int(0, 1) } };
  return {
    rules: random.subset(['a', 'b', 'c'], 0.6).map((metric) => ({ metric, class: 'aggregate', rule: `${metric}*` })),
    series: random.int(0, 1e9),
  };
}
