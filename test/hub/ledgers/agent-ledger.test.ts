import { describe, expect, it, vi } from 'vitest';
import { newKey } from '../../../src/base/note-key.ts';
import { openAgentLedger, type AgentLedger, type LedgerEvents } from '../../../src/hub/ledgers/agent-ledger.ts';
import { openWitness, type Witness } from '../../../src/hub/ledgers/witness.ts';
import { readCheckpoint } from '../../../src/ledger/checkpoint.ts';
import type { ReleaseLeaf } from '../../../src/ledger/leaf.ts';
import { decodeLedgerAnswer, encodeLedgerRequest } from '../../../src/plan/frames/ledger-codec.ts';
import { encodeReleased, type Receipt } from '../../../src/plan/frames/receipt-codec.ts';
import { REQUEST_ID } from '../../plan/beside.ts';
import { statusOf } from '../dispatch/fakes.ts';
import { PLAYED_POLICY, playedLedger, type PlayedLedger } from '../played-ledger.ts';

const REQUEST = Buffer.from('a request');
const ANSWER = Buffer.from('an answer');

interface Bench {
  readonly events: string[];
  readonly witness: Witness;
  readonly agent: PlayedLedger;
  readonly hub: AgentLedger;
}

function bench({ ledgerKey, witness = openWitness() }: { ledgerKey?: string; witness?: Witness } = {}): Bench {
  const events: string[] = [];
  const told: LedgerEvents = {
    receipt: (_domain, holds) => events.push(holds ? 'holds' : 'does not hold'),
    trusted: () => events.push('trusted'),
    forked: () => events.push('forked'),
    checkpointDropped: () => events.push('dropped'),
    witnessFault: () => events.push('fault'),
  };
  const hub = openAgentLedger({ domain: 'eu', url: 'http://a', ledgerKey }, witness, told);
  return { events, witness, agent: playedLedger('eu'), hub };
}

/** What the hub makes of a body, as `attempt` does. */
function take(
  hub: AgentLedger,
  body: Uint8Array,
  { request = REQUEST, domain = 'eu', policy = PLAYED_POLICY } = {},
): string {
  try {
    const opened = hub.open(body, { endpoint: 'query', request });
    hub.accept(opened, statusOf(domain, { policyDigest: policy }));
    return Buffer.from(opened.answer).toString();
  } catch (error) {
    return (error as Error).message;
  }
}

const honest = (agent: PlayedLedger, leaf: Partial<ReleaseLeaf> = {}): Uint8Array =>
  agent.release({ what: 'query', request: REQUEST, answer: ANSWER, leaf });

