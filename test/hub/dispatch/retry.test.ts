import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askDomain } from '../../../src/hub/dispatch.ts';
import { fakeDomain, question, START_MS, type Reply } from './fakes.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const GOOD: Reply = {};

describe('what failed is tried again', () => {
  it.each<[what: string, replies: readonly Reply[], sends: number, outcome: string, reason: string]>([
    ['an answer', [GOOD], 1, 'ok', ''],
    ['a refused connection', [{ error: 'ECONNREFUSED' }, GOOD], 2, 'ok', ''],
    ['a reset connection', [{ error: 'ECONNRESET' }, GOOD], 2, 'ok', ''],
    ['a closed socket', [{ error: 'UND_ERR_SOCKET' }, { error: 'UND_ERR_SOCKET' }, GOOD], 3, 'ok', ''],
    ['three times at most', [{ error: 'ECONNREFUSED' }], 3, 'unreachable', 'connection refused'],
    ['not a host that is not there', [{ error: 'ENOTFOUND' }], 1, 'unreachable', 'host not found'],
    ['a gateway without its agent', [{ status: 502, code: 'none' }, { status: 504, code: 'none' }, GOOD], 3, 'ok', ''],
    ['an agent that starts', [{ status: 503, code: 'none' }, GOOD], 2, 'ok', ''],
    ['an overloaded agent', [{ status: 503, code: 'overloaded', retryAfterMs: 2_000 }, GOOD], 2, 'ok', ''],
    [
      'not past the deadline',
      [{ status: 503, code: 'overloaded', retryAfterMs: 31_000 }],
      1,
      'unreachable',
      'it is overloaded (try again in 31 s)',
    ],
    ['a proxy that limits', [{ status: 429, code: 'none', retryAfterMs: 1_000 }, GOOD], 2, 'ok', ''],
    [
      'not what is too much for the agent by itself',
      [{ status: 429, code: 'limit' }],
      1,
      'refused',
      'the agent answered 429 (limit)',
    ],
    ['not a fault of the agent', [{ status: 500, code: 'internal' }], 1, 'unreachable', 'the agent answered 500'],
    [
      'not a request that it cannot read',
      [{ status: 400, code: 'bad_data' }],
      1,
      'refused',
      'the agent answered 400 (bad_data)',
    ],
    [
      'not a wrong token',
      [{ status: 401, code: 'unauthorized' }],
      1,
      'refused',
      'the agent does not accept this hub’s token',
    ],
    [
      'not an answer that cannot be read',
      [{ unreadable: true }],
      1,
      'unreachable',
      'an answer that cannot be read: malformed',
    ],
  ])('%s', async (_what, replies, sends, outcome, reason) => {
    const { domain, seen, events } = fakeDomain({ a: replies });
    const asked = askDomain(domain, question());
    await vi.runAllTimersAsync();
    const answer = await asked;
    expect(answer.ok ? ['ok', ''] : [answer.outcome, answer.reason]).toEqual([outcome, reason]);
    expect(seen.length).toBe(sends);
    expect(events.filter((event) => event === 'retried').length).toBe(sends - 1);
    expect(events.at(-1)).toBe(outcome);
  });
});

it('waits longer each time, and as long as the agent says', async () => {
  const busy = { status: 503, code: 'overloaded', retryAfterMs: 3_000, afterMs: 0 };
  const { domain, seen } = fakeDomain({ a: [{ error: 'ECONNREFUSED', afterMs: 0 }, busy, GOOD] });
  const asked = askDomain(domain, question());
  await vi.runAllTimersAsync();
  await asked;
  expect(seen.map(({ atMs }) => atMs - START_MS)).toEqual([0, 100, 100 + 3_000 + 200]);
  expect(seen.map(({ timeLeftMs }) => timeLeftMs)).toEqual([30_000, 29_900, 26_700]);
});

it('goes to another replica at once, and then to the one that is there', async () => {
  const { domain, seen } = fakeDomain({
    a: [{ error: 'ECONNREFUSED', afterMs: 0 }, GOOD],
    b: [{ status: 503, code: 'overloaded', retryAfterMs: 1_000, afterMs: 0 }, GOOD],
  });
  const asked = askDomain(domain, question());
  await vi.runAllTimersAsync();
  const answer = await asked;
  expect(seen.map(({ url, atMs }) => [url, atMs - START_MS])).toEqual([
    ['a', 0],
    ['b', 0],
    ['b', 1_200],
  ]);
  expect(answer.ok && answer.replica.url).toBe('b');
});

it('asks only the one that it is told to', async () => {
  const { domain, seen } = fakeDomain({ a: [GOOD], b: [{ error: 'ECONNREFUSED' }] });
  const asked = askDomain(domain, question({ only: domain.replicas[1] }));
  await vi.runAllTimersAsync();
  await asked;
  expect(seen.map(({ url }) => url)).toEqual(['b', 'b', 'b']);
});

it('makes an outage no worse than by a fifth', async () => {
  const { domain, seen, events } = fakeDomain({ a: [{ status: 502, code: 'overloaded' }] });
  // A breaker that never opens, so that nothing else holds requests back.
  Object.assign(domain.replicas[0]!, { breaker: { state: 'closed', trial: undefined, enter: () => PERMIT } });
  const asked: Promise<unknown>[] = [];
  for (let i = 0; i < 500; i++) {
    asked.push(askDomain(domain, question()));
    await vi.advanceTimersByTimeAsync(10);
  }
  await vi.runAllTimersAsync();
  await Promise.all(asked);
  const retried = events.filter((event) => event === 'retried').length;
  expect(retried).toBeGreaterThan(80);
  expect(retried).toBeLessThanOrEqual(100);
  expect(seen.length).toBe(500 + retried);
});

const PERMIT = { succeeded: () => undefined, failed: () => undefined, dropped: () => undefined };

it('another trace goes with each request, of one trace', async () => {
  const { domain, seen } = fakeDomain({ a: [{ error: 'ECONNREFUSED' }, GOOD] });
  const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const asked = askDomain(domain, question({ trace }));
  await vi.runAllTimersAsync();
  await asked;
  const traces = seen.map((one) => one.trace);
  expect(new Set([...traces, trace]).size).toBe(3);
  for (const one of traces) expect(one).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
});
