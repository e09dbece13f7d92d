import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { newKey, openKeyFile, readKeyFile, signerOf, verifierOf } from '../../src/base/note-key.ts';
import { goVectors } from '../ledger/vectors.ts';

const folder = mkdtempSync(join(tmpdir(), 'comity-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MESSAGE = Buffer.from('comity.dev/a/agent-1\n7\n');

test('Go’s keys have the same verifier here', () => {
  const { skey, vkey, witness } = goVectors();
  expect(signerOf(skey).vkey).toBe(vkey);
  expect(signerOf(witness.skey)).toMatchObject({ vkey: witness.vkey, type: 'cosignature', name: 'witness.example/w1' });
});

test('what a key signs its verifier alone takes', () => {
  const { skey, vkey } = newKey('a.example');
  const signature = signerOf(skey).sign(MESSAGE);
  expect(verifierOf(vkey).verify(MESSAGE, signature)).toBe(true);
  expect(verifierOf(vkey).verify(Buffer.concat([MESSAGE, Buffer.of(0)]), signature)).toBe(false);
  expect(verifierOf(vkey).verify(MESSAGE, signature.subarray(1))).toBe(false);
  expect(verifierOf(newKey('a.example').vkey).verify(MESSAGE, signature)).toBe(false);
});

describe('keys that are none are refused, and never shown', () => {
  const { skey, vkey } = newKey('a.example');
  // A key in base64 may have a + of its own.
  const [, name, id, key] = /^([^+]+)\+([^+]+)\+(.+)$/.exec(vkey) as unknown as [string, string, string, string];
  const secret = skey.slice('PRIVATE+KEY+'.length + name.length + id.length + 2);
  test.each([
    ['', 'is not written name+id+key'],
    ['a.example', 'is not written name+id+key'],
    [skey, 'is a secret one'],
    [`b.example+${id}+${key}`, 'has an id that is not that of its name and key'],
    [`${name}+00000000+${key}`, 'has an id that is not that of its name and key'],
    [`${name}+${id}+${key.slice(0, -4)}`, 'has 29 bytes of key instead of 32'],
    [`${name}+${id}+${key}=`, 'is not base64'],
    [`${name}+${id}+CC${key.slice(2)}`, 'is of an unknown type'],
    [`a example+${id}+${key}`, 'the key name "a example" must have'],
  ])('%s', (text, fault) => {
    expect(() => verifierOf(text)).toThrow(fault);
    expect(() => verifierOf(text)).not.toThrow(secret);
  });

  test.each([
    [vkey, 'is not written PRIVATE+KEY+name+id+key'],
    [skey.replace('a.example', 'b.example'), 'has an id that is not that of its name and key'],
    [skey.slice(0, -4), 'has 29 bytes of key instead of 32'],
  ])('secret key %#', (text, fault) => {
    expect(() => signerOf(text)).toThrow(fault);
    expect(() => signerOf(text)).not.toThrow(secret);
  });

  test.each(['', 'a b', 'a+b', 'a\nb', 'a\u00a0b', 'a'.repeat(256)])('name %j', (bad) => {
    expect(() => newKey(bad)).toThrow('the key name');
  });
});

describe('key files', () => {
  test('are made once, for their owner alone', () => {
    const path = join(folder, 'made.key');
    const made = openKeyFile(path, 'a.example');
    expect(made.created).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(openKeyFile(path, 'a.example')).toMatchObject({ created: false, vkey: made.vkey });
    expect(readKeyFile(path).vkey).toBe(made.vkey);
  });

  test('of another name or type, or that others can read, are refused and stay', () => {
    const path = join(folder, 'other.key');
    const { vkey } = openKeyFile(path, 'a.example');
    expect(() => openKeyFile(path, 'b.example')).toThrow('is of a.example, not of b.example');
    expect(() => openKeyFile(path, 'a.example', 'cosignature')).toThrow('is of type ed25519, not cosignature');
    chmodSync(path, 0o644);
    expect(() => openKeyFile(path, 'a.example')).toThrow('has mode 644: others can use it');
    chmodSync(path, 0o600);
    expect(readKeyFile(path).vkey).toBe(vkey);
  });

  test('that hold no key, or are none, are refused', () => {
    const path = join(folder, 'text.key');
    writeFileSync(path, 'no key\n', { mode: 0o600 });
    expect(() => readKeyFile(path)).toThrow(`signing key ${path}: a secret key is not written`);
    writeFileSync(path, 'x'.repeat(5000));
    expect(() => readKeyFile(path)).toThrow('has 5000 bytes, which is too long');
    expect(() => readKeyFile(folder)).toThrow('is no regular file');
    expect(() => readKeyFile(join(folder, 'missing'))).toThrow('there is no signing key');
    expect(existsSync(join(folder, 'missing'))).toBe(false);
  });
});
