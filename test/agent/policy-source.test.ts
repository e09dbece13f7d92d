import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PolicyChange } from '../../src/agent/policy-change.ts';
import { openPolicySource, type PolicySource, type PolicySourceOptions } from '../../src/agent/policy-source.ts';
import { BundleError } from '../../src/policy/bundle.ts';
import type { PolicyTexts } from '../../src/policy/document.ts';
import { bundleAfter, newSigners, type MadeBundle } from '../policy/bundles.ts';

const { compliance, operator, stranger, keys } = newSigners();
const START = Date.UTC(2026, 5, 1);
const HEAD = 'version: 1\ndomain: eu\n';
const POD = `${HEAD}labels: {permit: [pod]}\n`;
const TENANT = `${HEAD}labels: {permit: [tenant]}\n`;
const SUM_COUNT = `${HEAD}metrics: [{match: up, operators: [sum, count]}]\n`;
const SUM = `${HEAD}metrics: [{match: up, operators: [sum]}]\n`;

/** Files are looked at a moment after they have changed; a busy machine takes longer. */
const eventually = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 10_000, interval: 20 });

let dir: string;
let path: string;
let nowMs: number;
const sources: PolicySource[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-policy-'));
  path = join(dir, 'policy.yaml');
  nowMs = START;
});
afterEach(async () => {
  for (const source of sources.splice(0)) await source.close();
  rmSync(dir, { recursive: true });
});

function open(local: string, options: Partial<PolicySourceOptions> = {}): PolicySource {
  writeFileSync(path, local);
  const log = pino({ level: 'silent' });
  const source = openPolicySource({ domain: 'eu', domainLabel: 'domain', path, log, now: () => nowMs, ...options });
  sources.push(source);
  return source;
}

/** Those who follow, and what they were told. */
function followers() {
  const applied: string[] = [];
  const recorded: PolicyChange[] = [];
  return {
    applied,
    recorded,
    apply: async (all: readonly PolicyTexts[]) => {
      applied.push(
        all.map(({ layers, deniesAll }) => deniesAll ?? layers.map(({ text }) => text).join('|')).join(' & '),
      );
    },
    record: async (change: PolicyChange) => void recorded.push(change),
  };
}

function gate(): { readonly passed: Promise<void>; open(): void } {
  let pass: () => void = () => {};
  const passed = new Promise<void>((resolve) => (pass = resolve));
  return { passed, open: () => pass() };
}

async function refused(source: PolicySource, made: MadeBundle): Promise<string> {
  try {
    await source.offer(made.text);
    return 'taken';
  } catch (error) {
    if (error instanceof BundleError) return error.fault;
    throw error;
  }
}

const permits = (source: PolicySource): string =>
  ['pod', 'tenant'].filter((name) => source.policy().permitsLabel(name)).join();

