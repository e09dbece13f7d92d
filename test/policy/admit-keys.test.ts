import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect, promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { domainKeys, openDomainKeys, ROOT_BYTES } from '../../src/policy/domain-key.ts';
import { pseudonyms } from '../../src/policy/pseudonym.ts';
import { subjectPseudonyms } from '../../src/policy/subject-pseudonym.ts';

const ROOT = Buffer.alloc(ROOT_BYTES, 7);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'comity-keys-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

test('a missing key is made once, for its owner alone', () => {
  const path = join(folder, 'made.key');
  const first = openDomainKeys(path);
  const second = openDomainKeys(path);
  expect([first.created, second.created]).toEqual([true, false]);
  expect(first.derive('a', 0)).toEqual(second.derive('a', 0));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path)).toHaveLength(ROOT_BYTES);
  expect(readdirSync(folder).filter((name) => name.endsWith('.new'))).toEqual([]);
  expect(openDomainKeys(join(folder, 'other.key')).derive('a', 0)).not.toEqual(first.derive('a', 0));
});

test('processes that start at once make one key', async () => {
  const path = join(folder, 'raced.key');
  const module = pathToFileURL(join(import.meta.dirname, '../../src/policy/domain-key.ts')).href;
  const script = `
    const { openDomainKeys } = await import(${JSON.stringify(module)});
    while (Date.now() < ${Date.now() + 1_500});
    const keys = openDomainKeys(${JSON.stringify(path)});
    console.log(keys.created, Buffer.from(keys.derive('a', 0)).toString('hex'));`;
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  const said = (await Promise.all([run(), run(), run(), run()])).map(({ stdout }) => stdout.trim().split(' '));
  expect(said.filter(([created]) => created === 'true')).toHaveLength(1);
  expect(new Set(said.map(([, key]) => key)).size).toBe(1);
});

test('a key that is a link to a file with a key is taken, as secrets are mounted', () => {
  const target = join(folder, 'target.key');
  const made = openDomainKeys(target);
  symlinkSync(target, join(folder, 'link.key'));
  expect(openDomainKeys(join(folder, 'link.key')).derive('a', 0)).toEqual(made.derive('a', 0));
});

test.each<[string, (path: string) => void, RegExp]>([
  ['of 31 bytes', (path) => writeFileSync(path, ROOT.subarray(1), { mode: 0o600 }), /31 bytes instead of 32/],
  ['of 33 bytes', (path) => writeFileSync(path, Buffer.alloc(33, 1), { mode: 0o600 }), /33 bytes/],
  ['that is empty', (path) => writeFileSync(path, '', { mode: 0o600 }), /0 bytes/],
  ['of zeros', (path) => writeFileSync(path, Buffer.alloc(32), { mode: 0o600 }), /zeros only/],
  ['that is a folder', (path) => mkdirSync(path), /no regular file/],
  ...[0o640, 0o604, 0o620, 0o602, 0o601].map((mode): [string, (path: string) => void, RegExp] => [
    `with mode ${mode.toString(8)}`,
    (path) => {
      writeFileSync(path, ROOT);
      chmodSync(path, mode);
    },
    new RegExp(`mode ${mode.toString(8)}.*chmod 600`),
  ]),
])('a key %s is refused and left as it is', (name, make, want) => {
  const path = join(folder, name.replaceAll(' ', '-'));
  make(path);
  const before = statSync(path);
  expect(() => openDomainKeys(path)).toThrow(
    expect.objectContaining({ code: 'bad_config', message: expect.stringMatching(want) }),
  );
  expect(statSync(path)).toMatchObject({ size: before.size, mode: before.mode, mtimeMs: before.mtimeMs });
});

test('a key with some zeros in it is a key', () => {
  const path = join(folder, 'zeros.key');
  writeFileSync(path, Buffer.alloc(ROOT_BYTES).fill(1, 0, 1), { mode: 0o600 });
  expect(openDomainKeys(path).created).toBe(false);
});

test('a key in a missing folder is a fault of the configuration', () => {
  const path = join(folder, 'none', 'a.key');
  expect(() => openDomainKeys(path)).toThrow(expect.objectContaining({ code: 'bad_config' }));
  expect(existsSync(path)).toBe(false);
});

test('keys differ by purpose and epoch, and none is the root', () => {
  const keys = domainKeys(ROOT);
  const derived = [keys.derive('a', 0), keys.derive('a', 1), keys.derive('b', 0), keys.derive('0 a', 0), ROOT];
  expect(new Set(derived.map((key) => Buffer.from(key).toString('hex'))).size).toBe(derived.length);
  expect(derived.every((key) => key.length === ROOT_BYTES)).toBe(true);
  expect(() => domainKeys(ROOT.subarray(1))).toThrow(/32 bytes, not 31/);
});

test('printing keys tells nothing of them', () => {
  const printed = inspect(domainKeys(ROOT), { depth: 10, showHidden: true }) + JSON.stringify(domainKeys(ROOT));
  expect(printed).not.toMatch(/07|BwcH/);
});

test('a pseudonym is the beginning of an HMAC over name and value', () => {
  const mac = createHmac('sha256', ROOT).update('7:user_idalice').digest('base64url');
  expect(pseudonyms(ROOT)('user_id', 'alice')).toBe(`~${mac.slice(0, 22)}`);
  expect(pseudonyms(ROOT)('user_id', 'alice')).toMatch(/^~[\w-]{22}$/);
});

test('pairs of names and values that look alike have different pseudonyms', () => {
  const make = pseudonyms(ROOT);
  const pairs: [string, string][] = [
    ['a', 'bc'],
    ['ab', 'c'],
    ['a', 'b'],
    ['b', 'a'],
    ['1:a', 'b'],
    ['a', '\ud800'],
    ['a', '\ud801'],
    ['a', '\udc00'],
    ['a', '\ufffd'],
    ['a', ''],
    ['a', '\0'],
    ['a', 'A'],
    ['a', 'é'],
    ['a', 'e\u0301'],
    ['a', make('a', 'bc')],
  ];
  expect(new Set(pairs.map(([name, value]) => make(name, value))).size).toBe(pairs.length);
});

test('subjects keep their pseudonym for a day', () => {
  let now = Date.UTC(2026, 6, 1, 0, 0, 0);
  const make = subjectPseudonyms(domainKeys(ROOT), () => now);
  const morning = make('user.id', 'alice');
  now = Date.UTC(2026, 6, 1, 23, 59, 59, 999);
  expect(make('user.id', 'alice')).toBe(morning);
  expect(make('enduser.id', 'alice')).toBe(morning);
  expect(make('session.id', 'alice')).not.toBe(morning);
  expect(make('user.id', '')).toBe('');
  now += 1;
  expect(make('user.id', 'alice')).not.toBe(morning);
  now -= 1;
  expect(make('user.id', 'alice')).toBe(morning);
});

test('many subjects keep their pseudonyms although not all are remembered', () => {
  const make = subjectPseudonyms(domainKeys(ROOT), () => 0);
  const all = () => Array.from({ length: 25_000 }, (_, i) => make('user.id', `user ${i}`));
  const first = all();
  expect(new Set(first).size).toBe(first.length);
  expect(all()).toEqual(first);
});
