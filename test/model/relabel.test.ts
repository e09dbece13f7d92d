import { expect, test } from 'vitest';
import { labelsOf, labelsRecord } from '../../src/model/labels.ts';
import { labelEdits, relabel, relabelRule, type RelabelConfig } from '../../src/model/relabel.ts';

type Record_ = Readonly<Record<string, string>>;

/** `want` is undefined where a rule drops. */
function check(input: Record_, rules: readonly RelabelConfig[], want: Record_ | undefined): void {
  const edits = labelEdits(labelsOf(input));
  const kept = relabel(edits, rules.map(relabelRule));
  expect(kept ? labelsRecord(edits.labels()) : undefined).toEqual(want);
}

const ABC = { a: 'foo', b: 'bar', c: 'baz' };

test.each<[string, Record_, RelabelConfig[], Record_ | undefined]>([
  [
    'replace joins the sources',
    ABC,
    [{ sourceLabels: ['a', 'b'], targetLabel: 'd', replacement: '<$1>' }],
    { ...ABC, d: '<foo;bar>' },
  ],
  [
    'another separator',
    ABC,
    [{ sourceLabels: ['a', 'b'], separator: '-', regex: 'f(.*)-(.*)r', targetLabel: 'd', replacement: '$2/${1}x' }],
    { ...ABC, d: 'ba/oox' },
  ],
  ['$1x is the group "1x"', ABC, [{ sourceLabels: ['a'], targetLabel: 'd', replacement: '$1x' }], ABC],
  [
    'named groups',
    ABC,
    [{ sourceLabels: ['a'], regex: '(?P<first>f)(.+)', targetLabel: 'd', replacement: '$first-${first}-$2-$other' }],
    { ...ABC, d: 'f-f-oo-' },
  ],
  [
    'dollars',
    ABC,
    [{ sourceLabels: ['a'], targetLabel: 'd', replacement: '$$1 $ ${ ${} $- ${1 $01 $9 $$$1' }],
    { ...ABC, d: '$1 $ ${ ${} $- ${1   $foo' },
  ],
  ['no match changes nothing', ABC, [{ sourceLabels: ['a'], regex: 'fo', targetLabel: 'b' }], ABC],
  [
    'an absent group is empty',
    ABC,
    [{ sourceLabels: ['a'], regex: 'f(x)?oo', targetLabel: 'b' }],
    { a: 'foo', c: 'baz' },
  ],
  ['without sources the value is set', ABC, [{ targetLabel: 'd', replacement: 'x' }], { ...ABC, d: 'x' }],
  ['an empty replacement removes', ABC, [{ targetLabel: 'a', replacement: '' }], { b: 'bar', c: 'baz' }],
  [
    'the target may be a template',
    ABC,
    [{ sourceLabels: ['a'], regex: '(f)(.*)', targetLabel: '${2}_$1', replacement: 'x' }],
    { ...ABC, oo_f: 'x' },
  ],
  [
    'an empty target is no label',
    ABC,
    [{ sourceLabels: ['a'], regex: '(x)?.*', targetLabel: '$1', replacement: 'y' }],
    ABC,
  ],
  [
    'a line break is any character',
    { a: 'x\ny' },
    [{ sourceLabels: ['a'], targetLabel: 'b' }],
    { a: 'x\ny', b: 'x\ny' },
  ],
  ['alternatives are anchored together', ABC, [{ action: 'keep', sourceLabels: ['a'], regex: 'fo|oo' }], undefined],
  ['keep', ABC, [{ action: 'keep', sourceLabels: ['a'], regex: 'fo+|x' }], ABC],
  ['drop', ABC, [{ action: 'drop', sourceLabels: ['a'], regex: '.*o' }], undefined],
  ['drop of something else', ABC, [{ action: 'drop', sourceLabels: ['a'], regex: 'o' }], ABC],
  ['an empty regex matches the empty value', ABC, [{ action: 'keep', sourceLabels: ['x'], regex: '' }], ABC],
  ['nothing follows a drop', ABC, [{ action: 'drop' }, { targetLabel: 'a', replacement: 'x' }], undefined],
  [
    'keepequal',
    { a: 'x', b: 'x' },
    [{ action: 'keepequal', sourceLabels: ['a'], targetLabel: 'b' }],
    { a: 'x', b: 'x' },
  ],
  ['keepequal of others', ABC, [{ action: 'keepequal', sourceLabels: ['a'], targetLabel: 'b' }], undefined],
  ['dropequal', { a: 'x', b: 'x' }, [{ action: 'dropequal', sourceLabels: ['a'], targetLabel: 'b' }], undefined],
  ['dropequal of others', ABC, [{ action: 'dropequal', sourceLabels: ['a'], targetLabel: 'b' }], ABC],
  // The MD5 sum of baz ends in e44cf984c85f6e88.
  ['hashmod', ABC, [{ action: 'hashmod', sourceLabels: ['c'], targetLabel: 'd', modulus: 1000 }], { ...ABC, d: '976' }],
  [
    'labelmap',
    { a_x: '1', a_y: '2', b: '3' },
    [{ action: 'labelmap', regex: 'a_(.*)', replacement: 'm_$1' }],
    { a_x: '1', a_y: '2', b: '3', m_x: '1', m_y: '2' },
  ],
  [
    'the last of a labelmap wins',
    { a1: 'x', a2: 'y' },
    [{ action: 'labelmap', regex: '(a).' }],
    { a1: 'x', a2: 'y', a: 'y' },
  ],
  ['labeldrop', ABC, [{ action: 'labeldrop', regex: 'a|b' }], { c: 'baz' }],
  ['labelkeep', ABC, [{ action: 'labelkeep', regex: 'a|b' }], { a: 'foo', b: 'bar' }],
  ['lowercase', { a: 'ÀΣIİß' }, [{ action: 'lowercase', sourceLabels: ['a'], targetLabel: 'a' }], { a: 'àσiiß' }],
  ['uppercase', { a: 'àσiß' }, [{ action: 'uppercase', sourceLabels: ['a'], targetLabel: 'a' }], { a: 'ÀΣIß' }],
  ['names of any kind', { 'ü.x': 'y' }, [{ sourceLabels: ['ü.x'], targetLabel: 'b c' }], { 'ü.x': 'y', 'b c': 'y' }],
])('%s', (_, input, rules, want) => check(input, rules, want));

