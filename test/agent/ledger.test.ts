import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, expect, test } from 'vitest';
import { openAgentLedger, recordRedactions } from '../../src/agent/ledger.ts';
import { verifierOf } from '../../src/base/note-key.ts';
import { leafWriter } from '../../src/ledger/leaf-writer.ts';
import type { Leaf, RedactionCount } from '../../src/ledger/leaf.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { decodeLeaf } from '../../src/ledger/canonical.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { domainKeys } from '../../src/policy/domain-key.ts';
import { DRAFT, NOW_MS } from '../ledger/filled.ts';

const log = pino({ level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'comity-ledger-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('an agent records each of its starts, its answers and its policies, and counts its commits', async () => {
  const path = join(folder, 'a.ledger.sqlite');
  const keys = domainKeys(new Uint8Array(32).fill(7));
  const options = { path, keyPath: join(folder, 'a.ledger.key'), domain: 'eu', agent: 'a', jurisdiction: 'EU' };
  const rest = { source: 'store', keys, witnesses: [], log } as const;
  const first = await openAgentLedger({ ...options, ...rest });
  await first.recorder.record(DRAFT, Buffer.from('q'), Buffer.from('a'));
  expect(await first.writer.lastPolicy()).toBeUndefined();
  const policy = { policy: 'p', state: 'in force', layers: [], approvers: [], loosening: false } as const;
  await first.writer.policy({ ...policy, changes: Array.from({ length: 3_000 }, (_, i) => `metric_${i} may leave`) });
  await first.close();
  const second = await openAgentLedger({ ...options, ...rest });
  const last = await second.writer.lastPolicy();
  expect(last).toMatchObject({ policy: 'p', state: 'in force', domain: 'eu', agent: 'a' });
  expect(last!.changes.at(-1)).toMatch(/^and \d+ more$/);
  const registry = new Registry();
  second.metrics.register(registry);
  const text = await registry.metrics();
  expect(text).toContain('comity_ledger_size 4\n');
  expect(text).toContain('comity_ledger_commit_leaves_count 1\n');
  expect(text).toContain('comity_ledger_commit_seconds_count 1\n');
  await second.close();
  const reader = openLedgerReader(path);
  expect([...reader.entries()].map(({ leaf }) => leaf.kind)).toEqual(['start', 'release', 'policy', 'start']);
  reader.close();
  expect(verifyLedger(path, [verifierOf(second.ledger.vkey)]).size).toBe(4);
});

test('what admission has counted is recorded as differences, and what failed with the next', async () => {
  const memory = await openLedger({ path: ':memory:', origin: 'comity.dev/eu/a' });
  const leaves: Leaf[] = [];
  let isFull = false;
  const ledger: Ledger = {
    ...memory,
    append: async (leaf, extra) => {
      if (isFull) throw new Error('full');
      leaves.push(decodeLeaf(leaf));
      return await memory.append(leaf, extra);
    },
  };
  let nowMs = NOW_MS;
  const writer = leafWriter(ledger, { domain: 'eu', agent: 'a', now: () => nowMs });
  const count = (rule: string, n: number): RedactionCount => ({
    place: 'series',
    rule,
    reason: 'subject',
    action: 'dropped',
    count: n,
  });
  let counts = [count('user', 3)];
  const tick = async (): Promise<void> => {
    nowMs += 60_000;
    await recorded.tell();
  };
  const recorded = recordRedactions(writer, () => counts, log, { now: () => nowMs, everyMs: 3_600_000 });
  await tick();
  expect(leaves).toMatchObject([{ from: '2026-11-22T08:05Z', to: '2026-11-22T08:06Z', counts: [count('user', 3)] }]);
  await tick();
  expect(leaves).toHaveLength(1);
  counts = [count('user', 5), count('mail', 1)];
  isFull = true;
  await tick();
  isFull = false;
  counts = [count('user', 6), count('mail', 1)];
  await tick();
  expect(leaves.slice(1)).toMatchObject([
    { from: '2026-11-22T08:07Z', to: '2026-11-22T08:09Z', counts: [count('user', 3), count('mail', 1)] },
  ]);
  counts = [count('user', 6), count('mail', 2)];
  await recorded.close();
  expect(leaves.at(-1)).toMatchObject({ counts: [count('mail', 1)] });
});

test('many counts take several leaves', async () => {
  const ledger = await openLedger({ path: ':memory:', origin: 'comity.dev/eu/a' });
  const writer = leafWriter(ledger, { domain: 'eu', agent: 'a', now: () => NOW_MS });
  const counts = Array.from({ length: 2_000 }, (_, i) => ({
    place: 'series',
    rule: `rule_${i}`,
    reason: 'x',
    action: 'dropped',
    count: i,
  }));
  await writer.redaction(NOW_MS, NOW_MS, counts);
  expect(ledger.head().size).toBeGreaterThan(5);
  expect(ledger.head().size).toBeLessThan(20);
});
