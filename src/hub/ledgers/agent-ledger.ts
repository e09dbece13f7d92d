import { ComityError, messageOf } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { verifierOf, type NoteVerifier } from '../../base/note-key.ts';
import { openCheckpoint } from '../../ledger/checkpoint.ts';
import type { ReleaseLeaf } from '../../ledger/leaf.ts';
import { isConsistent } from '../../ledger/merkle.ts';
import { verifyReceipt } from '../../ledger/receipt.ts';
import type { LedgerAnswer } from '../../plan/frames/ledger-codec.ts';
import { decodeReleased } from '../../plan/frames/receipt-codec.ts';
import type { DomainStatus } from '../../plan/frames/status-codec.ts';
import type { Endpoint } from '../transport.ts';
import type { SignedRoot } from '../witness-db.ts';
import { openPending } from './pending.ts';
import { isSame, type Witness } from './witness.ts';

/** The ledger of one agent as the hub knows it: what every answer of the agent must be proven to be in. */
export interface AgentLedger {
  /**
   * The answer in what the agent sent, once its receipt holds. Throws `bad_data` saying what is wrong with the receipt, and
   * for all that comes from a ledger that has forked.
   */
  open(bytes: Uint8Array, asked: AskedAnswer): OpenedAnswer;
  /** Takes the receipt as the agent's, when its answer was read and is one. Throws `bad_data` where they do not fit. */
  accept(opened: OpenedAnswer, status: DomainStatus): void;
  /** Whether answers are not taken until something is proven. */
  isOverdue(): boolean;
  /** Sizes between which the log has still to be shown to have only grown, ascending; none where nothing is open. */
  untied(): readonly number[];
  /** Takes the proofs for these sizes. Throws `bad_data` for an answer that proves nothing; what disproves is a fork. */
  tie(sizes: readonly number[], answer: LedgerAnswer): void;
  /** Nothing could be proven, for a reason. After a while of that, answers are not taken any more. */
  notTied(reason: string): void;
  /** Of its key; undefined before one is known. */
  verifier(): NoteVerifier | undefined;
  /** Reads again what an operator may have changed. */
  refresh(): void;
  view(): LedgerView;
}

export interface AskedAnswer {
  readonly endpoint: Endpoint;
  /** The bytes of the request as they were sent. */
  readonly request: Uint8Array;
}

/** An answer whose receipt holds, and which nobody has read yet. */
export interface OpenedAnswer {
  readonly answer: Uint8Array;
  readonly leaf: ReleaseLeaf;
  readonly state: SignedRoot;
  readonly vkey: string;
}

/** A ledger for whoever looks at the hub. */
export interface LedgerView {
  /** Of its checkpoints; undefined before the first answer. */
  readonly origin: string | undefined;
  readonly key: string | undefined;
  readonly keySource: 'pinned' | 'first use' | undefined;
  /** Entries up to which the log is known to have only grown; 0 for none. */
  readonly witnessedSize: number;
  /** Checkpoints that were seen and are not tied to that yet. */
  readonly pending: number;
  /** Why nothing of it is believed; undefined where it has not forked. */
  readonly fork: string | undefined;
}

/** What happens to ledgers, for whoever counts or logs it. */
export interface LedgerEvents {
  /** A receipt held, or did not. */
  receipt(domain: string, holds: boolean): void;
  /** An agent's key is trusted from now on because it was the first. */
  trusted(domain: string, url: string, vkey: string): void;
  forked(domain: string, url: string, why: string): void;
  /** A checkpoint was forgotten before it was tied to the others. */
  checkpointDropped(domain: string): void;
  /** What the hub knows could not be written down. */
  witnessFault(error: unknown): void;
}

/** Whose ledger it is. */
export interface LedgerOwner {
  readonly domain: string;
  readonly url: string;
  /** The verifier key that the hub's configuration gives; without, the first one is trusted. */
  readonly ledgerKey?: string | undefined;
}

/** Of one agent: what a busy one gives out in some seconds. */
const PENDING_MAX = 1_024;

/** An agent that does not prove for so long that its ledger only grew is not believed any more. */
const UNTIED_MS_MAX = 60_000;

