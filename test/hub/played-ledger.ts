import { createHash } from 'node:crypto';
import type { Border } from '../../src/border/border.ts';
import { newKey, signerOf, type NoteSigner } from '../../src/base/note-key.ts';
import type { Transport } from '../../src/hub/transport.ts';
import { encodeLeaf } from '../../src/ledger/canonical.ts';
import { readCheckpoint, signCheckpoint } from '../../src/ledger/checkpoint.ts';
import type { ReleaseKind, ReleaseLeaf } from '../../src/ledger/leaf.ts';
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  rootOf,
  subtreesCompletedBy,
  type ReadSubtree,
} from '../../src/ledger/merkle.ts';
import { decodeLedgerRequest, encodeLedgerAnswer } from '../../src/plan/frames/ledger-codec.ts';
import { encodeReleased, type Receipt } from '../../src/plan/frames/receipt-codec.ts';

/** What is recorded of an answer. */
export interface Recorded {
  readonly what: ReleaseKind;
  readonly request: Uint8Array;
  readonly answer: Uint8Array;
  /** Of the leaf, in the place of what an honest agent writes. */
  readonly leaf?: Partial<ReleaseLeaf>;
}

/** An agent's ledger in memory, without a thread or a promise, which a test can also make lie. */
export interface PlayedLedger {
  readonly vkey: string;
  readonly signer: NoteSigner;
  readonly size: number;
  /** Appends the leaf of an answer and gives its receipt under a checkpoint of its own. */
  record(recorded: Recorded): Receipt;
  /** The same with the answer, as an agent sends it. */
  release(recorded: Recorded): Uint8Array;
  /** The answer to a request for proofs of consistency. */
  prove(request: Uint8Array): Uint8Array;
  /** Of the first `size` leaves; of all when left out. */
  checkpoint(size?: number): string;
  consistency(from: number, to: number): readonly Uint8Array[];
  /** Another log of the same key, with the first `size` leaves of this one. */
  fork(size: number): PlayedLedger;
}

/** The digest of the policy in the leaves and in the statuses of played agents. */
export const PLAYED_POLICY = 'p';

export function playedLedger(domain: string, agent = 'agent-1'): PlayedLedger {
  return ledgerOver(domain, agent, signerOf(newKey(`comity.dev/${domain}/${agent}`).skey), []);
}

function ledgerOver(domain: string, agent: string, signer: NoteSigner, leaves: readonly Uint8Array[]): PlayedLedger {
  const entries: Uint8Array[] = [];
  const subtrees: Uint8Array[][] = [];
  const read: ReadSubtree = (level, position) => subtrees[level]![position]!;
  const append = (leaf: Uint8Array): void => {
    for (const [level, hash] of subtreesCompletedBy(entries.length, leafHash(leaf), read).entries()) {
      (subtrees[level] ??= []).push(hash);
    }
    entries.push(leaf);
  };
  for (const leaf of leaves) append(leaf);

  const checkpoint = (size = entries.length): string =>
    signCheckpoint({ origin: signer.name, size, root: rootOf(size, read) }, signer);

  function record({ what, request, answer, leaf }: Recorded): Receipt {
    const [requestSalt, answerSalt] = [
      crypto.getRandomValues(new Uint8Array(16)),
      crypto.getRandomValues(new Uint8Array(16)),
    ];
    const index = entries.length;
    const full: ReleaseLeaf = {
      v: 1,
      kind: 'release',
      what,
      domain,
      agent,
      minute: '2026-01-01T00:00Z',
      consumer: '0'.repeat(32),
      destination: 'EU',
      policy: PLAYED_POLICY,
      decision: 'released',
      fragments: [],
      bytes: answer.length,
      request: commitment(requestSalt, request),
      answer: commitment(answerSalt, answer),
      ...leaf,
    };
    append(encodeLeaf(full));
    const proof = inclusionProof(index, entries.length, read);
    return { leaf: entries[index]!, index, checkpoint: checkpoint(), proof, requestSalt, answerSalt, key: signer.vkey };
  }

  return {
    vkey: signer.vkey,
    signer,
    get size() {
      return entries.length;
    },
    record,
    release: (recorded) => encodeReleased(recorded.answer, record(recorded)),
    prove(request) {
      const { sizes, id } = decodeLedgerRequest(request);
      const reached = sizes.filter((size) => size <= entries.length);
      const proofs = reached.map((size, i) => consistencyProof(size, reached[i + 1] ?? entries.length, read));
      return encodeLedgerAnswer({ proofs, checkpoint: checkpoint(), id });
    },
    checkpoint,
    consistency: (from, to) => consistencyProof(from, to, read),
    fork: (size) => ledgerOver(domain, agent, signer, entries.slice(0, size)),
  };
}

/** What a border records with and is asked proofs of. */
export function playedBook(ledger: PlayedLedger): Pick<Border, 'recorder' | 'ledger'> {
  return {
    recorder: {
      record: async ({ what, policy, decision, fragments }, request, answer) =>
        ledger.record({ what, request, answer, leaf: { policy, decision, fragments } }),
      bytesToday: () => 0,
    },
    ledger: {
      head() {
        const checkpoint = ledger.checkpoint();
        return { checkpoint, ...readCheckpoint(checkpoint) };
      },
      async consistency(sizes) {
        const chain = [...sizes, ledger.size];
        const proofs = sizes.map((from, i) => ({
          from,
          to: chain[i + 1]!,
          proof: ledger.consistency(from, chain[i + 1]!),
        }));
        return { checkpoint: ledger.checkpoint(), proofs };
      },
    },
  };
}

function commitment(salt: Uint8Array, bytes: Uint8Array): string {
  return createHash('sha256').update(salt).update(bytes).digest('hex');
}

/** A way to an agent whose plain answers get receipts of the ledger; errors go as they are. `inner` is not asked of the ledger. */
export function withReceipts(inner: Transport, ledger: PlayedLedger, policy = PLAYED_POLICY): Transport {
  return {
    async send(endpoint, body, context) {
      if (endpoint === 'ledger') return sent(ledger.prove(body));
      const answer = await inner.send(endpoint, body, context);
      if (answer.statusCode !== 200) return answer;
      const bytes = ledger.release({ what: endpoint, request: body, answer: answer.bytes, leaf: { policy } });
      return { ...answer, bytes, wireBytes: bytes.length };
    },
    close: inner.close,
  };
}

function sent(bytes: Uint8Array): Awaited<ReturnType<Transport['send']>> {
  return { statusCode: 200, bytes, wireBytes: bytes.length };
}
