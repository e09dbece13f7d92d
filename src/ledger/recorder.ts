import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Receipt } from '../plan/frames/receipt-codec.ts';
import { encodeLeaf } from './canonical.ts';
import { minuteOf, type ReleaseDraft, type ReleaseLeaf } from './leaf.ts';
import type { Inclusion, Ledger } from './ledger.ts';

/** Records releases before they are sent. */
export interface Recorder {
  /**
   * Resolves with the proof once the record of an answer is on disk. Fails with `unavailable` when it cannot be written, and
   * with `limit` when it would be longer than a leaf may be: the answer must not leave then.
   *
   * Heartbeats (`status`) come every few seconds and share a leaf: by consumer and policy, for a minute at the most.
   */
  record(draft: ReleaseDraft, request: Uint8Array, answer: Uint8Array): Promise<Receipt>;
  /** Bytes of the answers with data that were recorded since midnight UTC, also before a restart. */
  bytesToday(): number;
}

export interface RecorderOptions {
  readonly domain: string;
  readonly agent: string;
  /** The key of consumers' pseudonyms; it stays in the domain. */
  readonly consumerKey: Uint8Array;
  readonly now: () => number;
}

/** What the domain's keys derive that key by. */
export const CONSUMER_KEY = { name: 'ledger consumers', epoch: 0 } as const;

const SALT_BYTES = 16;
const PSEUDONYM_HEX = 32;

/** A leaf that heartbeats share stands for so many, each so much longer than the first at the most. */
const TIMES = 60;
const SPARE_BYTES = 256;

interface Shared {
  readonly minute: string;
  readonly policy: string;
  readonly bytes: number;
  readonly receipt: Promise<Receipt>;
  left: number;
}

/** Starts to record into a ledger; asks it what was released today. */
export async function openRecorder(ledger: Ledger, options: RecorderOptions): Promise<Recorder> {
  const { domain, agent, consumerKey, now } = options;
  const shared = new Map<string, Shared>();
  // Consumers are those of the configuration, so there are few.
  const pseudonyms = new Map<string, string>();
  let day = dayOf(minuteOf(now()));
  let released = await ledger.bytesOf(day);

  function leafOf(
    draft: ReleaseDraft,
    minute: string,
    rest: Pick<ReleaseLeaf, 'bytes' | 'times' | 'request' | 'answer'>,
  ) {
    const { consumer, ...decided } = draft;
    let pseudonym = pseudonyms.get(consumer.name);
    if (pseudonym === undefined) {
      pseudonym = createHmac('sha256', consumerKey).update(consumer.name).digest('hex').slice(0, PSEUDONYM_HEX);
      pseudonyms.set(consumer.name, pseudonym);
    }
    const destination = consumer.jurisdiction;
    return encodeLeaf({
      v: 1,
      kind: 'release',
      domain,
      agent,
      minute,
      destination,
      consumer: pseudonym,
      ...decided,
      ...rest,
    });
  }

  function add(at: string, bytes: number): void {
    if (at > day) [day, released] = [at, 0];
    if (at === day) released += bytes;
  }

  async function recordOne(draft: ReleaseDraft, request: Uint8Array, answer: Uint8Array): Promise<Receipt> {
    const minute = minuteOf(now());
    const salts = { request: randomBytes(SALT_BYTES), answer: randomBytes(SALT_BYTES) };
    const leaf = leafOf(draft, minute, {
      bytes: answer.length,
      request: commitment(salts.request, request),
      answer: commitment(salts.answer, answer),
    });
    if (!hasData(draft)) return receiptOf(leaf, await ledger.append(leaf, { salts }), salts, ledger.vkey);
    const at = dayOf(minute);
    // Counted from now on, so that answers that wait for their commit together cannot pass a budget together.
    add(at, answer.length);
    try {
      const inclusion = await ledger.append(leaf, { salts, released: { day: at, bytes: answer.length } });
      return receiptOf(leaf, inclusion, salts, ledger.vkey);
    } catch (error) {
      add(at, -answer.length);
      throw error;
    }
  }

  async function recordShared(draft: ReleaseDraft, answer: Uint8Array): Promise<Receipt> {
    const minute = minuteOf(now());
    const key = JSON.stringify([draft.consumer.name, draft.consumer.jurisdiction]);
    const known = shared.get(key);
    if (known !== undefined && known.minute === minute && known.policy === draft.policy && known.left > 0) {
      if (answer.length <= known.bytes) {
        known.left--;
        return await known.receipt;
      }
    }
    const bytes = answer.length + SPARE_BYTES;
    const leaf = leafOf(draft, minute, { bytes, times: TIMES, request: '', answer: '' });
    const receipt = ledger.append(leaf).then((at) => receiptOf(leaf, at, NO_SALTS, ledger.vkey));
    const one = { minute, policy: draft.policy, bytes, receipt, left: TIMES - 1 };
    shared.set(key, one);
    try {
      return await receipt;
    } catch (error) {
      // The next one tries anew.
      if (shared.get(key) === one) shared.delete(key);
      throw error;
    }
  }

  return {
    record: (draft, request, answer) =>
      draft.what === 'status' ? recordShared(draft, answer) : recordOne(draft, request, answer),
    bytesToday() {
      add(dayOf(minuteOf(now())), 0);
      return released;
    },
  };
}

/** Sixteen zeros where there is nothing that they would salt. */
const NO_SALTS = { request: new Uint8Array(SALT_BYTES), answer: new Uint8Array(SALT_BYTES) };

/** What a leaf says of bytes without telling them: SHA-256 over a salt and them, in hex. */
export function commitment(salt: Uint8Array, bytes: Uint8Array): string {
  return createHash('sha256').update(salt).update(bytes).digest('hex');
}

/** Refusals, errors and heartbeats carry no data, and none of them may use up what queries may. */
function hasData({ what, decision }: ReleaseDraft): boolean {
  return decision !== 'refused' && what !== 'status' && what !== 'error';
}

function receiptOf(
  leaf: Uint8Array,
  inclusion: Inclusion,
  salts: { readonly request: Uint8Array; readonly answer: Uint8Array },
  key: string,
): Receipt {
  return { leaf, ...inclusion, requestSalt: salts.request, answerSalt: salts.answer, key };
}

function dayOf(minute: string): string {
  return minute.slice(0, 'YYYY-MM-DD'.length);
}
