import { labelValue, type Labels } from '../model/labels.ts';
import { literalAlternatives, matcherTest, type Matcher } from '../model/matcher.ts';

/** Label name -> value -> the references of the series that have it. */
export type LabelPostings = Map<string, Map<string, Posting>>;

/** Ascending references; a lone one without an array, because most values of labels like `pod` have one series. */
export type Posting = number | number[];

const NOTHING: readonly number[] = [];

interface Test {
  readonly name: string;
  readonly test: (value: string) => boolean;
  /** The only values that can match, when they are known and the empty one is not among them. */
  readonly literals: readonly string[] | undefined;
  /** Whether a series without the label satisfies the matcher. */
  readonly matchesAbsent: boolean;
}

/**
 * The references of the series that satisfy all matchers, ascending. An absent label counts as the empty string, so
 * `foo=""` and `foo!="x"` match series without foo. Throws `bad_data` for a regular expression that is not RE2.
 */
export function matchSeries(
  postings: LabelPostings,
  all: readonly Labels[],
  matchers: readonly Matcher[],
): readonly number[] {
  const tests = matchers.map(testOf);
  const first = cheapest(postings, tests);
  let refs = first === undefined ? all.map((_, ref) => ref) : refsOf(postings, first);
  for (const test of tests) {
    if (refs.length === 0) return refs;
    if (test !== first) refs = narrow(postings, all, refs, test);
  }
  return refs;
}

function testOf(matcher: Matcher): Test {
  const test = matcherTest(matcher);
  return { name: matcher.name, test, literals: literalsOf(matcher), matchesAbsent: test('') };
}

function literalsOf(matcher: Matcher): readonly string[] | undefined {
  const literals =
    matcher.op === '=' ? [matcher.value] : matcher.op === '=~' ? literalAlternatives(matcher.value) : undefined;
  return literals === undefined || literals.includes('') ? undefined : [...new Set(literals)];
}

/** The literal test that leaves the fewest series to look at. */
function cheapest(postings: LabelPostings, tests: readonly Test[]): Test | undefined {
  let best: Test | undefined;
  let bestCount = Number.POSITIVE_INFINITY;
  for (const test of tests) {
    if (test.literals === undefined) continue;
    const values = postings.get(test.name);
    let count = 0;
    for (const value of test.literals) count += listOf(values?.get(value)).length;
    if (count < bestCount) {
      best = test;
      bestCount = count;
    }
  }
  return best;
}

/** A series has one value for a label, so the lists of different values never share a reference. */
function refsOf(postings: LabelPostings, test: Test): readonly number[] {
  const values = postings.get(test.name);
  const lists = (test.literals ?? []).map((value) => listOf(values?.get(value))).filter((list) => list.length > 0);
  if (lists.length <= 1) return lists[0] ?? [];
  return Array.from(Uint32Array.from(lists.flat()).sort());
}

function narrow(
  postings: LabelPostings,
  all: readonly Labels[],
  refs: readonly number[],
  test: Test,
): readonly number[] {
  const values = postings.get(test.name);
  if (values === undefined) return test.matchesAbsent ? refs : [];
  if (test.literals === undefined && values.size * 2 < refs.length)
    return narrowByValues(values, all.length, refs, test);
  return narrowOneByOne(all, refs, test);
}

/** For labels with few values: asks each value once, then marks the series of those whose verdict differs from absent. */
function narrowByValues(
  values: ReadonlyMap<string, Posting>,
  size: number,
  refs: readonly number[],
  test: Test,
): readonly number[] {
  const marks = new Uint8Array(size);
  for (const [value, posting] of values) {
    if (test.test(value) === test.matchesAbsent) continue;
    if (typeof posting === 'number') marks[posting] = 1;
    else for (const ref of posting) marks[ref] = 1;
  }
  const wanted = test.matchesAbsent ? 0 : 1;
  return refs.filter((ref) => marks[ref] === wanted);
}

function narrowOneByOne(all: readonly Labels[], refs: readonly number[], test: Test): readonly number[] {
  const verdicts = new Map<string, boolean>();
  return refs.filter((ref) => {
    const value = labelValue(all[ref]!, test.name);
    let verdict = verdicts.get(value);
    if (verdict === undefined) {
      verdict = test.test(value);
      verdicts.set(value, verdict);
    }
    return verdict;
  });
}

function listOf(posting: Posting | undefined): readonly number[] {
  return posting === undefined ? NOTHING : typeof posting === 'number' ? [posting] : posting;
}
