import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { heartbeatLoop } from '../../../src/hub/dispatch/heartbeat.ts';
import { askDomain } from '../../../src/hub/dispatch.ts';
import { openBreaker, type Breaker, type Permit } from '../../../src/hub/dispatch/breaker.ts';
import { fakeDomain, question, START_MS, type Reply } from './fakes.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Acts in turn, `+2s` for time that passes; gives the state after each. */
function statesAfter(acts: string): string {
  const breaker: Breaker = openBreaker();
  let permit: Permit | undefined;
  const act = (name: string): string => {
    const seconds = /^\+(\d+)s$/.exec(name)?.[1];
    if (seconds !== undefined) vi.advanceTimersByTime(Number(seconds) * 1000);
    else if (name === 'enter') {
      permit = breaker.enter();
      if (permit === undefined) return 'no';
    } else if (name === 'fail') (breaker.enter() ?? permit)?.failed('x');
    else if (name === 'works') breaker.enter()?.succeeded();
    else if (name === 'failed') permit?.failed('x');
    else if (name === 'succeeded') permit?.succeeded();
    else if (name === 'dropped') permit?.dropped();
    else if (name === 'heard') breaker.heard();
    else if (name === 'missed') breaker.missed('x');
    else throw new Error(name);
    return breaker.state;
  };
  return acts.split(' ').map(act).join(' ');
}

describe('a breaker', () => {
  it.each([
    ['opens after five failures in a row', 'fail fail fail fail fail', 'closed closed closed closed open'],
    ['counts from anew after a success', 'fail fail fail fail works fail', 'closed closed closed closed closed closed'],
    ['lets nothing through while open', 'fail fail fail fail fail enter', 'closed closed closed closed open no'],
    [
      'then lets one through',
      'fail fail fail fail fail +1s enter enter',
      'closed closed closed closed open half_open half_open no',
    ],
    [
      'closes when that goes well',
      'fail fail fail fail fail +1s enter succeeded',
      'closed closed closed closed open half_open half_open closed',
    ],
    [
      'waits twice as long when it fails',
      'fail fail fail fail fail +1s enter failed +1s +1s enter failed +3s +1s',
      'closed closed closed closed open half_open half_open open open half_open half_open open open half_open',
    ],
    [
      'tries another when that is given up',
      'fail fail fail fail fail +1s enter dropped enter',
      'closed closed closed closed open half_open half_open half_open half_open',
    ],
    [
      'is tried at once when it is heard',
      'fail fail fail fail fail heard enter',
      'closed closed closed closed open half_open half_open',
    ],
    [
      'forgets how long it waited once it works',
      'fail fail fail fail fail +1s enter failed +2s enter succeeded fail fail fail fail fail +1s',
      'closed closed closed closed open half_open half_open open half_open half_open closed ' +
        'closed closed closed closed open half_open',
    ],
    ['opens when it is not heard', 'missed missed missed missed missed', 'closed closed closed closed open'],
    [
      'not when it is heard in between',
      'missed missed missed missed heard missed',
      'closed closed closed closed closed closed',
    ],
    ['takes what is heard for no answer', 'fail fail fail fail heard fail', 'closed closed closed closed closed open'],
  ])('%s', (_what, acts, states) => {
    expect(statesAfter(acts)).toBe(states);
  });

  it('waits half a minute at most', () => {
    const breaker = openBreaker();
    for (let i = 0; i < 5; i++) breaker.enter()!.failed('x');
    const waits = Array.from({ length: 8 }, () => {
      const startMs = Date.now();
      while (breaker.state === 'open') vi.advanceTimersByTime(500);
      breaker.enter()!.failed('x');
      return (Date.now() - startMs) / 1000;
    });
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
  });
});

const REFUSED: Reply = { error: 'ENOTFOUND', afterMs: 0 };

async function ask(fakes: ReturnType<typeof fakeDomain>, more = {}): Promise<string> {
  const asked = askDomain(fakes.domain, question(more)).then(
    (answer) => (answer.ok ? 'ok' : `${answer.outcome}: ${answer.reason}`),
    (error: Error) => error.message,
  );
  await vi.advanceTimersByTimeAsync(31_000);
  return asked;
}

it('a domain that fails is not asked for a while, and says so', async () => {
  const fakes = fakeDomain({ a: (n) => (n < 5 ? REFUSED : {}) });
  const { domain, seen, events } = fakes;
  const asked = Array.from({ length: 5 }, () => askDomain(domain, question()));
  await vi.advanceTimersByTimeAsync(1);
  await Promise.all(asked);
  expect(events.at(-1)).toBe('unreachable');
  expect(events).toContain('a opened');
  const answer = await askDomain(domain, question());
  expect(answer).toMatchObject({
    outcome: 'unreachable',
    reason: 'not asked: 5 failures in a row, the last: host not found; next try in 1 s',
  });
  expect(seen.length).toBe(5);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await ask(fakes)).toBe('ok');
  expect(events.slice(-2)).toEqual(['a closed', 'ok']);
});

