import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startSourceAgent } from '../../src/agent/source-agent.ts';

test('an agent with a source follows its policy while it runs', { timeout: 30_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'comity-source-policy-'));
  const policy = join(dir, 'policy.yaml');
  writeFileSync(policy, 'version: 1\ndomain: eu\n');
  const agent = await startSourceAgent({
    domain: 'eu',
    jurisdiction: 'EU',
    domainLabel: 'domain',
    listen: { federation: '127.0.0.1:0', metrics: '127.0.0.1:0' },
    ledger: join(dir, 'ledger.sqlite'),
    policy,
    token: '0123456789abcdef',
    // Nobody listens there.
    source: { url: 'http://127.0.0.1:1' },
  });
  const state = async (): Promise<string | undefined> => {
    const text = await (await fetch(`${agent.metricsUrl}/metrics`)).text();
    return /^comity_policy_state\{state="([^"]+)"\} 1$/m.exec(text)?.[1];
  };
  const eventually = (want: string): Promise<void> =>
    vi.waitFor(async () => expect(await state()).toBe(want), { timeout: 10_000, interval: 50 });
  expect(await state()).toBe('in force');
  writeFileSync(policy, 'version: 2\n');
  await eventually('unreadable');
  writeFileSync(policy, 'version: 1\ndomain: eu\ndefault_class: sealed\n');
  await eventually('in force');
  await agent.close();
  rmSync(dir, { recursive: true });
});
