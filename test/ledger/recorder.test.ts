import { describe, expect, test } from 'vitest';
import { newKey, verifierOf } from '../../src/base/note-key.ts';
import { decodeLeaf } from '../../src/ledger/canonical.ts';
import type { ReleaseDraft, ReleaseLeaf } from '../../src/ledger/leaf.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import { verifyReceipt } from '../../src/ledger/receipt.ts';
import { openRecorder } from '../../src/ledger/recorder.ts';
import type { Receipt } from '../../src/plan/frames/receipt-codec.ts';
import { DRAFT, NOW_MS } from './filled.ts';

const REQUEST = Buffer.from('what was asked');
const ANSWER = Buffer.from('what was answered');
const STATUS: ReleaseDraft = { ...DRAFT, what: 'status', decision: 'released', fragments: [] };

async function opened(key = 1) {
  const ledger = await openLedger({ path: ':memory:', origin: 'comity.dev/eu/agent-1' });
  let nowMs = NOW_MS;
  const options = { domain: 'eu', agent: 'agent-1', consumerKey: new Uint8Array(32).fill(key), now: () => nowMs };
  const recorder = await openRecorder(ledger, options);
  const recorded = async (draft: ReleaseDraft, answer: Uint8Array = ANSWER): Promise<ReleaseLeaf> =>
    decodeLeaf((await recorder.record(draft, REQUEST, answer)).leaf) as ReleaseLeaf;
  const pass = (ms: number): void => void (nowMs += ms);
  return { ledger, recorder, recorded, pass, options };
}