it('while one request decides, others wait for it a little', async () => {
  const { domain, seen } = fakeDomain({ a: (n) => (n < 5 ? REFUSED : { afterMs: n === 5 ? 400 : 0 }) });
  for (let i = 0; i < 5; i++) {
    const asked = askDomain(domain, question());
    await vi.advanceTimersByTimeAsync(1);
    await asked;
  }
  await vi.advanceTimersByTimeAsync(1_000);
  const asked = Array.from({ length: 6 }, () => askDomain(domain, question()));
  await vi.advanceTimersByTimeAsync(399);
  expect(seen.length).toBe(6);
  await vi.advanceTimersByTimeAsync(10);
  expect((await Promise.all(asked)).map(({ ok }) => ok)).toEqual(asked.map(() => true));
  expect(seen.length).toBe(11);
});

it('a trial that hangs keeps nobody for long', async () => {
  const { domain, seen } = fakeDomain({ a: (n) => (n < 5 ? REFUSED : { hangs: true }) });
  for (let i = 0; i < 5; i++) {
    const asked = askDomain(domain, question());
    await vi.advanceTimersByTimeAsync(1);
    await asked;
  }
  await vi.advanceTimersByTimeAsync(1_000);
  const trial = askDomain(domain, question());
  const other = askDomain(domain, question());
  await vi.advanceTimersByTimeAsync(1_001);
  expect(await other).toMatchObject({ reason: expect.stringMatching(/^not asked: .*; it is being tried$/) });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(await trial).toMatchObject({ outcome: 'timeout' });
  expect([seen.length, domain.replicas[0]!.breaker.state]).toEqual([6, 'open']);
});

function goingAfter(ms: number): AbortSignal {
  const caller = new AbortController();
  setTimeout(() => caller.abort(), ms);
  return caller.signal;
}

it('that nothing is sent any more does not hide what came of sending', async () => {
  const fakes = fakeDomain({ a: [{ error: 'ECONNREFUSED', afterMs: 0 }] });
  for (let i = 0; i < 4; i++) fakes.domain.replicas[0]!.breaker.enter()!.failed('x');
  expect(await ask(fakes)).toBe('unreachable: connection refused');
  expect([fakes.seen.length, fakes.events]).toEqual([1, ['a opened', 'retried', 'unreachable']]);
});

describe('who is to blame', () => {
  it.each<[what: string, reply: Reply, more: () => object, opens: boolean]>([
    ['an agent that does not answer', { hangs: true }, () => ({}), true],
    ['not for a caller that waits too short', { hangs: true }, () => ({ deadlineMs: Date.now() + 2_000 }), false],
    ['an agent that fails', { status: 500, code: 'internal' }, () => ({}), true],
    ['a proxy without its agent', { status: 502, code: 'none' }, () => ({}), true],
    ['an answer that cannot be read', { unreadable: true }, () => ({}), true],
    ['not what is overloaded', { status: 503, code: 'overloaded', retryAfterMs: 60_000 }, () => ({}), false],
    ['not what refuses', { status: 400, code: 'bad_data' }, () => ({}), false],
    ['not for a caller that goes', { hangs: true }, () => ({ signal: goingAfter(1_000) }), false],
  ])('%s', async (_what, reply, more, opens) => {
    const fakes = fakeDomain({ a: [reply] });
    for (let i = 0; i < 6; i++) await ask(fakes, more());
    expect(fakes.events.includes('a opened')).toBe(opens);
  });
});

it('an agent that refuses its hub is not kept from saying so', async () => {
  const fakes = fakeDomain({ a: [{ status: 401, code: 'unauthorized' }] });
  const stop = new AbortController();
  const loop = heartbeatLoop(fakes.domain, fakes.domain.replicas[0]!, 2_000, stop.signal);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await ask(fakes)).toBe('refused: the agent does not accept this hub’s token');
  stop.abort();
  await vi.advanceTimersByTimeAsync(0);
  await loop;
});

it('heartbeats open it, and a good one has it tried', async () => {
  let state: Reply = { error: 'ECONNREFUSED' };
  const fakes = fakeDomain({ a: () => state });
  const { domain, events } = fakes;
  const stop = new AbortController();
  const [replica] = domain.replicas;
  const loop = heartbeatLoop(domain, replica!, 2_000, stop.signal);
  await vi.advanceTimersByTimeAsync(7_900);
  expect([replica!.breaker.state, replica!.reachable]).toEqual(['closed', false]);
  await vi.advanceTimersByTimeAsync(200);
  expect([replica!.breaker.state, events]).toEqual(['open', ['a opened']]);
  // One that refuses is there, but nobody to ask first.
  state = { status: 401, code: 'unauthorized' };
  await vi.advanceTimersByTimeAsync(60_000);
  expect([replica!.breaker.state, replica!.reachable]).toEqual(['half_open', false]);
  // One that hangs is one that is not heard.
  state = { hangs: true };
  await vi.advanceTimersByTimeAsync(30_000);
  expect([replica!.breaker.state, replica!.reachable]).toEqual(['half_open', false]);
  expect(await ask(fakes)).toMatch(/^timeout: /);
  expect(replica!.breaker.state).toBe('open');
  state = {};
  await vi.advanceTimersByTimeAsync(7_000);
  expect([replica!.breaker.state, replica!.reachable, replica!.lastHeardMs > START_MS]).toEqual([
    'half_open',
    true,
    true,
  ]);
  expect(replica!.roundTripMs).toBeCloseTo(5, 0);
  expect(await ask(fakes)).toBe('ok');
  expect(replica!.breaker.state).toBe('closed');
  stop.abort();
  await vi.advanceTimersByTimeAsync(0);
  await loop;
  expect(vi.getTimerCount()).toBe(0);
});
