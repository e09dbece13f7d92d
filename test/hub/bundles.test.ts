import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry as Metrics } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openBundles } from '../../src/hub/bundles.ts';
import { startHub, type Hub } from '../../src/hub/hub.ts';
import { watchPolicies, type PolicyWatch } from '../../src/hub/policy-drift.ts';
import type { Registry } from '../../src/hub/registry.ts';
import type { DomainStatus } from '../../src/plan/frames/status-codec.ts';
import { bundleAfter, newSigners, type MadeBundle } from '../policy/bundles.ts';

const { compliance, keys } = newSigners();
const DOCUMENT = 'version: 1\ndomain: eu\n';
const FIRST = bundleAfter(undefined, DOCUMENT, [compliance]);
const SECOND = bundleAfter(FIRST, DOCUMENT, [compliance]);
const CANDIDATE = bundleAfter(SECOND, `${DOCUMENT}default_class: open\n`, [compliance], { canary: true });

/** Files are looked at a moment after they have changed; a busy machine takes longer. */
const eventually = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 10_000, interval: 20 });

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-hub-bundles-'));
  mkdirSync(join(dir, 'bundles'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function put(name: string, made: Pick<MadeBundle, 'text'>): void {
  writeFileSync(join(dir, 'bundles', name), made.text);
}

describe('GET /federation/v1/bundle', () => {
  const hubs: Hub[] = [];
  afterEach(async () => {
    for (const hub of hubs.splice(0)) await hub.close();
  });

  async function hubWith(token?: string): Promise<Hub> {
    const path = join(dir, 'bundles');
    const hub = await startHub({ listen: '127.0.0.1:0', domains: [], bundles: { path, keys, token } });
    hubs.push(hub);
    return hub;
  }

  const get = (hub: Hub, query = '', headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${hub.url}/federation/v1/bundle${query}`, { headers });

  test('gives what follows, else the newest, else nothing', async () => {
    const hub = await hubWith();
    expect((await get(hub)).status).toBe(404);
    put('1.json', FIRST);
    await eventually(async () => expect((await get(hub)).status).toBe(200));
    put('2.json', SECOND);
    put('3.json', CANDIDATE);
    put('broken.json', { text: '{}' });
    put('notes.txt', { text: 'nothing' });
    const after = async (digest: string): Promise<string> => (await get(hub, `?after=${digest}`)).text();
    await eventually(async () => expect(await after('')).toBe(SECOND.text));
    expect(await after(FIRST.digest)).toBe(SECOND.text);
    expect(await after(SECOND.digest)).toBe(CANDIDATE.text);
    expect(await after('f'.repeat(64))).toBe(SECOND.text);
  });

  test('answers 304 while there is nothing new, and waits for it', async () => {
    put('1.json', FIRST);
    const hub = await hubWith();
    const first = await get(hub);
    const etag = first.headers.get('etag')!;
    expect(await first.text()).toBe(FIRST.text);
    expect((await get(hub, '', { 'if-none-match': etag })).status).toBe(304);
    expect((await get(hub, '', { 'if-none-match': '"other"' })).status).toBe(200);
    let answered = false;
    const waiting = get(hub, `?after=${FIRST.digest}&wait=20`, { 'if-none-match': etag }).then((response) => {
      answered = true;
      return response.text();
    });
    await get(hub);
    expect(answered).toBe(false);
    put('2.json', SECOND);
    expect(await waiting).toBe(SECOND.text);
  });

  test('lets go of those who wait when it stops, and when their time is over', async () => {
    put('1.json', FIRST);
    const hub = await hubWith();
    const etag = (await get(hub)).headers.get('etag')!;
    expect((await get(hub, '?wait=1', { 'if-none-match': etag })).status).toBe(304);
    const waiting = get(hub, '?wait=30', { 'if-none-match': etag });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await hubs.pop()!.close();
    expect((await waiting).status).toBe(304);
  });

  test.for(['?wait=x', '?wait=-1', '?wait=99999', '?wait=1.5'])('refuses %s', async (query) => {
    const hub = await hubWith();
    expect((await get(hub, query)).status).toBe(400);
  });

  test('asks for its token where it has one', async () => {
    put('1.json', FIRST);
    const hub = await hubWith('a-token-for-bundles');
    expect((await get(hub)).status).toBe(401);
    expect((await get(hub, '', { authorization: 'Bearer other' })).status).toBe(401);
    expect((await get(hub, '', { authorization: 'Bearer a-token-for-bundles' })).status).toBe(200);
  });
});

describe('drift', () => {
  let nowMs: number;
  let watch: PolicyWatch;
  let close: () => void = () => {};
  beforeEach(() => (nowMs = 1_000_000));
  afterEach(() => close());

  const status = (changes: Partial<DomainStatus>): DomainStatus =>
    ({
      policyDigest: 'p',
      bundleDigest: FIRST.digest,
      bundleVersion: 1,
      policyState: 'in force',
      ...changes,
    }) as DomainStatus;

  /** What is told of replicas that said this last, so long after the publishing. */
  function driftOf(replicas: readonly (DomainStatus | undefined)[], ageMs: number): string[] {
    put('1.json', FIRST);
    const bundles = openBundles({ path: join(dir, 'bundles') }, pino({ level: 'silent' }), () => nowMs);
    const registry = [
      {
        config: { name: 'eu', jurisdiction: 'X' },
        replicas: replicas.map((lastStatus, i) => ({ url: `r${i}`, lastStatus, lastHeardMs: nowMs })),
      },
    ] as unknown as Registry;
    watch = watchPolicies(registry, bundles, new Metrics(), () => nowMs);
    close = () => {
      watch.close();
      bundles.close();
    };
    nowMs += ageMs;
    return watch.drift().map(({ replica, severity, reason }) => `${replica} ${severity}: ${reason}`);
  }

  test.for<[string, readonly (DomainStatus | undefined)[], number, string[]]>([
    ['all as it should be', [status({})], 0, []],
    ['never heard', [undefined], 999_999, []],
    ['expired', [status({ policyState: 'expired' })], 0, ['r0 critical: it denies all: its policy is expired']],
    [
      'older, for a moment',
      [status({ bundleVersion: 0, bundleDigest: '' })],
      59_999,
      ['r0 warning: it has bundle none of 1'],
    ],
    [
      'older, for too long',
      [status({ bundleVersion: 0, bundleDigest: '' })],
      60_000,
      ['r0 critical: it has bundle none of 1'],
    ],
    [
      'newer',
      [status({ bundleVersion: 2, bundleDigest: 'x' })],
      60_000,
      ['r0 warning: it has bundle 2, and 1 is published here'],
    ],
    [
      'another of the same version',
      [status({ bundleDigest: 'x' })],
      0,
      ['r0 critical: it has another bundle of version 1'],
    ],
    [
      'replicas that differ',
      [status({}), status({ policyDigest: 'q' })],
      60_000,
      [
        'r0 critical: the replicas of the domain have different policies',
        'r1 critical: the replicas of the domain have different policies',
      ],
    ],
  ])('%s', ([, replicas, ageMs, want]) => {
    expect(driftOf(replicas, ageMs)).toEqual(want);
  });
});
