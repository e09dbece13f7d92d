import { expect, test } from 'vitest';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { labelsFrom, labelsOf, labelsRecord, type Labels } from '../../src/model/labels.ts';
import { admission } from '../../src/policy/admit.ts';
import { admitCounts } from '../../src/policy/admit-counts.ts';
import { domainKeys } from '../../src/policy/domain-key.ts';
import { checkDropRules, droppingAdmission, labelsApart, type DropRule } from '../../src/policy/drop-labels.ts';
import { INPUT_LABEL } from '../../src/model/input-label.ts';

const KEYS = domainKeys(Buffer.alloc(32, 7));
const RULES: readonly DropRule[] = [
  { metrics: 'http_*', labels: ['pod', 'ip'] },
  { metrics: 'http_*_total', labels: ['instance'] },
];

function dropping(rules = RULES, inner = ADMIT_ALL) {
  const counters = admitCounts();
  return { ...droppingAdmission(inner, { rules, keys: KEYS, counters }), counters };
}

test('labels of a matching metric come off, and what is left of them tells inputs apart', () => {
  const { series } = dropping();
  const of = (labels: Record<string, string>): Record<string, string> => labelsRecord(series(labelsOf(labels)));
  const one = of({ __name__: 'http_requests', pod: 'a', ip: '10.0.0.1', instance: 'x', code: '200' });
  expect(one).toMatchObject({ __name__: 'http_requests', code: '200', instance: 'x' });
  expect(Object.keys(one).sort()).toEqual(['__name__', INPUT_LABEL, 'code', 'instance'].sort());
  expect(JSON.stringify(one)).not.toMatch(/10\.0|"a"/);
  expect(JSON.parse(one[INPUT_LABEL]!)).toEqual([
    'ip',
    expect.stringMatching(/^~.{22}$/),
    'pod',
    expect.stringMatching(/^~.{22}$/),
  ]);
  expect(of({ __name__: 'http_requests', pod: 'b', ip: '10.0.0.1', instance: 'x', code: '200' })).not.toEqual(one);
  expect(of({ __name__: 'http_requests_total', instance: 'x' })).not.toHaveProperty('instance');
  // An input too, though there is nothing to take off: its samples go where those of others are added.
  expect(of({ __name__: 'http_requests' })).toEqual({ __name__: 'http_requests', [INPUT_LABEL]: '[]' });
  expect(of({ __name__: 'grpc_requests', pod: 'a' })).toEqual({ __name__: 'grpc_requests', pod: 'a' });
});

test("a sender's own label of the reserved name moves aside, with rules and without", () => {
  const own = { __name__: 'other', [INPUT_LABEL]: 'forged', [`exported_${INPUT_LABEL}`]: 'too' };
  for (const rules of [RULES, []]) {
    expect(labelsRecord(dropping(rules).series(labelsOf(own)))).toEqual({
      __name__: 'other',
      [`exported_${INPUT_LABEL}`]: 'too',
      [`exported_exported_${INPUT_LABEL}`]: 'forged',
    });
  }
  const joined = labelsRecord(dropping().series(labelsOf({ ...own, __name__: 'http_x' })));
  expect(joined[INPUT_LABEL]).toBe('[]');
});

test('what is kept apart has the pseudonyms that it would have without a rule', () => {
  const inner = admission({ keys: KEYS, domainLabel: 'domain' });
  const own = labelsOf({ __name__: 'http_x', ip: '10.0.0.1', code: '200' });
  const apart = labelsApart(dropping(RULES, inner).series(own));
  expect(apart).toEqual(inner.series(own));
  expect(labelsApart(labelsOf({ __name__: 'x', pod: 'a' }))).toBeUndefined();
  // Odd names and values survive the way through text.
  const odd: Labels = labelsFrom([
    ['__name__', 'http_x'],
    ['pod', '"],['],
    ['z"\\', '\u{1f600}'],
  ]);
  const rules = [{ metrics: '*', labels: ['pod', 'z"\\'] }];
  expect(Object.keys(labelsRecord(labelsApart(dropping(rules).series(odd))!))).toEqual(['__name__', 'pod', 'z"\\']);
});

test('what is taken off is counted by the words of the policy', () => {
  const { series, counters } = dropping();
  series(labelsOf({ __name__: 'http_x', pod: 'a' }));
  series(labelsOf({ __name__: 'http_x', pod: 'b' }));
  expect(counters.all()).toEqual([{ place: 'series', rule: 'pod', reason: 'drop', action: 'dropped', count: 2 }]);
});

test('labels that say what a series is are not dropped', () => {
  const check = (...labels: string[]): string | undefined => {
    const found = checkDropRules(
      [
        { metrics: 'x', labels: ['pod'] },
        { metrics: '*', labels },
      ],
      'domain',
    );
    return found && `${found.field}: ${found.fault}`;
  };
  expect(check('pod', 'instance')).toBeUndefined();
  for (const label of ['__name__', 'le', 'quantile', 'job', 'domain', INPUT_LABEL]) {
    expect(check('pod', label)).toBe(`/1/labels/1: "${label}" says what a series is and cannot be dropped`);
  }
  expect(check('po*')).toBe('/1/labels/0: "po*" is no label; name each label that is to be dropped');
});
