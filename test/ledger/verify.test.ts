import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { messageOf } from '../../src/base/errors.ts';
import { newKey, signerOf, verifierOf } from '../../src/base/note-key.ts';
import { openCheckpoint, signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { leafHash, treeHasher } from '../../src/ledger/merkle.ts';
import { decodeEntries, encodeEntries } from '../../src/ledger/tiles.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { randomFrom } from '../random.ts';
import { filledLedger, NOW_MS, WITNESSED, type FilledLedger } from './filled.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Every byte of its export is tried. */
let tiny: FilledLedger;
let small: FilledLedger;
let large: FilledLedger;
beforeAll(async () => {
  [tiny, small, large] = await Promise.all([filledLedger(1), filledLedger(3), filledLedger(600)]);
});
afterAll(() => {
  tiny.remove();
  small.remove();
  large.remove();
});

function verified(path: string, { keys }: Pick<FilledLedger, 'keys'>) {
  return verifyLedger(path, keys, { isStrict: true });
}

/** What `verifyLedger` says of an export after a change, which is undone. */
function afterChange(of: FilledLedger, change: (folder: string) => void): string {
  const copy = `${of.folder}-changed`;
  cpSync(of.folder, copy, { recursive: true });
  try {
    change(copy);
    verified(copy, of);
    return 'whole';
  } catch (error) {
    return messageOf(error);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name).slice(folder.length + 1))
    .toSorted();
}

describe('a ledger that is whole', () => {
  test('is found to be so, in its file and in an export', () => {
    for (const one of [small, large]) {
      const file = verified(one.file, one);
      const exported = verified(one.folder, one);
      expect(file).toMatchObject({ origin: 'comity.dev/eu/agent-1', key: one.keys[0]!.vkey, size: one.size });
      expect(file.witnesses).toEqual([{ name: 'witness.example', size: WITNESSED, at: NOW_MS / 1000 }]);
      expect(exported).toEqual({ ...file, checkpoints: 2 });
    }
  });

  test('has the files of C2SP tlog-tiles', () => {
    expect(filesOf(small.folder)).toEqual(['checkpoint', 'tile/0/000.p/6', 'tile/entries/000.p/6', 'witnessed/3']);
    expect(filesOf(large.folder)).toEqual([
      'checkpoint',
      'tile/0/000',
      'tile/0/001',
      'tile/0/002.p/91',
      'tile/1/000.p/2',
      'tile/entries/000',
      'tile/entries/001',
      'tile/entries/002.p/91',
      'witnessed/3',
    ]);
  });

  test('has no salt in its export', () => {
    const db = new Database(small.file, { readonly: true });
    const salts = db.prepare('SELECT request, answer FROM salt').all() as { request: Buffer; answer: Buffer }[];
    db.close();
    expect(salts).toHaveLength(3);
    const all = Buffer.concat(filesOf(small.folder).map((file) => readFileSync(join(small.folder, file))));
    for (const salt of salts.flatMap(({ request, answer }) => [request, answer])) {
      expect(all.includes(salt)).toBe(false);
      expect(all.includes(salt.toString('hex'))).toBe(false);
    }
  });

  test('proves nothing by other keys', () => {
    expect(() => verifyLedger(small.folder, [])).toThrow(
      'checkpoint: no key of the log "comity.dev/eu/agent-1" was given',
    );
    const other = verifierOf(newKey('comity.dev/eu/agent-1').vkey);
    expect(() => verifyLedger(small.folder, [other])).toThrow('checkpoint: it has no signature of');
    expect(() => verifyLedger(small.file, [other])).toThrow('checkpoint of 1 leaves: it has no signature of');
    const own = small.keys.slice(0, 1);
    expect(() => verifyLedger(small.folder, own, { isStrict: true })).toThrow(
      'no key was given for the signature of witness',
    );
    expect(verifyLedger(small.folder, own).witnesses).toEqual([]);
    expect(() => verifyLedger(join(small.folder, 'none'), own)).toThrow('there is no ledger at');
  });
});