test.each<[RelabelConfig, string]>([
  [{}, 'target_label is missing'],
  [{ action: 'hashmod', targetLabel: 'a' }, 'modulus must be a whole number above 0'],
  [{ action: 'hashmod', targetLabel: 'a', modulus: 0 }, 'modulus must be a whole number above 0'],
  [{ action: 'keep', regex: '(' }, 'regex "(" is no RE2 regular expression'],
  [{ action: 'keep', regex: 'a)|(b' }, 'is no RE2 regular expression'],
  [{ action: 'keep', regex: '(?=a)' }, 'is no RE2 regular expression'],
  [{ action: 'labelmap', replacement: '' }, 'replacement is no label name'],
  [{ action: 'labeldrop', sourceLabels: ['a'] }, 'source_labels has no meaning here'],
  [{ action: 'labelkeep', targetLabel: 'a' }, 'target_label has no meaning here'],
  [{ action: 'keepequal', targetLabel: 'a', regex: 'x' }, 'regex has no meaning here'],
  [{ action: 'lowercase', targetLabel: 'a', replacement: 'x' }, 'replacement has no meaning here'],
])('refuses %j', (config, message) => {
  expect(() => relabelRule(config)).toThrow(message);
});

test('a regular expression that would backtrack takes no time', () => {
  const started = performance.now();
  const text = 'a'.repeat(20_000);
  check({ a: text }, [{ action: 'keep', sourceLabels: ['a'], regex: '(a*)*(a*)*b' }], undefined);
  expect(performance.now() - started).toBeLessThan(2_000);
});
