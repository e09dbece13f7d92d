import { expect, test } from 'vitest';
import { labelsFrom, labelsKey, labelValue, METRIC_NAME, type Labels } from '../../../src/model/labels.ts';
import { matcherTest, type Matcher, type MatchOp } from '../../../src/model/matcher.ts';
import { seriesIndex, type SeriesIndex } from '../../../src/store/index/series-index.ts';
import { randomFrom, type Random } from '../../random.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const NAMES: readonly string[] = [METRIC_NAME, '__proto__', 'constructor', 'job', 'pod', 'z\u00fcrich', 'half\ud800'];
const VALUES: readonly string[] = [
  ...'api web web-1 web-12 web.2 WEB a|b __proto__ constructor job 0 1 "\\ \u00fc \ud800 \udc00 \ud83d\ude00 \ud83d'.split(
    ' ',
  ),
  'line\nbreak',
  'x'.repeat(40),
  '\u4e2d'.repeat(20),
];
const PATTERNS: readonly string[] = [
  '',
  ...VALUES.filter((value) => !/[\ud800-\udfff"\\]/.test(value)),
  ...'.* .+ ^.+$ () web.* web.+ ^web-1.*$ web-(1|12) web-(1|2.*)|api we(b|b-1)(|2) a.*|api api| | (a|b)c|web no.*'.split(
    ' ',
  ),
  ...'web\\.2 web[-.]\\d+ (?i)web w?eb we{1}b.* x{40} x+ (web|api)?.* [^w].* .*1 . \\Qa|b\\E \u00fc.* web(?i)?'.split(
    ' ',
  ),
  ...'p7.* p(1|2).* p12|p13.*|p1[0-9] p1.*|p12.*|p1.+|p12'.split(' '),
];
const OPS: readonly MatchOp[] = ['=', '!=', '=~', '!~'];

/** What the index should be, as simply as it can be said. */
interface Model {
  readonly index: SeriesIndex;
  readonly live: Map<number, Labels>;
  refsEnd: number;
}

function model(): Model {
  return { index: seriesIndex(), live: new Map(), refsEnd: 0 };
}

/** A label set with few names and values or, for some, values that no other has. */
function someLabels(random: Random, own: number): Labels {
  const pairs = random.subset(NAMES, 0.6).map((name): [string, string] => [name, random.pick(VALUES)]);
  if (random.chance(0.3)) pairs.push(['pod', `p${own}`]);
  return labelsFrom(pairs);
}

function add({ index, live }: Model, known: Map<string, number>, labels: Labels, stored: boolean): void {
  const key = labelsKey(labels);
  const bytes = Buffer.from(JSON.stringify(labels));
  expect(index.find([...labels])).toBe(known.get(key));
  if (known.has(key)) {
    expect(index.insertStored(bytes)).toBeUndefined();
    return;
  }
  const { refsEnd } = index;
  const ref = stored ? index.insertStored(bytes) : index.insert([...labels]);
  if (ref === undefined) throw new Error(`${key} was not taken`);
  expect(live.has(ref)).toBe(false);
  expect(ref).toBeLessThanOrEqual(refsEnd);
  live.set(ref, labels);
  known.set(key, ref);
}

function take({ index, live }: Model, known: Map<string, number>, refs: readonly number[]): void {
  index.remove(refs);
  for (const ref of refs) {
    const labels = live.get(ref);
    if (labels !== undefined) known.delete(labelsKey(labels));
    live.delete(ref);
  }
}

function someMatcher(random: Random, names: readonly string[], patterns: readonly string[]): Matcher {
  const op = random.pick(OPS);
  const value = op === '=' || op === '!=' ? random.pick([...VALUES, '']) : random.pick(patterns);
  return { name: random.pick([...names, 'absent']), op, value };
}

function checkMatch({ index, live }: Model, matchers: readonly Matcher[]): void {
  const tests = matchers.map(({ name, op, value }) => ({ name, passes: matcherTest({ name, op, value }) }));
  const want: number[] = [];
  for (const [ref, labels] of live) {
    if (tests.every(({ name, passes }) => passes(labelValue(labels, name)))) want.push(ref);
  }
  const got = index.match(matchers);
  expect(got).toBeInstanceOf(Uint32Array);
  want.sort((a, b) => a - b);
  // The difference of two long lists takes minutes to print.
  if (!sameNumbers(got, want)) expect.fail(`${JSON.stringify(matchers)}: ${got.length} series for ${want.length}`);
}

function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Everything but matching. */
function checkContents({ index, live }: Model): void {
  expect(index.size).toBe(live.size);
  const names = new Map<string, Set<string>>();
  const metrics = new Map<string, number>();
  for (const [ref, labels] of live) {
    expect(index.has(ref)).toBe(true);
    expect(index.labels(ref)).toEqual(labels);
    expect(index.find(labels)).toBe(ref);
    const values = ['absent', ...NAMES].map((name) => [index.value(ref, name), labelValue(labels, name)]);
    if (values.some(([got, want]) => got !== want)) expect.fail(`values of ${labelsKey(labels)}: ${String(values)}`);
    for (let i = 0; i < labels.length; i += 2) {
      if (!names.has(labels[i]!)) names.set(labels[i]!, new Set());
      names.get(labels[i]!)!.add(labels[i + 1]!);
    }
    const metric = labelValue(labels, METRIC_NAME);
    metrics.set(metric, (metrics.get(metric) ?? 0) + 1);
  }
  for (const value of VALUES) expect(index.metricSize(value)).toBe(metrics.get(value) ?? 0);
  expect([...index.names()].sort()).toEqual([...names.keys()].sort());
  for (const name of ['absent', ...NAMES]) {
    expect([...index.values(name)].sort()).toEqual([...(names.get(name) ?? [])].sort());
  }
  for (const ref of [-1, index.refsEnd, index.refsEnd + 1]) expect(index.has(ref)).toBe(false);
}

test(`label sets come, go and come again, and matchers find what a filter finds (SEED=${SEED})`, () => {
  const random = randomFrom(SEED);
  for (let round = 0; round < 8; round++) {
    const world = model();
    const known = new Map<string, number>();
    for (let step = 0; step < 20; step++) {
      for (let count = random.int(0, 30); count > 0; count--) {
        add(world, known, someLabels(random, random.int(0, 60)), random.chance(0.5));
        // What an append that fails has added goes at once.
        if (random.chance(0.1)) take(world, known, [...world.live.keys()].slice(-1));
      }
      const share = random.pick([0, 0, 0.1, 0.9, 1]);
      if (share > 0) take(world, known, [...random.subset([...world.live.keys()], share), world.index.refsEnd]);
      for (let count = 20; count > 0; count--) {
        checkMatch(
          world,
          Array.from({ length: random.int(0, 3) }, () => someMatcher(random, NAMES, PATTERNS)),
        );
      }
      if (random.chance(0.2)) checkContents(world);
    }
    checkContents(world);
  }
});

/** Labels as services have them: many series of few jobs, one value a series, and one label that some do not have. */
function serviceLabels(random: Random, n: number): Labels {
  return labelsFrom([
    [METRIC_NAME, `metric_${n % 3}`],
    ['cluster', 'only'],
    ['job', `job-${n % 7}`],
    ['pod', `p${n >> 3}`],
    ['own', `${n.toString(36)}-${n}`],
    ['some', random.chance(0.5) ? `${n % 2}` : ''],
  ]);
}

const SERVICE_NAMES: readonly string[] = [METRIC_NAME, 'cluster', 'job', 'pod', 'own', 'some'];

function serviceMatcher(random: Random, n: number): Matcher {
  const name = random.pick(SERVICE_NAMES);
  const value = labelValue(serviceLabels(random, n), name);
  const beginning = value.slice(0, random.int(0, value.length));
  const pattern = random.pick([
    `${beginning}.*`,
    `${beginning}.+`,
    `${beginning}[0-9a-z-]*`,
    `${value}|${beginning}`,
    `${beginning}(1|2.*)`,
    `${value}.*|${beginning}.+|${value}|${beginning}`,
    `${beginning}.*|${beginning.slice(0, -1)}5.*|p12|1`,
    `.*${beginning}`,
    '.*',
    '.+',
  ]);
  const op = random.pick(OPS);
  return { name, op, value: op === '=' || op === '!=' ? value : pattern };
}

test(`long lists and many values take other ways to the same series (SEED=${SEED})`, () => {
  const random = randomFrom(SEED).fork(1);
  const world = model();
  const known = new Map<string, number>();
  const size = 5_000;
  for (let n = 0; n < size; n++) add(world, known, serviceLabels(random, n), n % 2 === 0);
  let next = size;
  for (let round = 0; round < 8; round++) {
    for (let count = 40; count > 0; count--) {
      const matchers = Array.from({ length: random.int(1, 3) }, () => serviceMatcher(random, random.int(0, next)));
      checkMatch(world, matchers);
    }
    take(world, known, random.subset([...world.live.keys()], random.pick([0.002, 0.05, 0.5])));
    for (let count = random.int(0, 2_000); count > 0; count--) {
      add(world, known, serviceLabels(random, random.chance(0.5) ? next++ : random.int(0, next)), random.chance(0.5));
    }
  }
  for (const [ref, labels] of world.live) if (!sameLabels(world.index.labels(ref), labels)) expect.fail(`at ${ref}`);
  take(world, known, [...world.live.keys()]);
  expect([...world.index.names()]).toEqual([]);
  expect(world.index.match([])).toEqual(new Uint32Array(0));
});

function sameLabels(a: Labels, b: Labels): boolean {
  return labelsKey(a) === labelsKey(b);
}

test('an answer stays as it is when the index changes', () => {
  const index = seriesIndex();
  const one: Matcher = { name: 'a', op: '=', value: 'x' };
  const matchers: readonly (readonly Matcher[])[] = [
    [],
    [one],
    [one, { name: 'absent', op: '=', value: '' }],
    [{ name: 'a', op: '=~', value: 'x|y' }],
  ];
  const refs = Array.from({ length: 5_000 }, (_, n) => index.insert(['a', 'x', 'n', `${n}`]));
  const answers = matchers.map((some) => index.match(some));
  index.remove(refs.slice(0, 4_990));
  for (let n = 0; n < 100; n++) index.insert(['a', 'x', 'n', `again ${n}`]);
  for (const answer of answers) expect([...answer]).toEqual(refs);
});

test('an array of labels is handed out again while it is kept, and never those of a series before it', () => {
  const index = seriesIndex();
  const ref = index.insert(['a', 'x']);
  expect(index.labels(ref)).toBe(index.labels(ref));
  index.remove([ref]);
  expect(index.insert(['a', 'y'])).toBe(ref);
  expect(index.labels(ref)).toEqual(['a', 'y']);
  expect(index.value(ref, 'a')).toBe('y');
});

test('a series that is taken out right after it came leaves nothing behind', () => {
  const index = seriesIndex();
  index.insert(['__name__', 'm', 'job', 'api']);
  const labels = Array.from({ length: 40 }, (_, n) => [`name ${n}`, `value ${n}`.repeat(n)]).flat();
  index.remove([index.insert(labels)]);
  const { bytes } = index;
  for (let n = 0; n < 200; n++) {
    index.remove([index.insert(labels.map((text, at) => (at % 2 === 0 ? text : `${text} ${n}`)))]);
    expect([...index.names()]).toEqual(['__name__', 'job']);
  }
  expect(index.bytes).toBeLessThan(bytes * 1.5);
});

test('matchers that cannot be run are refused, even where no series has the label', () => {
  const index = seriesIndex();
  expect(() => index.match([{ name: 'a', op: '=~', value: '(' }])).toThrow(/invalid regular expression/);
  index.insert(['a', 'x']);
  expect(() =>
    index.match([
      { name: 'b', op: '=', value: 'y' },
      { name: 'a', op: '!~', value: 'a(?=b)' },
    ]),
  ).toThrow(/invalid regular expression/);
  expect(() => index.match([{ name: 'a', op: '=~', value: '((a{100}){100}){100}' }])).toThrow(/regexCost|invalid/);
});
