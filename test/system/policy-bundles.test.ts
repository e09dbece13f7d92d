import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import type { AgentConfig } from '../../src/agent/config.ts';
import { startHub, type Hub } from '../../src/hub/hub.ts';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { labelsOf } from '../../src/model/labels.ts';
import type { BundleDraft } from '../../src/policy/bundle.ts';
import { remoteWrite } from '../oracle/remote-write.ts';
import { bundleAfter, newSigners, type MadeBundle } from '../policy/bundles.ts';

/*
 * The way of bundles from a folder of the hub into agents that go on running, and what they do not take.
 */

const { compliance, operator, keys } = newSigners();
const TOKEN = 'token-of-a-domain-for-tests';
const DOMAINS = ['eu', 'us', 'ap'];
const YEAR = { expires: new Date(Date.now() + 365 * 86_400_000).toISOString() };

type Documents = (domain: string) => string;
const operators =
  (list: string): Documents =>
  (domain) =>
    `version: 1\ndomain: ${domain}\nmetrics: [{match: up, operators: [${list}]}]\n`;
const SUM_COUNT = operators('sum, count');
const SUM = operators('sum');

let dir: string;
let hub: Hub;
const agents = new Map<string, Agent>();
const configs = new Map<string, AgentConfig>();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'comity-bundles-'));
  mkdirSync(join(dir, 'bundles'));
  const served = { path: join(dir, 'bundles'), keys };
  // Agents have to know the hub's address before it can know theirs.
  const first = await startHub({ listen: '127.0.0.1:0', domains: [], bundles: served });
  for (const domain of DOMAINS) {
    const policy = join(dir, `${domain}.yaml`);
    writeFileSync(policy, `version: 1\ndomain: ${domain}\n`);
    const listen = { otlp: '127.0.0.1:0', federation: '127.0.0.1:0' };
    const store = join(dir, domain, 'store');
    const bundles = { origin: { kind: 'hub' as const, url: first.url, token: undefined, pollMs: 200 }, keys };
    configs.set(domain, { domain, jurisdiction: 'X', listen, store, shards: 0, policy, token: TOKEN, bundles });
    const agent = await startAgent(configs.get(domain)!);
    agents.set(domain, agent);
    const labels = labelsOf({ __name__: 'up', job: 'shop' });
    const target = { remoteWriteUrl: `${agent.otlpUrl}/api/v1/write` };
    await remoteWrite(target, [{ labels, times: Float64Array.of(Date.now()), values: Float64Array.of(1) }]);
  }
  const { host } = new URL(first.url);
  await first.close();
  hub = await startHub({
    listen: host,
    domains: DOMAINS.map((name) => ({ name, jurisdiction: 'X', url: agents.get(name)!.federationUrl, token: TOKEN })),
    bundles: served,
  });
}, 30_000);
afterAll(async () => {
  await hub.close();
  for (const agent of agents.values()) await agent.close();
  rmSync(dir, { recursive: true });
});

let last: MadeBundle | undefined;
let files = 0;

/** Puts the next bundle where the hub finds it. */
function publish(
  documents: Documents,
  signers: Parameters<typeof bundleAfter>[2],
  changes: Partial<BundleDraft> = {},
): MadeBundle {
  const domains = Object.fromEntries(DOMAINS.map((domain) => [domain, documents(domain)]));
  const made = bundleAfter(last, '', signers, { ...YEAR, documents: { domains }, ...changes });
  writeFileSync(join(dir, 'bundles', `${String(++files).padStart(3, '0')}.json`), made.text);
  return made;
}

interface Told {
  readonly domain: string;
  readonly replicas: readonly {
    readonly policy: {
      state: string;
      bundle: { version: number } | null;
      drift: { severity: string; reason: string } | null;
    } | null;
  }[];
}

async function told(): Promise<string[]> {
  const response = await fetch(`${hub.url}/api/v1/status/federation`);
  const { data } = (await response.json()) as { data: { domains: Told[] } };
  return data.domains.map(({ replicas }) => {
    const policy = replicas[0]!.policy;
    return policy === null
      ? 'not heard'
      : `${policy.bundle?.version ?? 0} ${policy.state} ${policy.drift?.severity ?? 'ok'}`;
  });
}

const eventually = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 50 });