describe('the record of an answer', () => {
  test('says what left, to where and by which policy, and neither who asked nor what', async () => {
    const { recorder, ledger } = await opened();
    const receipt = await recorder.record(DRAFT, REQUEST, ANSWER);
    const { leaf, index, size } = verifyReceipt(receipt, REQUEST, ANSWER, verifierOf(ledger.vkey));
    expect([index, size]).toEqual([0, 1]);
    expect(leaf).toEqual({
      v: 1,
      kind: 'release',
      what: 'query',
      domain: 'eu',
      agent: 'agent-1',
      minute: '2026-11-22T08:05Z',
      policy: 'p1',
      decision: 'partly',
      destination: 'US',
      bytes: ANSWER.length,
      fragments: DRAFT.fragments,
      consumer: expect.stringMatching(/^[0-9a-f]{32}$/),
      request: expect.stringMatching(/^[0-9a-f]{64}$/),
      answer: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(Buffer.from(receipt.leaf).toString()).not.toContain('hub');
  });

  test('has other commitments each time, and one pseudonym for a consumer under a key', async () => {
    const { recorded } = await opened();
    const [a, b] = [await recorded(DRAFT), await recorded(DRAFT)];
    expect(a.consumer).toBe(b.consumer);
    expect(a.request).not.toBe(b.request);
    expect(a.answer).not.toBe(b.answer);
    const c = await recorded({ ...DRAFT, consumer: { name: 'other', jurisdiction: 'US' } });
    expect(c.consumer).not.toBe(a.consumer);
    const d = await (await opened(2)).recorded(DRAFT);
    expect(d.consumer).not.toBe(a.consumer);
  });

  test('that would be too long is not made', async () => {
    const { recorder, ledger } = await opened();
    const [fragment] = DRAFT.fragments;
    const draft = { ...DRAFT, fragments: Array.from({ length: 400 }, () => fragment!) };
    await expect(recorder.record(draft, REQUEST, ANSWER)).rejects.toMatchObject({ code: 'limit' });
    expect([ledger.head().size, recorder.bytesToday()]).toEqual([0, 0]);
  });
});

describe('a receipt', () => {
  async function given(draft = DRAFT, answer: Uint8Array = ANSWER) {
    const { ledger, recorder } = await opened();
    for (let i = 0; i < 3; i++) await recorder.record(DRAFT, REQUEST, ANSWER);
    return { ledger, receipt: await recorder.record(draft, REQUEST, answer), verifier: verifierOf(ledger.vkey) };
  }

  test.each<[string, (receipt: Receipt) => Receipt, string]>([
    [
      'another leaf',
      (r) => ({ ...r, leaf: Buffer.from(Buffer.from(r.leaf).toString().replace('US', 'EU')) }),
      'the proof does not lead',
    ],
    ['another index', (r) => ({ ...r, index: 2 }), 'the proof does not lead'],
    ['no proof', (r) => ({ ...r, proof: [] }), 'the proof does not lead'],
    ['another salt of the request', (r) => ({ ...r, requestSalt: r.answerSalt }), 'for another request'],
    ['another salt of the answer', (r) => ({ ...r, answerSalt: r.requestSalt }), 'for another answer'],
    ['another root', (r) => ({ ...r, checkpoint: r.checkpoint.replace('\n4\n', '\n5\n') }), 'does not fit'],
    ['no checkpoint', (r) => ({ ...r, checkpoint: '' }), 'it is no signed note'],
  ])('with %s proves nothing', async (_what, change, fault) => {
    const { receipt, verifier } = await given();
    expect(verifyReceipt(receipt, REQUEST, ANSWER, verifier).index).toBe(3);
    const changed = (): unknown => verifyReceipt(change(receipt), REQUEST, ANSWER, verifier);
    expect(changed).toThrow(fault);
    expect(changed).toThrow('receipt: ');
  });

  test('is for one request, one answer and one key', async () => {
    const { receipt, verifier } = await given();
    expect(() => verifyReceipt(receipt, Buffer.from('x'), ANSWER, verifier)).toThrow('for another request');
    const other = Buffer.from(ANSWER.toString().toUpperCase());
    expect(() => verifyReceipt(receipt, REQUEST, other, verifier)).toThrow('for another answer');
    expect(() => verifyReceipt(receipt, REQUEST, Buffer.from(''), verifier)).toThrow('for 17 bytes, not 0');
    const stranger = verifierOf(newKey('comity.dev/eu/agent-1').vkey);
    expect(() => verifyReceipt(receipt, REQUEST, ANSWER, stranger)).toThrow('it has no signature of');
  });

  test('of what is no answer proves nothing', async () => {
    const { ledger } = await given();
    const leaf = Buffer.from(
      '{"agent":"agent-1","domain":"eu","jurisdiction":"EU","key":"k","kind":"start","minute":"2026-11-22T08:05Z","source":"store","v":1,"version":"1"}',
    );
    const salts = { requestSalt: new Uint8Array(16), answerSalt: new Uint8Array(16) };
    const receipt = { leaf, ...(await ledger.append(leaf)), ...salts, key: ledger.vkey };
    expect(() => verifyReceipt(receipt, REQUEST, ANSWER, verifierOf(ledger.vkey))).toThrow('of kind start');
  });
});

describe('heartbeats', () => {
  test('share a leaf for a minute, sixty answers, one consumer, one policy and a length', async () => {
    const { recorder, ledger, recorded, pass } = await opened();
    const size = (): number => ledger.head().size;
    const first = await recorded(STATUS);
    expect(first).toMatchObject({ times: 60, request: '', answer: '', bytes: ANSWER.length + 256 });
    for (let i = 1; i < 60; i++) expect(await recorded(STATUS)).toEqual(first);
    expect(size()).toBe(1);
    await recorded(STATUS);
    expect(size()).toBe(2);
    await recorded({ ...STATUS, policy: 'p2' });
    expect(size()).toBe(3);
    await recorded({ ...STATUS, policy: 'p2', consumer: { name: 'other', jurisdiction: 'US' } });
    expect(size()).toBe(4);
    await recorded({ ...STATUS, policy: 'p2' }, new Uint8Array(ANSWER.length + 257));
    expect(size()).toBe(5);
    pass(60_000);
    await recorded({ ...STATUS, policy: 'p2' });
    expect(size()).toBe(6);
    expect(recorder.bytesToday()).toBe(0);
  });

  test('prove their length and nothing more', async () => {
    const { recorder, ledger } = await opened();
    const verifier = verifierOf(ledger.vkey);
    const receipt = await recorder.record(STATUS, REQUEST, ANSWER);
    expect(verifyReceipt(receipt, REQUEST, Buffer.from('another'), verifier).leaf.times).toBe(60);
    expect(() => verifyReceipt(receipt, REQUEST, new Uint8Array(300), verifier)).toThrow('up to 273 bytes, not 300');
  });

  test('are the only ones that may', async () => {
    const { ledger } = await opened();
    const { consumer, ...rest } = DRAFT;
    const about = { v: 1, kind: 'release', domain: 'eu', agent: 'agent-1', minute: '2026-11-22T08:05Z' } as const;
    const { encodeLeaf } = await import('../../src/ledger/canonical.ts');
    const shared = {
      consumer: '0'.repeat(32),
      destination: consumer.jurisdiction,
      bytes: 100,
      times: 60,
      request: '',
      answer: '',
    };
    const leaf = encodeLeaf({ ...about, ...rest, ...shared });
    const salts = { requestSalt: new Uint8Array(16), answerSalt: new Uint8Array(16) };
    const receipt = { leaf, ...(await ledger.append(leaf)), ...salts, key: ledger.vkey };
    expect(() => verifyReceipt(receipt, REQUEST, ANSWER, verifierOf(ledger.vkey))).toThrow(
      'only heartbeats share a leaf',
    );
  });

  test('that could not be recorded are tried again', async () => {
    const { ledger, options } = await opened();
    let fails = true;
    const failing: Ledger = {
      ...ledger,
      append: async (leaf, extra) => {
        if (fails) throw new Error('full');
        return await ledger.append(leaf, extra);
      },
    };
    const recorder = await openRecorder(failing, options);
    await expect(recorder.record(STATUS, REQUEST, ANSWER)).rejects.toThrow('full');
    fails = false;
    expect((await recorder.record(STATUS, REQUEST, ANSWER)).index).toBe(0);
  });
});

describe('the bytes of a day', () => {
  test('are those of answers with data, from midnight UTC, also after a restart', async () => {
    const { ledger, recorder, pass, options } = await opened();
    await recorder.record(DRAFT, REQUEST, new Uint8Array(100));
    await recorder.record({ ...DRAFT, what: 'labels' }, REQUEST, new Uint8Array(10));
    await recorder.record({ ...DRAFT, decision: 'refused' }, REQUEST, new Uint8Array(1000));
    await recorder.record({ ...DRAFT, what: 'error', decision: 'released' }, REQUEST, new Uint8Array(1000));
    expect(recorder.bytesToday()).toBe(110);
    expect((await openRecorder(ledger, options)).bytesToday()).toBe(110);
    pass(15 * 60 * 60 * 1000 + 54 * 60_000);
    expect(recorder.bytesToday()).toBe(110);
    pass(60_000);
    expect(recorder.bytesToday()).toBe(0);
    await recorder.record(DRAFT, REQUEST, new Uint8Array(7));
    expect([recorder.bytesToday(), await ledger.bytesOf('2026-11-22')]).toEqual([7, 110]);
  });

  test('count what waits for its commit, and not what failed', async () => {
    const { ledger, options } = await opened();
    const stuck: ((error: Error) => void)[] = [];
    const slow: Ledger = { ...ledger, append: () => new Promise((_resolve, reject) => stuck.push(reject)) };
    const recorder = await openRecorder(slow, options);
    const under = recorder.record(DRAFT, REQUEST, new Uint8Array(100));
    expect(recorder.bytesToday()).toBe(100);
    stuck[0]!(new Error('full'));
    await expect(under).rejects.toThrow('full');
    expect(recorder.bytesToday()).toBe(0);
  });
});