describe('an export that was tampered with', () => {
  test('is found out whichever bit of whichever byte is another one', { timeout: 60_000 }, () => {
    const random = randomFrom(SEED);
    const wrong: string[] = [];
    const copy = `${tiny.folder}-flipped`;
    cpSync(tiny.folder, copy, { recursive: true });
    for (const file of filesOf(copy)) {
      const path = join(copy, file);
      const bytes = readFileSync(path);
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1 << random.int(0, 7);
        writeFileSync(path, changed);
        const found = faultOf(copy, tiny);
        if (!expected(file, at, bytes).test(found)) wrong.push(`${file} at ${at}: ${found}`);
      }
      writeFileSync(path, bytes);
    }
    expect(wrong, `seed ${SEED}`).toEqual([]);
    expect(faultOf(copy, tiny)).toBe('whole');
    rmSync(copy, { recursive: true });
  });

  test('is found out when a file is missing, too short, too long, or one too many', () => {
    for (const file of filesOf(small.folder)) {
      const name = /^(checkpoint|witnessed|tile\/entries|tile)/.exec(file)![0];
      const names = {
        checkpoint: /^checkpoint: /,
        witnessed: /^checkpoint witnessed/,
        tile: /^tile tile/,
        'tile/entries': /^leaf \d+: /,
      };
      const named = names[name as keyof typeof names];
      const bytes = readFileSync(join(small.folder, file));
      const check = (what: string, want: RegExp, change: (path: string) => void): void =>
        expect(
          afterChange(small, (folder) => change(join(folder, file))),
          `${file} ${what}`,
        ).toMatch(want);
      // The witnesses' are there for those who want them.
      const isExtra = name === 'witnessed';
      check(
        'missing',
        isExtra ? /^whole$/ : name === 'checkpoint' ? named : new RegExp(`^tile ${file}: .* missing`),
        rmSync,
      );
      check('empty', named, (path) => writeFileSync(path, ''));
      check('cut by a byte', named, (path) => writeFileSync(path, bytes.subarray(0, -1)));
      check('cut by half', named, (path) => writeFileSync(path, bytes.subarray(0, bytes.length / 2)));
      check('a byte longer', named, (path) => writeFileSync(path, Buffer.concat([bytes, Buffer.of(0)])));
      check('a newline longer', named, (path) => writeFileSync(path, Buffer.concat([bytes, Buffer.of(10)])));
      check('twice', named, (path) => writeFileSync(path, Buffer.concat([bytes, bytes])));
    }
    for (const extra of [
      'tile/0/001.p/1',
      'tile/0/000',
      'tile/1/000.p/1',
      'tile/entries/000',
      'note',
      'witnessed/x',
      'tile/a/b',
    ]) {
      const found = afterChange(small, (folder) => {
        mkdirSync(dirname(join(folder, extra)), { recursive: true });
        writeFileSync(join(folder, extra), '');
      });
      expect(found).toBe(`tile ${extra}: a log of 6 leaves has no such file`);
    }
    const found = afterChange(small, (folder) => symlinkSync('checkpoint', join(folder, 'link')));
    expect(found).toBe('tile link: a log of 6 leaves has no such file');
  });

  test('is found out when leaves are swapped, left out, doubled or made up, with their tiles as well', () => {
    const entries = 'tile/entries/000.p/6';
    const leaves = [...decodeEntries(readFileSync(join(small.folder, entries)))] as Uint8Array[];
    const swapped = [...leaves.slice(0, 3), leaves[4]!, leaves[3]!, leaves[5]!];
    const changes: Readonly<Record<string, readonly Uint8Array[]>> = {
      'leaf 3: ': swapped,
      'leaf 5: ': leaves.slice(0, 5),
      'leaf 0: ': [leaves[1]!, ...leaves.slice(1)],
      'leaf 2: ': [...leaves.slice(0, 2), Buffer.from('{}'), ...leaves.slice(3)],
    };
    for (const [named, changed] of Object.entries(changes)) {
      const found = afterChange(small, (folder) => writeFileSync(join(folder, entries), encodeEntries(changed)));
      expect(found.startsWith(named), found).toBe(true);
    }
    const both = afterChange(small, (folder) => {
      writeFileSync(join(folder, entries), encodeEntries(swapped));
      writeFileSync(join(folder, 'tile/0/000.p/6'), Buffer.concat(swapped.map(leafHash)));
    });
    expect(both).toBe('checkpoint: its root is not that of the leaves');
  });

  test('is found out in a large one, at the first bad leaf or tile', () => {
    const flip = (file: string, at: number) =>
      afterChange(large, (folder) => {
        const bytes = readFileSync(join(folder, file));
        bytes[at]! ^= 1;
        writeFileSync(join(folder, file), bytes);
      });
    expect(flip('tile/1/000.p/2', 40)).toMatch(/^tile tile\/1\/000\.p\/2: /);
    expect(flip('tile/0/001', 32 * 5)).toMatch(/^tile tile\/0\/001: /);
    expect(flip('tile/entries/002.p/91', 30)).toMatch(/^leaf 512: /);
    const swapped = afterChange(large, (folder) => {
      const [a, b] = [join(folder, 'tile/entries/000'), join(folder, 'tile/entries/001')];
      renameSync(a, `${a}-`);
      renameSync(b, a);
      renameSync(`${a}-`, b);
    });
    expect(swapped).toMatch(/^leaf 0: /);
  });

  test('is found out when what was signed is no leaf, or another log’s', () => {
    const { skey, vkey } = newKey('comity.dev/eu/agent-1');
    const of = { ...small, keys: [verifierOf(vkey)] };
    const signed = (leaf: string) =>
      afterChange(of, (folder) => {
        rmSync(folder, { recursive: true });
        const bytes = Buffer.from(leaf);
        const tree = treeHasher();
        tree.add(leafHash(bytes));
        const checkpoint = { origin: 'comity.dev/eu/agent-1', size: 1, root: tree.root() };
        mkdirSync(join(folder, 'tile/entries/000.p'), { recursive: true });
        mkdirSync(join(folder, 'tile/0/000.p'), { recursive: true });
        writeFileSync(join(folder, 'tile/entries/000.p/1'), encodeEntries([bytes]));
        writeFileSync(join(folder, 'tile/0/000.p/1'), leafHash(bytes));
        writeFileSync(join(folder, 'checkpoint'), signCheckpoint(checkpoint, signerOf(skey)));
      });
    const start = { agent: 'agent-1', domain: 'eu', jurisdiction: 'EU', key: 'k', kind: 'start' };
    const rest = { minute: '2026-11-22T08:05Z', source: 'store', v: 1, version: '1' };
    expect(signed(JSON.stringify({ ...start, ...rest }))).toBe('whole');
    expect(signed(JSON.stringify({ ...rest, ...start }))).toContain('leaf 0: it is not in canonical form');
    expect(signed(JSON.stringify({ ...start, ...rest, agent: 'agent-2' }))).toContain(
      'leaf 0: it is of comity.dev/eu/agent-2',
    );
    expect(signed(JSON.stringify({ ...start, ...rest, v: 2 }))).toContain('leaf 0: its version is 2');
    expect(signed(JSON.stringify({ ...start, a: 1, ...rest }))).toContain('leaf 0: it is not in canonical form');
    expect(signed('not JSON')).toMatch(/^leaf 0: /);
  });
});