const allSay = (what: string): Promise<void> =>
  eventually(async () => expect(await told()).toEqual(DOMAINS.map(() => what)));

/** The value of a query over all domains, or why there is none. */
async function ask(query: string): Promise<string> {
  const response = await fetch(`${hub.url}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { data, error } = (await response.json()) as {
    data?: { result: { value: [number, string] }[] };
    error?: string;
  };
  return data === undefined ? (error ?? '') : (data.result[0]?.value[1] ?? 'nothing');
}

async function metric(url: string, line: RegExp): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(line.exec(text)?.[1]);
}

const synced = (): Promise<number> => metric(hub.url, /^comity_hub_policy_sync_seconds_count (\S+)$/m);

test('a bundle gets into force everywhere, and only one that may', { timeout: 60_000 }, async () => {
  await allSay('0 unreadable critical');
  expect(await ask('sum(up)')).toMatch(/policy/);

  // From the moment in which the file is there: published, fetched, in force, told.
  last = publish(SUM_COUNT, [compliance]);
  const first = last;
  await allSay('1 in force ok');
  expect(await ask('count(up)')).toBe('3');
  await eventually(async () => expect(await synced()).toBe(1));

  last = publish(SUM, [operator]);
  await allSay('2 in force ok');
  expect(await ask('count(up)')).not.toBe('3');
  expect(await ask('sum(up)')).toBe('3');
  await eventually(async () => expect(await synced()).toBe(2));
  const lag = await metric(hub.url, /^comity_hub_policy_sync_last_seconds (\S+)$/m);
  expect(lag).toBeGreaterThan(0);

  // What an operator alone may not sign: agents keep what they have, and the hub says who has not followed.
  publish(operators('sum, count, max'), [operator]);
  await allSay('2 in force warning');
  for (const agent of agents.values()) {
    const refused = /^comity_policy_bundle_refusals_total\{reason="loosening"\} (\S+)$/m;
    await eventually(async () => expect(await metric(agent.otlpUrl, refused)).toBe(1));
  }
  expect(await metric(hub.url, /^comity_hub_policy_unsynced\{domain="eu"\} (\S+)$/m)).toBe(1);
  expect(await ask('max(up)')).not.toBe('1');
  rmSync(join(dir, 'bundles', '003.json'));

  // Back to the first one: only as a rollback that compliance signs.
  publish(SUM_COUNT, [compliance]);
  await allSay('2 in force warning');
  rmSync(join(dir, 'bundles', '004.json'));
  last = publish(SUM_COUNT, [compliance], { rollback_to: first.digest });
  await allSay('3 in force ok');
  expect(await ask('count(up)')).toBe('3');

  // One that ends soon: then nothing leaves, until there is another.
  last = publish(SUM_COUNT, [operator], { expires: new Date(Date.now() + 4_000).toISOString() });
  await allSay('4 expired critical');
  expect(await ask('sum(up)')).not.toBe('3');
  expect(await metric(hub.url, /^comity_hub_policy_drift\{domain="eu",severity="critical"\} (\S+)$/m)).toBe(1);
  last = publish(SUM_COUNT, [compliance]);
  await allSay('5 in force ok');
  expect(await ask('sum(up)')).toBe('3');

  // A restart keeps it, and the ledger tells all of it.
  await agents.get('eu')!.close();
  const leaves = openLedgerReader(join(dir, 'eu', 'store.ledger.sqlite'));
  const policies = [...leaves.entries()].flatMap(({ leaf }) => (leaf.kind === 'policy' ? [leaf] : []));
  leaves.close();
  expect(policies.map(({ state, reason, bundle }) => `${bundle?.version ?? 0} ${reason ?? state}`)).toEqual([
    '0 unreadable',
    '1 in force',
    '2 in force',
    '3 in force',
    '4 in force',
    '4 expired',
    '5 in force',
  ]);
  expect(policies.map(({ loosening }) => loosening)).toEqual([false, true, false, true, false, false, false]);
  expect(policies[3]!.approvers).toEqual(['compliance.example']);
  agents.set('eu', await startAgent(configs.get('eu')!));
  expect(await metric(agents.get('eu')!.otlpUrl, /^comity_policy_bundle_version (\S+)$/m)).toBe(5);
});