describe('a document that is written over', () => {
  test('takes the place of the old one in an order that lets nothing out that neither lets out', async () => {
    const source = open(POD);
    const steps: string[] = [];
    const before = source.policy().digest;
    await source.follow({
      apply: async (all) => {
        const texts = all.map(({ layers }) => /permit: \[(\w+)/.exec(layers[0]!.text)![1]);
        steps.push(`apply ${texts.join(' and ')}: ${permits(source)}`);
      },
      record: async () => void steps.push(`record: ${permits(source)}`),
    });
    expect(steps.splice(0)).toEqual(['record: pod']);
    writeFileSync(path, TENANT);
    await eventually(() => expect(permits(source)).toBe('tenant'));
    await eventually(() => expect(steps).toHaveLength(3));
    expect(steps).toEqual(['apply pod and tenant: ', 'record: ', 'apply tenant: tenant']);
    expect(source.policy().digest).not.toBe(before);
  });

  test('holds with the old one until all readers have it', async () => {
    const source = open(POD);
    const slow = gate();
    const held = followers();
    await source.follow({ ...held, apply: async () => slow.passed });
    const { digest } = source.policy();
    writeFileSync(path, TENANT);
    await eventually(() => expect(permits(source)).toBe(''));
    // Whoever compares digests sees the old one until the new one counts.
    expect(source.policy().digest).toBe(digest);
    expect(held.recorded).toHaveLength(1);
    slow.open();
    await eventually(() => expect(permits(source)).toBe('tenant'));
  });

  test('denies all at once when it cannot be read, and keeps the rules of ingest', async () => {
    const source = open(`${POD}admit: {prohibit: [shoe_size]}\n`);
    const never = gate();
    const held = followers();
    await source.follow({ ...held, apply: async () => never.passed });
    writeFileSync(path, 'version: 1\ndomain: [');
    await eventually(() => expect(source.policy().deniesAll).toBe('unreadable'));
    expect(source.told().policyState).toBe('unreadable');
    expect(source.admitRules().prohibit).toEqual(['shoe_size']);
    never.open();
    await eventually(() => expect(held.recorded.at(-1)).toMatchObject({ state: 'deny all', reason: 'unreadable' }));
    writeFileSync(path, POD);
    await eventually(() => expect(permits(source)).toBe('pod'));
    rmSync(path);
    await eventually(() => expect(source.policy().deniesAll).toBe('unreadable'));
  });

  test('is tried again when it cannot be written down, and does not hold before', async () => {
    const source = open(POD);
    const held = followers();
    let failures = 0;
    await source.follow({
      ...held,
      record: async (change) => {
        if (held.recorded.length === 1 && failures++ === 0) throw new Error('the disk is full');
        held.recorded.push(change);
      },
    });
    writeFileSync(path, TENANT);
    await eventually(() => expect(failures).toBe(1));
    expect(permits(source)).toBe('');
    await eventually(() => expect(permits(source)).toBe('tenant'));
    expect(held.recorded).toHaveLength(2);
  });

  test('is recorded with what it changes', async () => {
    const source = open(POD);
    const held = followers();
    await source.follow(held);
    writeFileSync(path, HEAD);
    await eventually(() => expect(held.recorded).toHaveLength(2));
    expect(held.recorded[1]).toMatchObject({ loosening: false, approvers: [], layers: [{ layer: 'local' }] });
    writeFileSync(path, TENANT);
    await eventually(() => expect(held.recorded).toHaveLength(3));
    expect(held.recorded[2]!.loosening).toBe(true);
    expect(held.recorded[2]!.changes.join()).toContain('tenant');
  });
});

test('a document that cannot be read at the start denies all; where there is none, it does not start', async () => {
  const source = open('domain: [');
  const held = followers();
  await source.follow(held);
  expect(source.policy().deniesAll).toBe('unreadable');
  expect(held.recorded[0]).toMatchObject({ state: 'deny all' });
  expect(() =>
    openPolicySource({ domain: 'eu', domainLabel: 'domain', path: join(dir, 'none'), log: pino({ level: 'silent' }) }),
  ).toThrow(/cannot read .*none/);
});

describe('bundles', () => {
  const first = bundleAfter(undefined, SUM_COUNT, [compliance]);
  const second = bundleAfter(first, SUM, [operator]);
  const countOf = (source: PolicySource): boolean => source.policy().operatorsOf('up').has('count');
  let statePath: string;
  beforeEach(() => (statePath = join(dir, 'state.json')));

  async function started(
    options: Partial<PolicySourceOptions> = {},
  ): Promise<PolicySource & ReturnType<typeof followers>> {
    const source = open(HEAD, { keys, statePath, ...options });
    const held = followers();
    await source.follow(held);
    return { ...held, ...source };
  }

  test('nothing leaves before the first is taken', async () => {
    const source = await started();
    expect(source.policy().deniesAll).toBe('unreadable');
    expect(await refused(source, first)).toBe('taken');
    expect(source.told()).toMatchObject({ bundleVersion: 1, bundleDigest: first.digest, policyState: 'in force' });
    expect(await source.offer(first.text)).toBe(false);
  });

  test('meet the document of the domain, and are recorded with who signed', async () => {
    const source = await started();
    await source.offer(first.text);
    writeFileSync(path, SUM);
    await eventually(() => expect(countOf(source)).toBe(false));
    expect(source.recorded.at(-1)).toMatchObject({
      state: 'in force',
      bundle: { version: 1, digest: first.digest, expires: '2027-01-01T00:00:00.000Z' },
      approvers: ['compliance.example'],
      layers: [{ layer: 'domain' }, { layer: 'local' }],
    });
  });

  test('that are refused leave the one in force, and are counted by reason', async () => {
    const source = await started();
    await source.offer(first.text);
    await source.offer(second.text);
    expect(await refused(source, first)).toBe('version');
    expect(await refused(source, bundleAfter(second, SUM_COUNT, [operator]))).toBe('rollback');
    expect(await refused(source, bundleAfter(second, `${HEAD}metrics: [{match: up, class: open}]\n`, [operator]))).toBe(
      'loosening',
    );
    expect(await refused(source, bundleAfter(second, SUM, [stranger]))).toBe('signature');
    expect(source.told().bundleVersion).toBe(2);
    expect(countOf(source)).toBe(false);
    expect(Object.fromEntries(source.refusals())).toEqual({ version: 1, rollback: 1, loosening: 1, signature: 1 });
  });

  test('that expire deny all, by the clock and without a word from anybody', async () => {
    const source = await started();
    await source.offer(first.text);
    nowMs = Date.UTC(2027, 0, 1) - 1;
    expect(source.policy().deniesAll).toBeUndefined();
    nowMs++;
    expect(source.policy().deniesAll).toBe('expired');
    expect(source.policy()).toBe(source.policy());
    await eventually(() => expect(source.recorded.at(-1)).toMatchObject({ state: 'deny all', reason: 'expired' }));
    expect(source.told().policyState).toBe('expired');
    const renewed = { created: '2027-01-01T00:00:00Z', expires: '2028-01-01T00:00:00Z' };
    expect(await refused(source, bundleAfter(first, SUM, [operator], renewed))).toBe('loosening');
    expect(await refused(source, bundleAfter(first, SUM, [compliance], renewed))).toBe('taken');
    expect(source.policy().deniesAll).toBeUndefined();
  });

  test('are there again after a restart', async () => {
    await (await started()).offer(first.text);
    const again = await started();
    expect(again.told()).toMatchObject({ bundleVersion: 1, policyState: 'in force' });
    expect(await refused(again, second)).toBe('taken');
    const third = await started();
    expect(third.told().bundleVersion).toBe(2);
    // What was in force before the restart is known after it.
    expect(await refused(third, bundleAfter(second, SUM_COUNT, [compliance]))).toBe('rollback');
    expect(third.recorded[0]).toMatchObject({ loosening: false, changes: [] });
  });

  test('a document that has become looser over a restart is recorded as such', async () => {
    await (await started()).offer(first.text);
    const source = open(TENANT, { keys, statePath });
    const held = followers();
    await source.follow(held);
    expect(held.recorded[0]).toMatchObject({ loosening: true });
  });

  test('whose file is an old one deny all until the last, or a later one, is there', async () => {
    const one = await started();
    await one.offer(first.text);
    const old = readFileSync(statePath);
    await one.offer(second.text);
    await one.close();
    writeFileSync(statePath, old);
    // The ledger knows better.
    const mark = { version: 2, digest: second.digest };
    const source = await started({ mark });
    expect(source.told()).toMatchObject({ bundleVersion: 0, policyState: 'rolled back' });
    expect(await refused(source, first)).toBe('version');
    expect(await refused(source, second)).toBe('loosening');
    expect(await refused(source, bundleAfter(second, SUM, [compliance]))).toBe('taken');
    expect(source.told().policyState).toBe('in force');
  });

  test('whose file is gone although the ledger knows of one', async () => {
    const source = await started({ mark: { version: 2, digest: second.digest } });
    expect(source.told().policyState).toBe('rolled back');
    const again = await started();
    expect(again.told().policyState).toBe('rolled back');
    expect(await refused(again, first)).toBe('version');
  });

  test.for<[string, (text: string) => string]>([
    ['cut short', (text) => text.slice(0, -10)],
    [
      'signed by a stranger',
      () => JSON.stringify({ v: 1, bundle: bundleAfter(undefined, SUM, [stranger]).text, history: [], layers: [] }),
    ],
    ['of another form', () => '{"v":2}'],
  ])('whose file is %s deny all', async ([, damage]) => {
    await (await started()).offer(first.text);
    writeFileSync(statePath, damage(readFileSync(statePath, 'utf8')));
    const source = await started();
    expect(source.told().policyState).toBe('unreadable');
    expect(await refused(source, first)).toBe('taken');
  });

  test('that cannot be kept are not taken', async () => {
    const source = open(HEAD, { keys, statePath: join(dir, 'no-folder', 'state.json') });
    await source.follow(followers());
    await expect(source.offer(first.text)).rejects.toThrow('cannot keep the policy');
    // It counts as one that was never offered.
    await expect(source.offer(first.text)).rejects.toThrow('cannot keep the policy');
    expect(source.told()).toMatchObject({ bundleVersion: 0, policyState: 'unreadable' });
  });

  test('are not taken where no keys are configured', async () => {
    const source = open(HEAD);
    await source.follow(followers());
    expect(await refused(source, first)).toBe('signature');
  });
});

describe('a candidate', () => {
  test('in a file stands in place of the own document, and changes with it', async () => {
    const canaryPath = join(dir, 'canary.yaml');
    writeFileSync(canaryPath, TENANT);
    const source = open(POD, { canaryPath });
    await source.follow(followers());
    expect(source.candidate()?.permitsLabel('tenant')).toBe(true);
    expect(permits(source)).toBe('pod');
    writeFileSync(canaryPath, HEAD);
    await eventually(() => expect(source.candidate()?.permitsLabel('tenant')).toBe(false));
    writeFileSync(canaryPath, 'domain: [');
    await eventually(() => expect(source.candidate()).toBeUndefined());
    expect(permits(source)).toBe('pod');
  });

  test('in a bundle stands in place of those in force, until the next one is', async () => {
    const source = open(HEAD, { keys });
    await source.follow(followers());
    const first = bundleAfter(undefined, SUM, [compliance]);
    await source.offer(first.text);
    const open_ = bundleAfter(first, SUM_COUNT, [operator], { canary: true });
    expect(await source.offer(open_.text)).toBe(true);
    expect(await source.offer(open_.text)).toBe(false);
    expect(source.candidate()?.operatorsOf('up').has('count')).toBe(true);
    expect(source.policy().operatorsOf('up').has('count')).toBe(false);
    expect(source.told().bundleVersion).toBe(1);
    await source.offer(bundleAfter(first, SUM_COUNT, [compliance]).text);
    expect(source.candidate()).toBeUndefined();
    expect(source.policy().operatorsOf('up').has('count')).toBe(true);
  });
});
