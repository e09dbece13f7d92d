import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newKey } from '../../src/base/note-key.ts';
import { readHubConfig, type HubConfig } from '../../src/hub/config.ts';

const TOKEN = '0123456789abcdef';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-hub-config-'));
  writeFileSync(join(dir, 'b.token'), `${TOKEN}-b\n`);
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

/** Reads a configuration whose first domain has these fields, and beside the domains these. */
function read(domain: object, more: object = {}): HubConfig {
  const path = join(dir, 'hub.yaml');
  writeFileSync(path, JSON.stringify({ domains: [{ name: 'eu', jurisdiction: 'EU', ...domain }], ...more }));
  return readHubConfig(path);
}

const WAY = { url: 'http://127.0.0.1:1/', token: TOKEN };

it('a domain has one agent, or replicas with a token each', () => {
  expect(read(WAY).domains).toEqual([
    { name: 'eu', jurisdiction: 'EU', replicas: [{ url: 'http://127.0.0.1:1', token: TOKEN }] },
  ]);
  const replicas = [WAY, { url: 'https://b:2', token_file: 'b.token' }];
  expect(read({ replicas, max_concurrent: 2, max_queued: 0 }).domains).toEqual([
    {
      name: 'eu',
      jurisdiction: 'EU',
      replicas: [
        { url: 'http://127.0.0.1:1', token: TOKEN },
        { url: 'https://b:2', token: `${TOKEN}-b` },
      ],
      maxConcurrent: 2,
      maxQueued: 0,
    },
  ]);
});

it('keys of ledgers are pinned, and what is known of ledgers is kept beside the configuration', () => {
  const { vkey } = newKey('comity.dev/eu/agent-1');
  expect(read({ ...WAY, ledger_key: ` ${vkey}\n` }).domains[0]).toMatchObject({ replicas: [{ ledgerKey: vkey }] });
  expect(read({ replicas: [{ ...WAY, ledger_key: vkey }] }).domains[0]).toMatchObject({
    replicas: [{ ledgerKey: vkey }],
  });
  expect(read(WAY).state).toBeUndefined();
  expect(read(WAY, { state: { path: 'hub.sqlite', witness_name: 'hub.example' } }).state).toEqual({
    path: join(dir, 'hub.sqlite'),
    witnessName: 'hub.example',
  });
});

it('the cache goes with its audit log', () => {
  expect(read(WAY)).not.toHaveProperty('audit');
  const audit = { path: 'hub.audit.jsonl' };
  expect(read(WAY, { audit }).audit).toEqual({ path: join(dir, 'hub.audit.jsonl'), bytes: 64 * 1024 * 1024 });
  expect(read(WAY, { audit })).not.toHaveProperty('cacheBytes');
  expect(read(WAY, { audit, cache_bytes: 0 }).cacheBytes).toBe(0);
  expect(read(WAY, { cache_bytes: 0 }).cacheBytes).toBe(0);
});

describe('refused with the field at fault is', () => {
  it.each<[what: string, domain: object, more: object, words: RegExp]>([
    ['a domain without any agent', {}, {}, /hub\.yaml: domain eu: it has either url or replicas/],
    ['one with both', { ...WAY, replicas: [WAY] }, {}, /domain eu: it has either url or replicas/],
    ['replicas of none', { replicas: [] }, {}, /\/domains\/0\/replicas must not have fewer than 1 items/],
    [
      'a token beside replicas',
      { replicas: [WAY], token: TOKEN },
      {},
      /domain eu: each of its replicas has a token of its own/,
    ],
    [
      'a ledger key beside replicas',
      { replicas: [WAY], ledger_key: 'x' },
      {},
      /domain eu: each of its replicas has a ledger_key of its own/,
    ],
    [
      'a ledger key that is none',
      { ...WAY, ledger_key: 'x' },
      {},
      /domain eu: ledger_key: the key "x" is not written name\+id\+key/,
    ],
    [
      'a secret key for a ledger key',
      { ...WAY, ledger_key: newKey('a').skey },
      {},
      /domain eu: ledger_key: .* is a secret one/,
    ],
    [
      'the key of a witness for a ledger key',
      { ...WAY, ledger_key: newKey('a', 'cosignature').vkey },
      {},
      /domain eu: ledger_key: it is the key of a witness/,
    ],
    ['a state without a place', WAY, { state: {} }, /\/state/],
    ['a replica without a token', { replicas: [{ url: 'http://b' }] }, {}, /token or token_file must give a secret/],
    ['a replica of an unknown field', { replicas: [{ ...WAY, weight: 1 }] }, {}, /weight is not a known field/],
    [
      'one replica twice',
      { replicas: [WAY, { ...WAY, url: 'http://127.0.0.1:1' }] },
      {},
      /domain eu: replica http:\/\/127.0.0.1:1 is listed twice/,
    ],
    ['an address of no web', { url: 'ftp://b', token: TOKEN }, {}, /\/domains\/0\/url/],
    ['no request at all', { ...WAY, max_concurrent: 0 }, {}, /\/domains\/0\/max_concurrent/],
    ['half a request', { ...WAY, max_queued: 1.5 }, {}, /\/domains\/0\/max_queued/],
    ['a cache that nobody sees', WAY, { cache_bytes: 1 }, /cache_bytes needs audit\.path/],
    ['a cache of less than nothing', WAY, { cache_bytes: -1 }, /\/cache_bytes/],
    ['a log without a place', WAY, { audit: {} }, /\/audit/],
    ['a log without room', WAY, { audit: { path: 'a', bytes: 1 } }, /\/audit\/bytes/],
  ])('%s', (_what, domain, more, words) => {
    expect(() => read(domain, more)).toThrow(
      expect.objectContaining({ code: 'bad_config', message: expect.stringMatching(words) }),
    );
  });
});