function overdueMs(sinceMs: number): number {
  return Date.now() - sinceMs - UNTIED_MS_MAX;
}

export function openAgentLedger(owner: LedgerOwner, witness: Witness, events: LedgerEvents): AgentLedger {
  const { domain, url, ledgerKey } = owner;
  const pending = openPending(PENDING_MAX, () => events.checkpointDropped(domain));
  let verifier: NoteVerifier | undefined;
  let failing: { readonly sinceMs: number; reason: string } | undefined;

  const knownKey = (): string | undefined => ledgerKey ?? witness.trustedKey(domain, url);
  const first = knownKey();
  if (first !== undefined) verifier = cached(verifierOf(first));

  function assertTrusted(): void {
    if (verifier === undefined) return;
    const fork = witness.fork(verifier.vkey);
    if (fork !== undefined) throw bad(`its ledger has forked: ${fork.why}`);
    if (failing === undefined || overdueMs(failing.sinceMs) <= 0) return;
    const seconds = Math.round((Date.now() - failing.sinceMs) / 1000);
    throw bad(`its ledger has not been shown for ${seconds} s to have only grown: ${failing.reason}`);
  }

  function forked(why: string, one: SignedRoot, other: SignedRoot): never {
    const { vkey } = verifier!;
    const isNew = witness.fork(vkey) === undefined;
    if (isNew) events.forked(domain, url, why);
    try {
      witness.addFork(vkey, { why, atMs: Date.now(), checkpoints: [one.checkpoint, other.checkpoint] });
    } catch (error) {
      events.witnessFault(error);
    }
    throw bad(`its ledger has forked: ${why}`);
  }

  /** Two states of one size are one state. */
  function compare(known: SignedRoot | undefined, state: SignedRoot): void {
    if (known === undefined || known.size !== state.size || isSame(known, state)) return;
    forked(`it has signed two logs of ${state.size} entries`, known, state);
  }

  function note(state: SignedRoot): void {
    const latest = witness.latest(verifier!.vkey);
    compare(latest, state);
    if (isSame(latest, state)) return;
    compare(pending.add(state), state);
  }

  function trust(vkey: string): void {
    try {
      witness.trust({ domain, url, vkey, atMs: Date.now() });
    } catch (error) {
      events.witnessFault(error);
      throw new ComityError('unavailable', 'the hub could not write down the key of its ledger', { cause: error });
    }
  }

  function verified({ answer, receipt }: Sent, { endpoint, request }: AskedAnswer): OpenedAnswer {
    if (receipt === undefined) throw bad('there is none');
    if (verifier !== undefined && receipt.key !== verifier.vkey) {
      const how = ledgerKey === undefined ? 'was trusted first' : 'the configuration gives';
      throw bad(`it is of another ledger than the one whose key ${how} (${verifier.name}+${verifier.id})`);
    }
    const by = verifier ?? cached(verifierOf(receipt.key));
    const { leaf, size, root } = verifyReceipt(receipt, request, answer, by);
    if (leaf.what !== endpoint) throw bad(`it is of an answer of another kind (${leaf.what})`);
    const state = { size, root, checkpoint: receipt.checkpoint };
    return { answer, leaf, state, vkey: by.vkey };
  }

  return {
    open(bytes, asked) {
      assertTrusted();
      const sent = readSent(bytes);
      try {
        const opened = verified(sent, asked);
        events.receipt(domain, true);
        return opened;
      } catch (error) {
        events.receipt(domain, false);
        throw bad(`its receipt cannot be believed: ${messageOf(error).replace(/^receipt: /, '')}`, error);
      }
    },
    accept({ leaf, state, vkey }, status) {
      if (leaf.domain !== status.domain) throw bad(`its receipt is of domain ${leaf.domain}`);
      if (leaf.policy !== status.policyDigest) throw bad('its receipt is of another policy than its status says');
      if (verifier === undefined) {
        trust(vkey);
        verifier = cached(verifierOf(vkey));
        events.trusted(domain, url, vkey);
        assertTrusted();
      } else if (verifier.vkey !== vkey) throw bad('its receipt is of another ledger than the one before');
      note(state);
    },
    isOverdue: () => failing !== undefined && overdueMs(failing.sinceMs) > 0,
    untied() {
      if (verifier === undefined || pending.count === 0 || witness.fork(verifier.vkey) !== undefined) return [];
      const latest = witness.latest(verifier.vkey);
      if (latest === undefined) return pending.sizes(LIMITS.ledgerSizes);
      return [...new Set([...pending.sizes(LIMITS.ledgerSizes - 1), latest.size])].sort((a, b) => a - b);
    },
    tie(sizes, { proofs, checkpoint }) {
      if (verifier === undefined) return;
      const latest = witness.latest(verifier.vkey);
      const { size, root } = openCheckpoint(checkpoint, verifier);
      const head = { size, root, checkpoint };
      const asked = sizes.map((one) => (one === latest?.size ? latest : pending.get(one)));
      // Another process or client of the witness may have moved it on meanwhile: the next time all is asked again.
      if (asked.includes(undefined)) return;
      const chain = asked as readonly SignedRoot[];
      for (const one of chain) compare(pending.get(one.size), one);
      const beyond = chain.find((one) => one.size > head.size);
      if (beyond !== undefined) {
        forked(`it has signed a log of ${beyond.size} entries, and now has ${head.size}`, beyond, head);
      }
      if (proofs.length !== chain.length) throw bad('its ledger gives another number of proofs than were asked for');
      for (const [i, one] of chain.entries()) {
        const next = chain[i + 1] ?? head;
        compare(one, next);
        if (isConsistent(one, next, proofs[i]!)) continue;
        forked(`its log of ${next.size} entries did not grow out of that of ${one.size}`, one, next);
      }
      failing = undefined;
      try {
        if (witness.advance(verifier.vkey, latest, head)) for (const one of chain) pending.remove(one.size);
      } catch (error) {
        events.witnessFault(error);
      }
    },
    notTied(reason) {
      failing = { sinceMs: failing?.sinceMs ?? Date.now(), reason };
    },
    verifier: () => verifier,
    refresh() {
      const key = knownKey();
      if (key !== verifier?.vkey) {
        verifier = key === undefined ? undefined : cached(verifierOf(key));
        pending.clear();
        failing = undefined;
      }
      if (verifier === undefined) return;
      const had = witness.fork(verifier.vkey) !== undefined;
      witness.refresh(verifier.vkey);
      if (had && witness.fork(verifier.vkey) === undefined) pending.clear();
    },
    view() {
      const latest = verifier === undefined ? undefined : witness.latest(verifier.vkey);
      return {
        origin: verifier?.name,
        key: verifier?.vkey,
        keySource: verifier === undefined ? undefined : ledgerKey === undefined ? 'first use' : 'pinned',
        witnessedSize: latest?.size ?? 0,
        pending: pending.count,
        fork: verifier === undefined ? undefined : witness.fork(verifier.vkey)?.why,
      };
    },
  };
}

type Sent = ReturnType<typeof decodeReleased>;

function readSent(bytes: Uint8Array): Sent {
  try {
    return decodeReleased(bytes);
  } catch (error) {
    throw bad(`an answer that cannot be read: ${messageOf(error)}`, error);
  }
}

/** Checkpoints whose signatures are remembered: those that an agent's answers to one dashboard carry. */
const CHECKED_MAX = 256;

/** Answers of one commit have one checkpoint, and its signature is most of what a receipt costs to check. */
function cached(verifier: NoteVerifier): NoteVerifier {
  const valid = new Set<string>();
  return {
    ...verifier,
    verify(message, signature) {
      const key = Buffer.concat([signature, message]).toString('latin1');
      if (valid.has(key)) return true;
      if (!verifier.verify(message, signature)) return false;
      if (valid.size >= CHECKED_MAX) valid.delete(valid.values().next().value!);
      valid.add(key);
      return true;
    },
  };
}

function bad(words: string, cause?: unknown): ComityError {
  return new ComityError('bad_data', words, { cause });
}
