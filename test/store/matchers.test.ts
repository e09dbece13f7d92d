import { expect, test } from 'vitest';
import { compareLabels, labelValue, labelsKey, labelsOf, type Labels } from '../../src/model/labels.ts';
import { matcherTest, type Matcher, type MatchOp } from '../../src/model/matcher.ts';
import { labelTable } from '../../src/store/label-table.ts';
import { seriesIndex } from '../../src/store/series-index.ts';

const SERIES: Labels[] = [];
for (const name of ['up', 'requests', 'latency_bucket']) {
  for (const job of ['', 'api', 'web', 'web-2', 'job', 'a.b']) {
    for (const instance of ['', 'host:1', 'host:2', '10.0.0.1:9090', 'line\nbreak']) {
      // Every label name is also a value somewhere, and one series has no labels at all.
      SERIES.push(labelsOf({ __name__: name, job, instance, zone: instance === 'host:1' ? 'job' : '' }));
    }
  }
}
SERIES.push(labelsOf({}));
// A label's name as the value of a label before it.
for (const zone of ['z1', 'z2']) SERIES.push(labelsOf({ __name__: 'job', instance: 'job', job: 'twice', zone }));

// More label values than candidates and the other way round take different paths.
const MANY: Labels[] = Array.from({ length: 500 }, (_, i) =>
  labelsOf({ __name__: 'many', pod: `pod-${i}`, few: `${i % 3}` }),
);

const VALUES: readonly string[] = ['', 'api', 'job', 'web', 'host:1', 'up', '0', 'pod-7', 'absent'];
const PATTERNS: readonly string[] = [
  ...VALUES,
  'api|web',
  'api|',
  'api|api|web',
  '.*',
  '.+',
  'web.*',
  'host:.|10.*',
  'line.break',
  'pod-1.',
  'pod-(1|2|3)',
  '0|1',
  '(?i)API',
  'a.b',
];

const ALL = [...SERIES, ...MANY].sort(compareLabels);
const INDEX = seriesIndex();
// Inserted backwards, so that the order of the answer is not the order of insertion.
for (const labels of [...ALL].reverse()) INDEX.insert(labels);

function check(...matchers: readonly Matcher[]): void {
  const tests = matchers.map((matcher) => ({ name: matcher.name, test: matcherTest(matcher) }));
  const want = ALL.filter((one) => tests.every(({ name, test: passes }) => passes(labelValue(one, name))));
  const got = INDEX.match(matchers).map((ref) => INDEX.labels(ref));
  expect(got.map(labelsKey), JSON.stringify(matchers)).toEqual(want.map(labelsKey));
}

const NAMES = ['__name__', 'job', 'instance', 'pod', 'few', 'nowhere'];

function matchersOn(name: string): Matcher[] {
  const plain = (op: MatchOp, values: readonly string[]) => values.map((value) => ({ name, op, value }));
  return [...plain('=', VALUES), ...plain('!=', VALUES), ...plain('=~', PATTERNS), ...plain('!~', PATTERNS)];
}

test('one matcher selects what a scan selects', () => {
  for (const name of NAMES) for (const matcher of matchersOn(name)) check(matcher);
});

test('two matchers select what a scan selects', () => {
  const left = matchersOn('job').concat(matchersOn('few'));
  const right = matchersOn('instance').concat(matchersOn('pod'));
  for (let i = 0; i < left.length; i++) {
    for (let j = i % 7; j < right.length; j += 7) check(left[i]!, right[j]!);
  }
});

test('no matcher selects all, in order', () => check());

test('the order holds when series come between questions', () => {
  const index = seriesIndex();
  for (const labels of MANY) {
    index.insert(labels);
    if (index.size % 90 === 0) index.match([]);
  }
  expect(index.match([]).map((ref) => labelsKey(index.labels(ref)))).toEqual(
    [...MANY].sort(compareLabels).map(labelsKey),
  );
});

test('an invalid pattern is refused before anything is read', () => {
  expect(() => seriesIndex().match([{ name: 'job', op: '=~', value: '(' }])).toThrow(/invalid regular expression.*job/);
});

test('a table finds every label set, however its hashes collide', () => {
  const hashes = [
    undefined,
    () => 0,
    (labels: Labels) => labels.length,
    (labels: Labels) => labelValue(labels, 'few').length,
  ];
  for (const hash of hashes) {
    const known: Labels[] = [];
    const table = labelTable(known, hash);
    for (const labels of ALL) {
      expect(table.find(labels)).toBeUndefined();
      table.insert(known.push(labels) - 1);
    }
    // Fresh copies, as a decoder makes them.
    expect(ALL.map((labels) => table.find([...labels]))).toEqual(ALL.map((_, ref) => ref));
    expect(table.find(labelsOf({ __name__: 'absent' }))).toBeUndefined();
  }
});
