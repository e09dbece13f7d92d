import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { verifierOf } from '../../../src/base/note-key.ts';
import { addCheckpoint, type CosignReply } from '../../../src/hub/ledgers/add-checkpoint.ts';
import { openWitness, type Witness } from '../../../src/hub/ledgers/witness.ts';
import { memoryWitnessDb } from '../../../src/hub/ledgers/memory-witness.ts';
import { openWitnessDb, type SignedRoot } from '../../../src/hub/witness-db.ts';
import { readCheckpoint, readSignatureLine } from '../../../src/ledger/checkpoint.ts';
import { cosignedAt, writeAddCheckpoint } from '../../../src/ledger/witness.ts';
import { playedLedger, type PlayedLedger } from '../played-ledger.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const folder = mkdtempSync(join(tmpdir(), 'comity-witness-'));
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function opened(path?: string): Witness {
  const witness = openWitness(path === undefined ? undefined : { path });
  closers.push(() => witness.close());
  return witness;
}

function grow(agent: PlayedLedger, by: number): PlayedLedger {
  for (let i = 0; i < by; i++) agent.record({ what: 'query', request: Buffer.from('q'), answer: Buffer.from('a') });
  return agent;
}

function push(
  witness: Witness,
  agent: PlayedLedger,
  oldSize: number,
  alter: Partial<Parameters<typeof writeAddCheckpoint>[0]> = {},
): CosignReply {
  const body = writeAddCheckpoint({
    oldSize,
    proof: agent.consistency(oldSize, agent.size),
    checkpoint: agent.checkpoint(),
    ...alter,
  });
  return addCheckpoint(body, { witness, logs: [verifierOf(agent.vkey)], nowMs: NOW_MS });
}

const stateOf = (agent: PlayedLedger): SignedRoot => {
  const checkpoint = agent.checkpoint();
  const { size, root } = readCheckpoint(checkpoint);
  return { size, root, checkpoint };
};

describe('add-checkpoint', () => {
  it('vouches for a log that grows, with a cosignature of the hub’s own key', () => {
    const witness = opened();
    const agent = grow(playedLedger('eu'), 3);
    for (const oldSize of [0, 3, 8]) {
      const { status, body } = push(witness, agent, oldSize);
      expect(status).toBe(200);
      const line = readSignatureLine(body.slice(0, -1));
      const seconds = cosignedAt(readCheckpoint(agent.checkpoint()).body, line, verifierOf(witness.signer.vkey));
      expect(seconds).toBe(NOW_MS / 1000);
      expect(witness.latest(agent.vkey)).toEqual(stateOf(agent));
      grow(agent, 5);
    }
  });

  it('again for what it vouched for, and for a log without entries', () => {
    const witness = opened();
    const agent = playedLedger('eu');
    expect(push(witness, agent, 0).status).toBe(200);
    grow(agent, 4);
    expect(push(witness, agent, 0).status).toBe(200);
    expect(push(witness, agent, 4).status).toBe(200);
  });

  it.each<[name: string, reply: (witness: Witness, agent: PlayedLedger) => CosignReply, want: Partial<CosignReply>]>([
    [
      'a log of nobody',
      (witness, agent) =>
        addCheckpoint(writeAddCheckpoint({ oldSize: 0, proof: [], checkpoint: agent.checkpoint() }), {
          witness,
          logs: [],
          nowMs: 0,
        }),
      { status: 404 },
    ],
    [
      'the name of a log with another key',
      (witness, agent) => push(witness, agent, 4, { checkpoint: grow(playedLedger('eu'), 5).checkpoint() }),
      { status: 403 },
    ],
    [
      'a signature that does not fit',
      (witness, agent) => push(witness, agent, 4, { checkpoint: agent.checkpoint().replace('\n6\n', '\n7\n') }),
      { status: 403 },
    ],
    ['an old size past the new one', (witness, agent) => push(witness, agent, 6, { oldSize: 7 }), { status: 400 }],
    [
      'another old size',
      (witness, agent) => push(witness, agent, 3),
      { status: 409, type: 'text/x.tlog.size', body: '4\n' },
    ],
    [
      'no old size',
      (witness, agent) => push(witness, agent, 0),
      { status: 409, type: 'text/x.tlog.size', body: '4\n' },
    ],
    ['a proof that lacks a hash', (witness, agent) => push(witness, agent, 4, { proof: [] }), { status: 422 }],
    [
      'a proof of something else',
      (witness, agent) => push(witness, agent, 4, { proof: agent.consistency(3, 6) }),
      { status: 422 },
    ],
    ['garbage', (witness) => addCheckpoint('old x\n', { witness, logs: [], nowMs: 0 }), { status: 400 }],
    [
      'a proof of 64 lines',
      (witness, agent) => push(witness, agent, 4, { proof: Array.from({ length: 64 }, () => new Uint8Array(32)) }),
      { status: 400 },
    ],
    [
      'another log of the same size',
      (witness, agent) => push(witness, grow(agent.fork(3), 1), 4),
      { status: 409, type: 'text/plain; charset=utf-8' },
    ],
  ])('%s', (name, reply, want) => {
    const witness = opened();
    const agent = grow(playedLedger('eu'), 4);
    expect(push(witness, agent, 0).status).toBe(200);
    const before = witness.latest(agent.vkey);
    grow(agent, 2);
    expect(reply(witness, agent)).toMatchObject(want);
    expect(witness.latest(agent.vkey)).toEqual(before);
    if (!name.includes('same size')) return expect(push(witness, agent, 4).status).toBe(200);
    // Two logs of one size are evidence: it vouches for neither from now on.
    expect(witness.fork(agent.vkey)?.why).toBe('it has signed two logs of 4 entries');
    expect(push(witness, agent, 4)).toMatchObject({ status: 409, body: 'this log has forked\n' });
  });
});

