import { newKey, signerOf } from '../../../src/base/note-key.ts';
import { readCheckpoint, signCheckpoint } from '../../../src/ledger/checkpoint.ts';
import { encodeReleased, type Receipt } from '../../../src/plan/frames/receipt-codec.ts';
import { encodeStatusAnswer } from '../../../src/plan/frames/status-codec.ts';
import { statusOf } from '../dispatch/fakes.ts';
import { PLAYED_POLICY } from '../played-ledger.ts';
import type { Fault, Proving } from './fault.ts';

/** `forge` gives what is sent in the place of an answer with its receipt. */
const forged = (name: string, forge: NonNullable<Fault['receipt']>, more: Partial<Fault> = {}): Fault => ({
  name: `a receipt ${name}`,
  isPlain: true,
  receipt: forge,
  ...more,
});

const recorded = ({ ledger, endpoint, body, answer, leaf }: Proving, more: object = {}): Receipt =>
  ledger.record({ what: endpoint, request: body, answer, leaf: { ...leaf, ...more } });

/** A receipt that holds, but for what is changed of it. */
const changed = (name: string, change: (receipt: Receipt, proving: Proving) => Partial<Receipt>): Fault =>
  forged(name, (proving) => {
    // With entries before it, so that there is a proof.
    for (let i = 0; i < 3; i++) recorded(proving);
    const receipt = recorded(proving);
    return encodeReleased(proving.answer, { ...receipt, ...change(receipt, proving) });
  });

/** The request with another id, which stands at its end. */
function otherRequest(body: Uint8Array): Uint8Array {
  return Buffer.concat([body.subarray(0, -1), Buffer.of(body.at(-1)! ^ 1)]);
}

/** An answer whose receipt does not hold, or is of something else. */
export const RECEIPT_FAULTS: readonly Fault[] = [
  forged('that is missing', ({ answer }) => {
    const head = Buffer.from('080512', 'hex');
    const length: number[] = [];
    for (let left = answer.length; ; left >>>= 7) {
      length.push(left < 128 ? left : (left & 127) | 128);
      if (left < 128) break;
    }
    return Buffer.concat([head, Buffer.from(length), answer]);
  }),
  forged('of another answer', (proving) =>
    encodeReleased(proving.answer, recorded({ ...proving, answer: Buffer.concat([proving.answer, Buffer.of(0)]) })),
  ),
  forged('of another request', (proving) =>
    encodeReleased(proving.answer, recorded({ ...proving, body: otherRequest(proving.body) })),
  ),
  forged('of an earlier request, with its answer', async (proving) => {
    const body = otherRequest(proving.body);
    // The last bytes of an answer are the id of its request.
    const answer = Buffer.concat([proving.answer.subarray(0, -8), body.subarray(-8)]);
    return encodeReleased(answer, recorded({ ...proving, body, answer }));
  }),
  forged('of another kind of answer', (proving) =>
    encodeReleased(
      proving.answer,
      recorded({ ...proving, endpoint: proving.endpoint === 'query' ? 'labels' : 'query' }),
    ),
  ),
  forged('of another domain', (proving) => encodeReleased(proving.answer, recorded(proving, { domain: 'elsewhere' }))),
  forged('of another policy', (proving) => encodeReleased(proving.answer, recorded(proving, { policy: 'f00d' }))),
  forged('of a leaf that heartbeats share', (proving) =>
    encodeReleased(proving.answer, recorded(proving, { times: 60, request: '', answer: '' })),
  ),
  forged('of another agent’s ledger', async ({ other, endpoint, body, context, answer }) => {
    const { bytes } = await other.send(endpoint, body, context);
    // The answer of this one, and the rest of what the other sent.
    return Buffer.concat([bytes.subarray(0, 2), bytes.subarray(2), Buffer.of(0x12, 0), answer]);
  }),
  changed('that a forger signed', ({ checkpoint }, { ledger }) => {
    const forger = signerOf(newKey(ledger.signer.name).skey);
    return { checkpoint: signCheckpoint(readCheckpoint(checkpoint), { ...forger, id: ledger.signer.id }) };
  }),
  changed('whose signature has a bit changed', ({ checkpoint }) => {
    const at = checkpoint.length - 10;
    return { checkpoint: `${checkpoint.slice(0, at)}${checkpoint[at] === 'A' ? 'B' : 'A'}${checkpoint.slice(at + 1)}` };
  }),
  changed('with a hash of its proof changed', ({ proof }) => ({
    proof: proof.map((hash, i) => (i === 0 ? hash.map((byte) => byte ^ 1) : hash)),
  })),
  changed('with a hash too few', ({ proof }) => ({ proof: proof.slice(1) })),
  changed('with a hash too many', ({ proof }) => ({ proof: [...proof, new Uint8Array(32)] })),
  changed('with another index', ({ index }) => ({ index: index - 1 })),
  changed('with another leaf', ({ leaf }) => ({
    leaf: Buffer.from(leaf).map((byte, i) => (i === 30 ? byte ^ 1 : byte)),
  })),
  changed('with another salt', ({ answerSalt }) => ({ answerSalt: answerSalt.map((byte) => byte ^ 1) })),
  changed('under an older checkpoint', ({ index }, { ledger }) => ({ checkpoint: ledger.checkpoint(index) })),
  forged('of a ledger that has forked', (proving) => encodeReleased(proving.answer, recorded(proving)), {
    prime({ config: { name }, replicas: [replica] }, ledger) {
      const status = statusOf(name);
      const answer = encodeStatusAnswer({ status, id: new Uint8Array(8) });
      const request = Buffer.from('earlier');
      const bytes = ledger.fork(0).release({ what: 'status', request, answer, leaf: { policy: PLAYED_POLICY } });
      replica!.ledger.accept(replica!.ledger.open(bytes, { endpoint: 'status', request }), status);
    },
  }),
];
