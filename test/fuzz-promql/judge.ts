import { withShortNumbers, type Answer, type Data } from './answer.ts';
import { ask, TWO_SAMPLES } from './ask.ts';
import { compareAnswers, type Difference, type Tolerance } from './compare.ts';
import type { Case } from './generator.ts';
import { print, walk, type Node } from './grammar.ts';
import { isIllConditioned, namesOfRounded } from './noise.ts';
import { answerByInstants } from './itself.ts';
import { orderOf } from './order.ts';
import { withoutEmptyBuckets } from './empty-buckets.ts';
import { areNotesWithinSpread, haveSameSamples, isWithinSpread } from './spread.ts';
import { differsInTies, hasTiesBelow, rankingAtRoot } from './ranking.ts';
import type { When } from './scope.ts';
import type { Sides } from './sides.ts';

/** What one case showed. */
export type Verdict =
  | Judged
  /** By a federation, for a reason that the query gives. */
  | { readonly kind: 'refused'; readonly reason: string };

type Judged =
  | {
      readonly kind: 'equal';
      readonly empty: boolean;
      readonly errorType?: string;
      readonly tolerances: ReadonlySet<Tolerance>;
    }
  | { readonly kind: 'unsupported'; readonly message: string }
  | { readonly kind: 'wrong'; readonly difference: Difference };

/** What is asked where two answers differ; undefined where the answer is an error. */
export interface Witness {
  ask(node: Node): Promise<Data | undefined>;
  /** What the side that is tried answers. */
  askTried(node: Node): Promise<Data | undefined>;
  /** The same query again, and of an oracle that has the series in another order. */
  again(node: Node): Promise<readonly (Data | undefined)[]>;
  /** Whether the oracle gives a series two samples at one time. */
  hasTwins(node: Node): Promise<boolean>;
  /** The answer that the oracle's instant answers make, where its answer over a range may be a known fault. */
  byInstants(node: Node): Promise<Data | undefined>;
}

/**
 * Over a range Prometheus aggregates what operators gave in the order of a Go map, another one each time: so often the oracle is
 * asked whether it agrees with itself, and so often each that has another order.
 */
const AGAIN = 24;
const AGAIN_REORDERED = 3;

/** Whether a federation may refuse a query for this reason; anything else must be answered. */
export type MayRefuse = (node: Node, reason: string) => boolean;

/** Asks both sides and judges the answer of the one that is tried by the oracle's. */
export async function judgeCase(
  sides: Omit<Sides, 'close'>,
  { node, when }: Case,
  mayRefuse: MayRefuse = () => false,
): Promise<Verdict> {
  const query = print(node);
  const [want, got] = await Promise.all([ask(sides.oracle, query, when), sides.ask(query, when)]);
  if (got.kind === 'error' && got.refusal !== undefined && (want.kind === 'error' || mayRefuse(node, got.refusal)))
    return { kind: 'refused', reason: got.refusal };
  const askAt = async (url: string, other: Node, at = when): Promise<Data | undefined> => {
    const answer = await ask(url, print(other), at);
    return answer.kind === 'data' ? answer : undefined;
  };
  return judgeAnswers({ node, when }, want, got, {
    ask: (other) => askAt(sides.oracle, other),
    async askTried(other) {
      const answer = await sides.ask(print(other), when);
      return answer.kind === 'data' ? answer : undefined;
    },
    async hasTwins(other) {
      // An instant answer shows one of the two alone.
      const at: When =
        when.kind === 'range' ? when : { kind: 'range', startMs: when.timeMs, endMs: when.timeMs, stepMs: 1_000 };
      const answer = await ask(sides.oracle, print(other), at);
      return answer.kind === 'error' && answer.errorType === TWO_SAMPLES;
    },
    byInstants: (other) => answerByInstants(other, when, (one, at) => askAt(sides.oracle, one, at)),
    async again(other) {
      const isRange = when.kind === 'range' || [...walk(other)].some(({ kind }) => kind === 'subquery');
      const often = (url: string, times: number): string[] => Array.from({ length: isRange ? times : 1 }, () => url);
      const reordered = await sides.reordered();
      const urls = [...often(sides.oracle, AGAIN), ...reordered.flatMap((url) => often(url, AGAIN_REORDERED))];
      return Promise.all(urls.map((url) => askAt(url, other)));
    },
  });
}

