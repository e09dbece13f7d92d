import { describe, expect, it } from 'vitest';
import { HELD, POLICY } from './canaries.ts';
import { anyFragment, testDomain } from './domain.ts';

describe('explain', () => {
  const reads: string[] = [];
  const domain = testDomain(POLICY, HELD, (data) => ({
    ...data,
    fragment: (question, signal) => {
      reads.push('fragment');
      return data.fragment(question, signal);
    },
    kinds: (...question) => {
      reads.push('kinds');
      return data.kinds(...question);
    },
  }));
  const m = { metric: 'm', class: 'aggregate', rule: 'default' } as const;
  it.each<[string, object]>([
    ['up', { rules: [{ metric: 'up', class: 'open', rule: 'up' }], series: 1 }],
    ['partial sum(m)', { rules: [m], series: 3 }],
    ['partial sum(rate(m{service="t"}[5m]))', { rules: [m], series: 2 }],
    ['partial sum(last_over_time(m[10s]))', { rules: [m], series: 0 }],
    ['partial sum(rate(m[5m] offset 1h))', { rules: [m], series: 0 }],
    ['sum(m) / on () sum(m)', { rules: [m], series: 6 }],
    // The policy lets its sum out, and not its number.
    ['partial sum(mute)', { rules: [{ metric: 'mute', class: 'aggregate', rule: 'mute' }], series: 0 }],
    ['max({__name__=~"open_.+"})', { rules: [{ metric: '', class: 'open', rule: 'open_*' }], series: 7 }],
    ['m', { refusal: { code: 'class_aggregate', name: 'm', node: 0 } }],
    ['partial count(secret_x)', { refusal: { code: 'class_sealed', name: 'secret_x', node: 1 } }],
    ['partial sum(m and on (customer) up)', { refusal: { code: 'label_not_permitted', name: 'customer', node: 1 } }],
  ])('%s', async (query, want) => {
    reads.length = 0;
    expect(await domain.explain([anyFragment(query)])).toEqual([want]);
    if ('refusal' in want) expect(reads).toEqual([]);
  });
});
