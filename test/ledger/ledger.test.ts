import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, test } from 'vitest';
import { verifierOf } from '../../src/base/note-key.ts';
import { openCheckpoint } from '../../src/ledger/checkpoint.ts';
import type { Inclusion, Ledger } from '../../src/ledger/ledger.ts';
import { isConsistent, isEqual, leafHash, rootByInclusion } from '../../src/ledger/merkle.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import { openLog, type LedgerMessage } from '../../src/ledger/worker-calls.ts';
import { numbered } from './trees.ts';

const folder = mkdtempSync(join(tmpdir(), 'comity-ledger-'));
afterAll(() => rmSync(folder, { recursive: true }));
const origin = 'comity.dev/eu/agent-1';
let files = 0;

function options() {
  const base = join(folder, `l${files++}`);
  return { path: `${base}.sqlite`, keyPath: `${base}.key`, origin };
}

function expectIncluded(leaf: Uint8Array, { index, checkpoint, proof }: Inclusion, vkey: string): number {
  const { size, root } = openCheckpoint(checkpoint, verifierOf(vkey));
  const found = rootByInclusion(index, size, leafHash(leaf), proof);
  expect(found !== undefined && isEqual(found, root)).toBe(true);
  return size;
}

describe('a ledger', () => {
  test('proves every leaf under a checkpoint of its key, in memory and in a thread', async () => {
    for (const where of [{ path: ':memory:', origin }, options()]) {
      const ledger = await openLedger(where);
      const leaves = numbered(20);
      const inclusions = await Promise.all(leaves.map((leaf) => ledger.append(leaf)));
      expect(inclusions.map(({ index }) => index)).toEqual(leaves.map((_leaf, i) => i));
      for (const [i, inclusion] of inclusions.entries()) expectIncluded(leaves[i]!, inclusion, ledger.vkey);
      expect(ledger.head()).toMatchObject({ size: 20, checkpoint: inclusions.at(-1)!.checkpoint });
      await ledger.close();
    }
  });

  test('shares commits between leaves that come together', async () => {
    const commits: number[] = [];
    const ledger = await openLedger({ ...options(), events: { committed: (n) => void commits.push(n), failed() {} } });
    await ledger.append(numbered(1)[0]!);
    expect(commits).toEqual([1]);
    await Promise.all(numbered(200).map((leaf) => ledger.append(leaf)));
    expect(commits.reduce((sum, n) => sum + n)).toBe(201);
    expect(commits.length).toBeLessThan(100);
    await ledger.close();
  });

  test('has leaves wait for others that are under way, and not when nobody is', async () => {
    const commits: number[] = [];
    let underWay = 3;
    const events = { committed: (n: number) => void commits.push(n), failed() {} };
    const ledger = await openLedger({ ...options(), events, underWay: () => underWay });
    const [a, b, c, d] = numbered(4) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const two = [ledger.append(a), ledger.append(b)];
    // All three are here now, so nothing waits any longer.
    await Promise.all([...two, ledger.append(c)]);
    expect(commits).toEqual([3]);
    underWay = 1;
    await ledger.append(d);
    underWay = 9;
    // The others do not come: it goes without them.
    await ledger.append(a);
    expect(commits).toEqual([3, 1, 1]);
    void ledger.append(b);
    await ledger.close();
    expect(commits).toEqual([3, 1, 1, 1]);
  });

  test('goes on where it was, with the same key', async () => {
    const where = options();
    const first = await openLedger(where);
    for (const leaf of numbered(5)) await first.append(leaf, { kind: 'n', released: { day: '2026-11-22', bytes: 10 } });
    const head = first.head();
    await first.close();

    const second = await openLedger(where);
    expect(second.vkey).toBe(first.vkey);
    expect(second.head()).toEqual(head);
    expect(await second.bytesOf('2026-11-22')).toBe(50);
    expect(await second.bytesOf('2026-11-23')).toBe(0);
    expect(Buffer.from((await second.latest('n'))!).toString()).toBe('leaf 4');
    expect(await second.latest('other')).toBeUndefined();
    const { index } = await second.append(numbered(6)[5]!);
    expect(index).toBe(5);
    const { checkpoint, proofs } = await second.consistency([5]);
    const grown = openCheckpoint(checkpoint, verifierOf(second.vkey));
    expect(isConsistent(head, grown, proofs[0]!.proof)).toBe(true);
    await second.close();
  });

  test('proves that it has grown, between neighbours and the head', async () => {
    const ledger = await openLedger({ path: ':memory:', origin });
    const heads = [];
    for (const leaf of numbered(30)) {
      await ledger.append(leaf);
      heads.push(ledger.head());
    }
    const { proofs } = await ledger.consistency([1, 7, 7, 16, 30]);
    expect(proofs.map(({ from, to }) => [from, to])).toEqual([
      [1, 7],
      [7, 7],
      [7, 16],
      [16, 30],
      [30, 30],
    ]);
    for (const { from, to, proof } of proofs) expect(isConsistent(heads[from - 1]!, heads[to - 1]!, proof)).toBe(true);
    for (const sizes of [[31], [2, 1], [-1], [NaN]]) {
      await expect(ledger.consistency(sizes)).rejects.toMatchObject({ code: 'bad_data' });
    }
    expect((await ledger.consistency([])).proofs).toEqual([]);
    await ledger.close();
  });

  test('whose thread has ended says so, and takes nothing more', async () => {
    const workers: Worker[] = [];
    const note = (worker: Worker): void => void workers.push(worker);
    process.on('worker', note);
    const ledger = await openLedger(options());
    process.off('worker', note);
    await workers[0]!.terminate();
    expect(await ledger.failed).toMatchObject({ code: 'unavailable', message: expect.stringContaining('has ended') });
    await expect(ledger.append(numbered(1)[0]!)).rejects.toMatchObject({ code: 'unavailable' });
    await ledger.close();
  });

  test('takes nothing once it is closed', async () => {
    const ledger = await openLedger(options());
    await Promise.all([ledger.close(), ledger.close()]);
    await expect(ledger.append(numbered(1)[0]!)).rejects.toMatchObject({ code: 'unavailable' });
    await ledger.close();
  });
});