describe('the witness remembers', () => {
  it('what it vouched for, its key and whom it trusted, whatever becomes of its process', () => {
    const path = join(folder, 'hub-1.sqlite');
    const agent = grow(playedLedger('eu'), 3);
    const first = openWitness({ path });
    const { vkey } = first.signer;
    push(first, agent, 0);
    first.trust({ domain: 'eu', url: 'http://a', vkey: agent.vkey, atMs: 1 });
    first.trust({ domain: 'eu', url: 'http://a', vkey: 'another', atMs: 2 });
    // Another process sees it before this one ends.
    const second = opened(path);
    expect(second.signer.vkey).toBe(vkey);
    expect(second.latest(agent.vkey)).toEqual(stateOf(agent));
    expect(second.trustedKey('eu', 'http://a')).toBe(agent.vkey);
    expect(push(second, grow(agent, 1), 0)).toMatchObject({ status: 409, body: '3\n' });
    expect(statSync(`${path}.witness.key`).mode & 0o077).toBe(0);
    // What the other one vouched for meanwhile is not taken back.
    expect(push(second, agent, 3).status).toBe(200);
    expect(push(first, grow(agent.fork(3), 2), 3)).toMatchObject({ status: 409, body: '4\n' });
    first.close();
  });

  it('a fork until it is told to forget the log', () => {
    const path = join(folder, 'hub-2.sqlite');
    const agent = grow(playedLedger('eu'), 3);
    const witness = opened(path);
    push(witness, agent, 0);
    witness.trust({ domain: 'eu', url: 'http://a', vkey: agent.vkey, atMs: 1 });
    witness.addFork(agent.vkey, { why: 'one', atMs: 5, checkpoints: ['a', 'b'] });
    witness.addFork(agent.vkey, { why: 'other', atMs: 6, checkpoints: ['c', 'd'] });
    expect(witness.fork(agent.vkey)?.why).toBe('one');
    const db = openWitnessDb(path);
    expect(db.logs()).toEqual([
      { vkey: agent.vkey, latest: stateOf(agent), fork: { why: 'one', atMs: 5, checkpoints: ['a', 'b'] } },
    ]);
    expect([db.forget(agent.vkey), db.forget(agent.vkey)]).toEqual([true, false]);
    expect([db.logs(), db.trustedKeys()]).toEqual([[], []]);
    db.close();
    expect(witness.fork(agent.vkey)).toBeDefined();
    witness.refresh(agent.vkey);
    expect([witness.fork(agent.vkey), witness.latest(agent.vkey)]).toEqual([undefined, undefined]);
  });

  it.each([
    ['in a file', () => openWitnessDb(join(folder, 'states.sqlite'))],
    ['in memory', memoryWitnessDb],
  ])('%s the newest state alone, and what was first of the rest', (_where, open) => {
    const db = open();
    const state = (size: number): SignedRoot => ({ size, root: Buffer.alloc(32, size), checkpoint: `c${size}` });
    expect([db.advance('k', 0, state(3)), db.advance('k', 0, state(5))]).toEqual([true, false]);
    expect([db.advance('k', 4, state(6)), db.advance('k', 3, state(6))]).toEqual([false, true]);
    expect(db.log('k').latest).toEqual(state(6));
    const key = { domain: 'eu', url: 'http://a', vkey: 'k', atMs: 1 };
    db.trust(key);
    db.trust({ ...key, vkey: 'l' });
    db.trust({ ...key, url: 'http://b', vkey: 'm' });
    expect([db.trustedKey('eu', 'http://a'), db.trustedKey('us', 'http://a')]).toEqual(['k', undefined]);
    const fork = { why: 'w', atMs: 1, checkpoints: ['a', 'b'] } as const;
    db.addFork('k', fork);
    db.addFork('k', { ...fork, why: 'x' });
    expect(db.logs()).toEqual([
      { vkey: 'k', latest: state(6), fork },
      { vkey: 'm', latest: undefined, fork: undefined },
    ]);
    expect([db.forget('k'), db.forget('k')]).toEqual([true, false]);
    expect(db.trustedKeys()).toEqual([{ ...key, url: 'http://b', vkey: 'm' }]);
    db.close();
  });
});
