import type { Asked } from '../../src/border/consumer.ts';
import type { ReleaseDraft } from '../../src/ledger/leaf.ts';
import type { Recorder } from '../../src/ledger/recorder.ts';
import { decodeReleased } from '../../src/plan/frames/receipt-codec.ts';
import { openReleased } from '../../src/border/released.ts';

/** What a border has recorded. */
export interface Records extends Recorder {
  readonly drafts: ReleaseDraft[];
  /** What `bytesToday` says. */
  today: number;
}

/** A recorder that keeps drafts in memory; its receipts prove nothing. */
export function recordsInMemory(): Records {
  const records: Records = {
    drafts: [],
    today: 0,
    async record(draft) {
      records.drafts.push(draft);
      const salt = new Uint8Array(16);
      const index = records.drafts.length - 1;
      const leaf = Buffer.from(JSON.stringify(draft));
      return { leaf, index, checkpoint: '', proof: [], requestSalt: salt, answerSalt: salt, key: '' };
    },
    bytesToday: () => records.today,
  };
  return records;
}

/** What a test asks as. */
export const ASKED: Asked = { body: new Uint8Array(0), consumer: { name: 'hub', jurisdiction: 'de' } };

/** The bytes of an answer in what was released. */
export function answerIn(released: unknown): Uint8Array {
  return decodeReleased(openReleased(released).bytes).answer;
}