describe('a ledger’s file that was tampered with', () => {
  test.each([
    ["UPDATE leaf SET leaf = CAST(replace(CAST(leaf AS TEXT), 'partly', 'refuse') AS BLOB) WHERE id = 4", 'leaf 4: '],
    ["UPDATE leaf SET leaf = CAST('{}' AS BLOB) WHERE id = 2", 'leaf 2: '],
    ['DELETE FROM leaf WHERE id = 3', 'leaf 3: it is missing'],
    ['DELETE FROM leaf WHERE id = 5', 'leaf 5: it is missing'],
    ['UPDATE subtree SET hash = zeroblob(32) WHERE place = 1', 'leaf 1: subtree 1'],
    ['DELETE FROM subtree WHERE place = 4', 'leaf 3: subtree 4'],
    ['INSERT INTO subtree SELECT 99, hash FROM subtree WHERE place = 0', 'leaf 6: it is missing'],
    ["UPDATE checkpoint SET note = replace(note, 'A', 'B') WHERE size = 2", 'checkpoint of 2 leaves: '],
    [
      'UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 2) WHERE size = 3',
      'checkpoint of 3 leaves: ',
    ],
    ['DELETE FROM checkpoint WHERE size > 3', 'leaf 3: no checkpoint covers it'],
    ['DELETE FROM checkpoint WHERE size = 3', 'checkpoint of 3 leaves: it is cosigned and missing'],
    ["UPDATE cosignature SET line = replace(line, 'A', 'B')", 'checkpoint of 3 leaves: '],
  ])('%s', (sql, named) => {
    const copy = `${small.file}-changed`;
    cpSync(small.file, copy);
    const db = new Database(copy);
    db.exec(sql);
    db.close();
    expect(faultOf(copy, small)).toContain(named);
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${copy}${suffix}`, { force: true });
  });

  test('is found out when the file itself is damaged', () => {
    const copy = `${small.file}-damaged`;
    const bytes = readFileSync(small.file);
    writeFileSync(copy, bytes.fill(0xff, bytes.length / 2));
    expect(faultOf(copy, small)).not.toBe('whole');
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${copy}${suffix}`, { force: true });
  });
});

function faultOf(path: string, of: Pick<FilledLedger, 'keys'>): string {
  try {
    verified(path, of);
    return 'whole';
  } catch (error) {
    return messageOf(error);
  }
}

/** What has to be named when the byte of a file is another one. */
function expected(file: string, at: number, bytes: Buffer): RegExp {
  if (file === 'checkpoint') return /^checkpoint: /;
  if (file.startsWith('witnessed/')) return /^checkpoint witnessed\/3: /;
  if (!file.startsWith('tile/entries/')) return /^tile tile\/0\/000\.p\/4: /;
  let end = 0;
  const index = [...decodeEntries(bytes)].findIndex((leaf) => (end += 2 + leaf!.length) > at);
  return new RegExp(`^leaf ${index}: `);
}

test('the checkpoint of an export is the last one of the file', () => {
  const note = readFileSync(join(small.folder, 'checkpoint'), 'utf8');
  expect(openCheckpoint(note, small.keys[0]!).size).toBe(small.size);
});