/** The verdict over two answers. */
export async function judgeAnswers({ node, when }: Case, want: Answer, got: Answer, witness: Witness): Promise<Judged> {
  if (got.kind === 'error' && got.status === 422 && got.message.startsWith('unsupported')) {
    return { kind: 'unsupported', message: got.message };
  }
  const tolerances = new Set<Tolerance>();
  const equal = (): Judged => ({
    kind: 'equal',
    empty: want.kind === 'error' || (want.rows.length === 0 && want.text === undefined),
    ...(want.kind === 'error' ? { errorType: want.errorType } : {}),
    tolerances,
  });
  const compare = (ours: Answer, theirs: Answer): Difference | undefined =>
    compareAnswers(theirs, ours, orderOf(node, when), (tolerance) => tolerances.add(tolerance));
  const difference = compare(got, want);
  if (difference === undefined) return equal();
  tolerances.clear();
  const names = namesOfRounded(node);
  if (names.size > 0 && compare(withShortNumbers(got, names), withShortNumbers(want, names)) === undefined) {
    tolerances.add('digits of a label');
    return equal();
  }
  tolerances.clear();
  if (want.kind === 'data' && got.kind === 'data' && want.resultType === got.resultType) {
    const reason = await whyApart(node, want, got, difference, witness);
    if (reason !== undefined) {
      tolerances.add(reason);
      return equal();
    }
  }
  if (got.kind === 'error' && got.message === SAME_LABELS && (await makesTwins(node, witness))) {
    tolerances.add('a float and a histogram at one time');
    return equal();
  }
  return { kind: 'wrong', difference };
}

const SAME_LABELS = 'vector cannot contain metrics with the same labelset';

/**
 * A fault of Prometheus 3.15: where a float and a histogram come to have the same labels at the same time, it puts both into one
 * series instead of failing as it does for two floats or two histograms.
 */
async function makesTwins(node: Node, { hasTwins }: Witness): Promise<boolean> {
  for (const part of walk(node)) if (part.kind !== 'literal' && (await hasTwins(part))) return true;
  return false;
}

/** Whether both agree as soon as empty buckets are gone, with which an answer of the same program was another one. */
async function hangsOnEmptyBuckets(
  node: Node,
  want: Data,
  got: Data,
  askOracle: Witness['ask'],
  askTried: Witness['askTried'],
): Promise<boolean> {
  const compact = withoutEmptyBuckets(node);
  if (compact === undefined) return false;
  const [theirs, ours] = await Promise.all([askOracle(compact), askTried(compact)]);
  if (theirs === undefined || ours === undefined || !haveSameSamples(theirs, ours)) return false;
  return !haveSameSamples(theirs, want) || !haveSameSamples(ours, got);
}

/** What PromQL or floating point leaves open between two answers. */
async function whyApart(
  node: Node,
  want: Data,
  got: Data,
  { kind }: Difference,
  { ask: askOracle, askTried, again, byInstants }: Witness,
): Promise<Tolerance | undefined> {
  if (kind === 'order') return undefined;
  const right = await byInstants(node);
  const isRight = right !== undefined && compareAnswers(right, got, { by: 'nothing' }, () => undefined) === undefined;
  if (isRight) return '@ within a subquery, step by step';
  if (kind !== 'notes') {
    const ranking = rankingAtRoot(node);
    if (ranking !== undefined && (await differsInTies(ranking, want, got, askOracle))) return 'ties at the root';
    if (await hasTiesBelow(node, askOracle)) return 'ties below the root';
    if (await isIllConditioned(node, want, got, askOracle)) return 'ill-conditioned';
    if (await hangsOnEmptyBuckets(node, want, got, askOracle, askTried)) return 'empty buckets';
  }
  const others = (await again(node)).filter((answer) => answer !== undefined);
  return isWithinSpread(want, got, others) && areNotesWithinSpread(want, got, others) ? 'order of series' : undefined;
}
