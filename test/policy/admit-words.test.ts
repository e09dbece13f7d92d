import { describe, expect, test } from 'vitest';
import { labelsOf, labelsRecord } from '../../src/model/labels.ts';
import { admission, type CountedAdmission } from '../../src/policy/admit.ts';
import { checkAdmitWords } from '../../src/policy/admit-rules.ts';
import { NO_WORDS, type AdmitWords } from '../../src/policy/admit-words.ts';
import { attributeRule } from '../../src/policy/attribute-classes.ts';
import { ATTRIBUTES } from '../../src/policy/attribute-table.ts';
import { domainKeys } from '../../src/policy/domain-key.ts';
import { LABELS, labelRules } from '../../src/policy/label-classes.ts';

const PSEUDONYM = expect.stringMatching(/^~[\w-]{22}$/);

function admit(words: Partial<AdmitWords>): CountedAdmission {
  const keys = domainKeys(Buffer.alloc(32, 7));
  return admission({ keys, domainLabel: 'domain', words: { ...NO_WORDS, ...words } });
}

describe('what a policy prohibits', () => {
  const asked = admit({ prohibit: ['demo.customer', 'host.name', 'shop.*', 'url'] });

  test.each<[label: string, metric: string, isReplaced: boolean]>([
    ['demo_customer', 'up', true],
    ['exported_demoCustomer', 'up', true],
    ['demo_customers', 'up', false],
    ['host_name', 'up', true],
    ['host_id', 'up', false],
    ['shop_name', 'up', true],
    ['shopname', 'up', false],
    ['shop', 'up', false],
    ['otel_scope_shop_x', 'up', true],
    // The policy knows better than the list of harmless metrics.
    ['url', 'prometheus_remote_storage_shards', true],
    ['demo_customer', 'target_info', true],
    ['job', 'up', false],
  ])('the label %s of %s', (label, metric, isReplaced) => {
    const stored = labelsRecord(asked.series(labelsOf({ __name__: metric, [label]: 'x' })));
    expect(stored[label]).toEqual(isReplaced ? PSEUDONYM : 'x');
  });

  test('is no attribute and no label of an exemplar either', () => {
    expect(asked.attribute('host.name', 'a')).toBeUndefined();
    expect(asked.attribute('host.id', 'a')).toBe('a');
    expect(asked.exemplar(['host_name', 'a', 'trace_id', 'ab'])).toEqual(['trace_id', 'ab']);
    expect(asked.counts()).toContainEqual({
      place: 'attribute',
      rule: 'host.name',
      reason: 'prohibited',
      action: 'dropped',
      count: 1,
    });
  });
});

test('what a policy lifts is checked as other public values are, and quasi values are kept', () => {
  const asked = admit({ public: ['demo.tier'], quasi: ['demo.shard', 'queue.*'] });
  expect(asked.attribute('demo.tier', 'gold')).toBe('gold');
  expect(asked.attribute('demo.tier', 'alice@example.com')).toBe('__other__');
  expect(asked.attribute('demo.shard', 'alice@example.com')).toBe('alice@example.com');
  expect(asked.attribute('queue.depth', '7')).toBe('7');
  expect(asked.attribute('demo.tiers', 'gold')).toBeUndefined();
  expect(asked.attribute('demo_tier', 'gold')).toBeUndefined();
  expect(asked.exemplar(['demo_tier', 'gold', 'other', 'x'])).toEqual(['demo_tier', 'gold']);
  const info = labelsRecord(asked.series(labelsOf({ __name__: 'target_info', demo_tier: 'gold', other: 'x' })));
  expect(info).toEqual({ __name__: 'target_info', demo_tier: 'gold', other: PSEUDONYM });
  expect(asked.labelRule('demo_tier')).toEqual({ class: 'public', entry: 'demo.tier' });
  expect(labelRules('domain')('demo_tier', '').class).toBe('local');
});

test('a word that is lifted and prohibited is prohibited', () => {
  expect(admit({ public: ['demo.tier'], prohibit: ['demoTier'] }).attribute('demo.tier', 'gold')).toBeUndefined();
});

describe('words that a policy may not say', () => {
  test.each<[list: keyof AdmitWords, word: string, fault: RegExp | undefined]>([
    ['prohibit', 'shop', undefined],
    ['prohibit', 'host.*', undefined],
    ['prohibit', 'url.full', undefined],
    ['prohibit', 'job', /stays/],
    ['prohibit', 'le', /stays/],
    ['prohibit', 'zone', /stays/],
    ['prohibit', 'instance', /stays/],
    ['prohibit', '__name__', /stays/],
    ['prohibit', 'service.name', /producer/],
    ['prohibit', 'service.*', /producer/],
    ['prohibit', '*', /no key/],
    ['prohibit', '.*', /every key/],
    ['prohibit', 'a*b.*', /no key/],
    ['prohibit', '--', /no letter/],
    ['prohibit', '', /no letter/],
    ['public', 'demo.tier', undefined],
    ['public', 'http.route', undefined],
    ['public', 'demo.*', /one by one/],
    ['public', 'user.id', /is subject by the table/],
    ['public', 'userId', /is subject/],
    ['public', 'exported_email', /is prohibited/],
    ['public', 'password', /is prohibited/],
    ['public', 'geo.city', /is prohibited/],
    ['public', 'host.name', /is quasi/],
    ['public', 'le', /is structural/],
    ['public', 'zone', /is structural/],
    ['quasi', 'demo.tier', undefined],
    ['quasi', 'host.name', undefined],
    ['quasi', 'demo.*', undefined],
    ['quasi', 'http.route', /is public/],
    ['quasi', 'geo.*', /meets geo/],
    ['quasi', 'geo.city.*', /meets geo/],
    ['quasi', 'url.*', /meets url/],
    ['quasi', 'gen_ai.x.*', /meets gen_ai/],
    ['quasi', 'client.*', /meets client/],
  ])('%s: %s', (list, word, fault) => {
    const found = checkAdmitWords({ ...NO_WORDS, [list]: ['fine', word] }, 'zone');
    expect(found?.field).toBe(fault === undefined ? undefined : `/${list}/1`);
    if (fault !== undefined) expect(found?.fault).toMatch(fault);
  });

  test('no word of a table that hides something is lifted, in any of its forms', () => {
    const hidden = (['subject', 'prohibited'] as const).flatMap((kind) => [...ATTRIBUTES[kind], ...LABELS[kind]]);
    const ruleOf = labelRules('domain');
    for (const entry of hidden) {
      const word = entry.replace('.*', '.x');
      // Some entries are exceptions of a wider one.
      if (attributeRule(word).class === 'public' || ruleOf(word, '').class === 'public') continue;
      for (const form of [word, word.replaceAll('.', '_'), word.toUpperCase()]) {
        expect(checkAdmitWords({ ...NO_WORDS, public: [form] }, 'domain'), form).toBeDefined();
        expect(checkAdmitWords({ ...NO_WORDS, quasi: [form] }, 'domain'), form).toBeDefined();
      }
    }
  });
});