describe('a commit', () => {
  const call = (id: number) => ({ id, method: 'append', leaf: numbered(id + 1)[id]! }) as const;

  test('has all leaves that wait, before other calls', () => {
    const log = openLog({ path: ':memory:', origin });
    const messages: LedgerMessage[] = [];
    const other = { id: 9, method: 'bytesOf', args: ['2026-11-22'] } as const;
    log.answer([call(0), other, call(1), call(2)], (message) => messages.push(message));
    expect(messages).toMatchObject([
      { kind: 'committed', ids: [0, 1, 2], head: { size: 3 } },
      { kind: 'answer', id: 9, value: 0 },
    ]);
  });

  test('has a thousand leaves at the most', () => {
    const log = openLog({ path: ':memory:', origin });
    const messages: LedgerMessage[] = [];
    const leaf = numbered(1)[0]!;
    const calls = Array.from({ length: 1_500 }, (_, id) => ({ id, method: 'append', leaf }) as const);
    log.answer(calls, (message) => messages.push(message));
    expect(messages.map((message) => message.kind === 'committed' && message.ids.length)).toEqual([1_000, 500]);
  });
});

describe('what is wrong with the file', () => {
  test('fails the leaf, and the next one is taken when it is mended', async () => {
    const where = options();
    const failures: string[] = [];
    const ledger = await openLedger({
      ...where,
      events: { committed() {}, failed: ({ code }) => void failures.push(code) },
    });
    await ledger.append(numbered(1)[0]!);
    const before = ledger.head();
    const beside = new Database(where.path);
    beside.exec('ALTER TABLE subtree RENAME TO gone');
    await expect(ledger.append(numbered(2)[1]!)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('the ledger cannot be written or read'),
    });
    expect(failures).toEqual(['unavailable']);
    expect(ledger.head()).toBe(before);
    beside.exec('ALTER TABLE gone RENAME TO subtree');
    beside.close();
    const { index } = await ledger.append(numbered(2)[1]!);
    expect(index).toBe(1);
    await ledger.close();
  });

  test('two that write one file make one log', async () => {
    const where = options();
    const [a, b] = [await openLedger(where), await openLedger(where)];
    const writers: readonly Ledger[] = [a, b];
    const inclusions = await Promise.all(numbered(40).map((leaf, i) => writers[i % 2]!.append(leaf)));
    expect(new Set(inclusions.map(({ index }) => index)).size).toBe(40);
    for (const [i, inclusion] of inclusions.entries()) expectIncluded(numbered(40)[i]!, inclusion, a.vkey);
    await a.close();
    await b.close();
  });

  test('is said at the start', async () => {
    const where = options();
    const ledger = await openLedger(where);
    await ledger.append(numbered(1)[0]!);
    await ledger.append(numbered(2)[1]!);
    await ledger.close();
    const refused = (fault: string, over: Partial<typeof where> = {}) =>
      expect(openLedger({ ...where, ...over })).rejects.toMatchObject({
        code: 'bad_config',
        message: expect.stringContaining(fault),
      });

    await refused('is of comity.dev/eu/agent-1, not of comity.dev/eu/agent-2', { origin: 'comity.dev/eu/agent-2' });
    await refused('is missing: restore it', { keyPath: join(folder, 'none.key') });
    const other = options();
    await (await openLedger(other)).close();
    await refused('was signed with another key', { keyPath: other.keyPath });
    const text = join(folder, 'text.sqlite');
    writeFileSync(text, 'no database '.repeat(100));
    await refused('is not a database', { path: text });

    const damage = (sql: string) => {
      const db = new Database(where.path);
      db.exec(sql);
      db.close();
    };
    damage('UPDATE subtree SET hash = zeroblob(32) WHERE place = 2');
    await refused('its last checkpoint is not that of its leaves');
    damage('DELETE FROM subtree WHERE place = 2');
    await refused('is damaged');
  });
});