/** One round of what the hub asks after a heartbeat. */
function tie(hub: AgentLedger, agent: PlayedLedger, alter = (bytes: Uint8Array) => bytes): string {
  const request = { sizes: hub.untied(), id: REQUEST_ID };
  try {
    hub.tie(request.sizes, decodeLedgerAnswer(alter(agent.prove(encodeLedgerRequest(request))), request));
    return 'tied';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('an answer is taken', () => {
  it('when its receipt holds; the first key is trusted', () => {
    const { hub, agent, events } = bench();
    expect(hub.view()).toMatchObject({ key: undefined, keySource: undefined });
    expect([take(hub, honest(agent)), take(hub, honest(agent))]).toEqual(['an answer', 'an answer']);
    expect(events).toEqual(['holds', 'trusted', 'holds']);
    expect(hub.view()).toEqual({
      origin: 'comity.dev/eu/agent-1',
      key: agent.vkey,
      keySource: 'first use',
      witnessedSize: 0,
      pending: 2,
      fork: undefined,
    });
  });

  it('of a key that is pinned', () => {
    const agent = playedLedger('eu');
    const { hub, events } = bench({ ledgerKey: agent.vkey });
    expect(take(hub, honest(agent))).toBe('an answer');
    expect(events).toEqual(['holds']);
    expect(hub.view().keySource).toBe('pinned');
  });
});

describe('an answer is not taken', () => {
  const changed = (change: (receipt: Receipt) => Partial<Receipt>) => (agent: PlayedLedger) => {
    const receipt = agent.record({ what: 'query', request: REQUEST, answer: ANSWER });
    return encodeReleased(ANSWER, { ...receipt, ...change(receipt) });
  };
  const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
  const other = newKey('comity.dev/eu/agent-1');

  it.each<[name: string, body: (agent: PlayedLedger) => Uint8Array, words: RegExp]>([
    ['without a receipt', () => Buffer.from('080512020805', 'hex'), /^its receipt cannot be believed: there is none/],
    ['that is no Released', () => Buffer.from('none'), /^an answer that cannot be read: /],
    [
      'with the receipt of another answer',
      (agent) =>
        encodeReleased(Buffer.from('AN answer'), agent.record({ what: 'query', request: REQUEST, answer: ANSWER })),
      /^its receipt cannot be believed: its leaf is for another answer/,
    ],
    [
      'with the receipt of another request',
      (agent) => agent.release({ what: 'query', request: Buffer.from('A request'), answer: ANSWER }),
      /for another request/,
    ],
    [
      'of another kind',
      (agent) => agent.release({ what: 'labels', request: REQUEST, answer: ANSWER }),
      /of another kind/,
    ],
    [
      'whose leaf was changed',
      changed(({ leaf }) => ({ leaf: Buffer.from(String(Buffer.from(leaf)).replace('EU', 'US')) })),
      /proof/,
    ],
    ['whose index is another', changed(() => ({ index: 0 })), /proof/],
    ['whose proof was changed', changed(({ proof }) => ({ proof: proof.map(flipped) })), /proof/],
    ['whose proof lacks a hash', changed(({ proof }) => ({ proof: proof.slice(1) })), /proof/],
    [
      'whose checkpoint has another size',
      changed(({ checkpoint }) => ({ checkpoint: checkpoint.replace('\n4\n', '\n5\n') })),
      /signature/,
    ],
    [
      'that says another key',
      changed(() => ({ key: other.vkey })),
      /of another ledger than the one whose key was trusted first/,
    ],
    ['that says no key', changed(() => ({ key: 'secret' })), /of another ledger/],
    ['of another domain', (agent) => honest(agent, { domain: 'us' }), /^its receipt is of domain us$/],
    [
      'of another policy',
      (agent) => honest(agent, { policy: 'q' }),
      /^its receipt is of another policy than its status says$/,
    ],
    [
      'of another log',
      () => playedLedger('eu').release({ what: 'query', request: REQUEST, answer: ANSWER }),
      /of another ledger/,
    ],
    [
      'under a leaf of heartbeats',
      (agent) => honest(agent, { times: 60, request: '', answer: '' }),
      /only heartbeats share a leaf/,
    ],
  ])('%s', (_name, body, words) => {
    const { hub, agent } = bench();
    for (let i = 0; i < 3; i++) expect(take(hub, honest(agent))).toBe('an answer');
    const before = hub.view();
    expect(take(hub, body(agent))).toMatch(words);
    // Nothing of it is remembered, and the next one is taken.
    expect(hub.view()).toEqual(before);
    expect(take(hub, honest(agent))).toBe('an answer');
  });

  it('of another key than the one that is pinned', () => {
    const { hub, agent } = bench({ ledgerKey: other.vkey });
    expect(take(hub, honest(agent))).toMatch(/of another ledger than the one whose key the configuration gives/);
  });

  it('and its key is not trusted either', () => {
    const { hub, agent, events } = bench();
    expect(take(hub, honest(agent, { domain: 'us' }))).toMatch(/of domain us/);
    expect(take(hub, honest(agent, { policy: 'q' }))).toMatch(/another policy/);
    expect(events).not.toContain('trusted');
    expect(hub.view().key).toBeUndefined();
  });

  it('again: what is replayed is for another request', () => {
    const { hub, agent } = bench();
    const once = honest(agent);
    expect(take(hub, once)).toBe('an answer');
    expect(take(hub, once, { request: Buffer.from('the next request') })).toMatch(/another request/);
  });
});

describe('checkpoints are tied', () => {
  it('to one another, and what is newest is witnessed', () => {
    const { hub, agent, witness } = bench();
    for (let i = 0; i < 5; i++) take(hub, honest(agent));
    expect(hub.untied()).toEqual([1, 2, 3, 4, 5]);
    agent.record({ what: 'query', request: REQUEST, answer: ANSWER });
    expect(tie(hub, agent)).toBe('tied');
    expect(hub.view()).toMatchObject({ witnessedSize: 6, pending: 0 });
    expect(witness.latest(agent.vkey)?.checkpoint).toBe(agent.checkpoint());
    expect(hub.untied()).toEqual([]);
    // The next ones, and one from before that arrives late.
    const late = agent.record({ what: 'query', request: REQUEST, answer: ANSWER });
    for (let i = 0; i < 3; i++) take(hub, honest(agent));
    expect(tie(hub, agent)).toBe('tied');
    expect(take(hub, encodeReleased(ANSWER, late))).toBe('an answer');
    expect(hub.untied()).toEqual([7, 10]);
    expect(tie(hub, agent)).toBe('tied');
    expect(hub.view()).toMatchObject({ witnessedSize: 10, pending: 0, fork: undefined });
  });

  it('some at a time where they are many', () => {
    const { hub, agent } = bench();
    for (let i = 0; i < 100; i++) take(hub, honest(agent));
    const rounds: number[] = [];
    for (; hub.untied().length > 0; rounds.push(hub.view().pending)) expect(tie(hub, agent)).toBe('tied');
    // The last of them is witnessed after the first round.
    expect(rounds).toEqual([68, 36, 5, 0]);
    expect(hub.view().witnessedSize).toBe(100);
  });

  it('and forgotten past a bound, which is counted', () => {
    const { hub, agent, events } = bench();
    for (let i = 0; i < 1_030; i++) take(hub, honest(agent));
    expect(hub.view().pending).toBe(1_024);
    expect(events.filter((event) => event === 'dropped')).toHaveLength(6);
  });

  it('or not, for an answer that proves nothing', () => {
    const { hub, agent } = bench();
    for (let i = 0; i < 5; i++) take(hub, honest(agent));
    const elsewhere = playedLedger('eu');
    for (let i = 0; i < 9; i++) honest(elsewhere);
    expect(tie(hub, elsewhere)).toMatch(/no signature of/);
    const request = { sizes: hub.untied(), id: REQUEST_ID };
    const full = decodeLedgerAnswer(agent.prove(encodeLedgerRequest(request)), request);
    expect(() => hub.tie(request.sizes, { ...full, proofs: full.proofs.slice(1) })).toThrow(/another number of proofs/);
    expect(hub.view()).toMatchObject({ witnessedSize: 0, pending: 5, fork: undefined });
  });
});

describe('a fork', () => {
  const grow = (agent: PlayedLedger, by: number): void => {
    for (let i = 0; i < by; i++) agent.record({ what: 'query', request: REQUEST, answer: ANSWER });
  };
  const witnessed = (): Bench => {
    const made = bench();
    grow(made.agent, 3);
    expect(take(made.hub, honest(made.agent))).toBe('an answer');
    expect(tie(made.hub, made.agent)).toBe('tied');
    return made;
  };

  it.each<[name: string, cheat: (made: Bench) => void, words: string]>([
    [
      'of the witnessed size',
      ({ hub, agent }) => {
        const other = agent.fork(2);
        grow(other, 1);
        expect(take(hub, honest(other))).toMatch(/^its ledger has forked: it has signed two logs of 4 entries$/);
      },
      'it has signed two logs of 4 entries',
    ],
    [
      'of a size that was seen',
      ({ hub, agent }) => {
        const other = agent.fork(4);
        grow(agent, 1);
        grow(other, 1);
        take(hub, honest(agent));
        expect(take(hub, honest(other))).toMatch(/^its ledger has forked/);
      },
      'it has signed two logs of 6 entries',
    ],
    [
      'of another size, once proofs are asked for',
      ({ hub, agent }) => {
        const other = agent.fork(2);
        grow(other, 4);
        expect(take(hub, honest(other))).toBe('an answer');
        grow(agent, 9);
        expect(tie(hub, agent)).toMatch(/^its ledger has forked/);
      },
      'its log of 7 entries did not grow out of that of 4',
    ],
    [
      'that proves its own side',
      ({ hub, agent }) => {
        const other = agent.fork(2);
        grow(other, 4);
        take(hub, honest(other));
        expect(tie(hub, other)).toMatch(/^its ledger has forked/);
      },
      'its log of 7 entries did not grow out of that of 4',
    ],
    [
      'of which the witness was shown the other side by somebody else',
      ({ hub, agent, witness }) => {
        const other = agent.fork(4);
        grow(agent, 2);
        grow(other, 3);
        expect(take(hub, honest(agent))).toBe('an answer');
        const checkpoint = other.checkpoint();
        const { size, root } = readCheckpoint(checkpoint);
        expect(witness.advance(agent.vkey, witness.latest(agent.vkey), { size, root, checkpoint })).toBe(true);
        expect(tie(hub, other)).toMatch(/^its ledger has forked/);
      },
      'it has signed two logs of 7 entries',
    ],
    [
      'that lost entries',
      ({ hub, agent }) => {
        grow(agent, 3);
        take(hub, honest(agent));
        expect(tie(hub, agent.fork(6))).toMatch(/^its ledger has forked/);
      },
      'it has signed a log of 8 entries, and now has 6',
    ],
  ])('%s is found, and its evidence is kept', (_name, cheat, words) => {
    const made = witnessed();
    const { hub, agent, witness, events } = made;
    cheat(made);
    expect(events.filter((event) => event === 'forked')).toHaveLength(1);
    expect(hub.view().fork).toBe(words);
    const fork = witness.fork(agent.vkey)!;
    expect(fork.why).toBe(words);
    for (const checkpoint of fork.checkpoints) expect(checkpoint).toContain('— comity.dev/eu/agent-1 ');
    expect(fork.checkpoints[0]).not.toBe(fork.checkpoints[1]);
    // Nothing of the ledger is believed any more, whichever side it is of.
    for (const side of [agent, agent.fork(2)]) expect(take(hub, honest(side))).toBe(`its ledger has forked: ${words}`);
    expect(hub.untied()).toEqual([]);
  });
});

describe('an agent that proves nothing', () => {
  it('is believed for a minute', () => {
    vi.useFakeTimers({ now: 0 });
    const { hub, agent } = bench();
    take(hub, honest(agent));
    hub.notTied('the agent answered 503');
    vi.setSystemTime(60_000);
    expect([hub.isOverdue(), take(hub, honest(agent))]).toEqual([false, 'an answer']);
    vi.setSystemTime(75_000);
    hub.notTied('the agent answered 404');
    expect(hub.isOverdue()).toBe(true);
    expect(take(hub, honest(agent))).toBe(
      'its ledger has not been shown for 75 s to have only grown: the agent answered 404',
    );
    expect(tie(hub, agent)).toBe('tied');
    expect([hub.isOverdue(), take(hub, honest(agent))]).toEqual([false, 'an answer']);
    vi.useRealTimers();
  });
});
