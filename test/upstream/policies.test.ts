import { expect, test } from 'vitest';
import type { PolicyTexts } from '../../src/policy/document.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { hubFragments } from '../border/domain.ts';
import { openTestUpstream } from './harness.ts';

const policy = (text: string): PolicyTexts => ({
  layers: [{ layer: 'local', source: 'test', text: `version: 1\ndomain: eu\n${text}` }],
  domain: 'eu',
  domainLabel: 'domain',
});

test('each of several policies keeps back what it keeps back, before the server is asked', async () => {
  // Nobody listens there.
  const upstream = openTestUpstream({ url: 'http://127.0.0.1:1' });
  const code = async (): Promise<string> => {
    const spent = { series: 0, cells: 0, samples: 0, regexWork: 0 };
    const question = { lookbackMs: 300_000, features: NO_FEATURES, deadlineMs: Date.now() + 5_000, spent };
    const [fragment] = hubFragments('sum(up)');
    return upstream.fragment({ ...question, fragment: fragment! }, new AbortController().signal).then(
      () => 'answered',
      (error: { code: string }) => error.code,
    );
  };
  expect(await code()).toBe('unavailable');
  upstream.applyPolicies([policy(''), policy('default_class: sealed\n')]);
  expect(await code()).toBe('refused');
  upstream.applyPolicies([{ ...policy(''), deniesAll: 'expired' }]);
  expect(await code()).toBe('refused');
  upstream.applyPolicies([policy('')]);
  expect(await code()).toBe('unavailable');
  await upstream.close();
});
