import { getEventListeners } from 'node:events';
import type { LimitFunction } from 'p-limit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openQueue } from '../../../src/hub/dispatch/queue.ts';
import { askDomain } from '../../../src/hub/dispatch.ts';
import { fakeDomain, question, START_MS } from './fakes.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

const NEVER = new AbortController().signal;

const limits: LimitFunction[] = vi.hoisted(() => []);
vi.mock('p-limit', async (original) => {
  const { default: pLimit } = await original<{ default: (n: number) => LimitFunction }>();
  return { default: (n: number) => limits[limits.push(pLimit(n)) - 1] };
});

it('runs so many at once, in the order in which they came, and holds so many more', async () => {
  const queue = openQueue(2, 3);
  const started: number[] = [];
  const ends = Array.from({ length: 8 }, () => Promise.withResolvers<void>());
  const runs = ends.map((end, i) =>
    queue.run(async () => {
      started.push(i);
      await end.promise;
      return i;
    }, NEVER),
  );
  expect(runs.map((run) => run === undefined)).toEqual([false, false, false, false, false, true, true, true]);
  await vi.runAllTimersAsync();
  expect([started, queue.running, queue.queued, queue.isIdle]).toEqual([[0, 1], 2, 3, false]);
  ends[1]!.resolve();
  await vi.runAllTimersAsync();
  expect([started, queue.running, queue.queued]).toEqual([[0, 1, 2], 2, 2]);
  for (const end of ends) end.resolve();
  await vi.runAllTimersAsync();
  expect(await Promise.all(runs.map(async (run) => run))).toEqual([0, 1, 2, 3, 4, undefined, undefined, undefined]);
  expect([queue.running, queue.queued, queue.isIdle]).toEqual([0, 0, true]);
});

it('one that is given up leaves, and its place is free at once', async () => {
  const queue = openQueue(1, 2);
  const end = Promise.withResolvers<void>();
  const started: string[] = [];
  const job = (name: string, signal: AbortSignal) =>
    queue.run(async () => {
      started.push(name);
      await end.promise;
    }, signal);
  const first = job('first', NEVER);
  // Again and again: what is given up must not pile up anywhere.
  for (let i = 0; i < 100; i++) {
    const gone = new AbortController();
    const [one, two] = [job('gone', gone.signal), job('gone too', gone.signal)];
    expect(job('too many', NEVER)).toBeUndefined();
    gone.abort(new Error('gone'));
    await expect(one).rejects.toThrow('gone');
    await expect(two).rejects.toThrow('gone');
    expect(queue.queued).toBe(0);
    expect(limits.at(-1)!.pendingCount).toBeLessThanOrEqual(2);
  }
  const last = job('last', NEVER);
  end.resolve();
  await Promise.all([first, last]);
  expect(started).toEqual(['first', 'last']);
});

it('one that fails makes room like any other', async () => {
  const queue = openQueue(1, 1);
  const failing = queue.run(() => Promise.reject(new Error('no')), NEVER);
  const next = queue.run(async () => 'done', NEVER);
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('done');
});

it('a domain is asked no more at once than it may be, and past its queue nothing', async () => {
  const { domain, seen, underWay } = fakeDomain({ a: [{ afterMs: 100 }] }, { maxConcurrent: 2, maxQueued: 3 });
  const asked = Array.from({ length: 7 }, () => askDomain(domain, question()));
  await vi.runAllTimersAsync();
  const answers = await Promise.all(asked);
  expect(answers.map((answer) => (answer.ok ? 'ok' : `${answer.outcome}: ${answer.reason}`))).toEqual([
    ...Array.from({ length: 5 }, () => 'ok'),
    'unreachable: its queue is full: 3 requests wait',
    'unreachable: its queue is full: 3 requests wait',
  ]);
  expect(underWay.most).toBe(2);
  // What is left of the time is what is left when it is sent.
  expect(seen.map(({ timeLeftMs }) => timeLeftMs)).toEqual([30_000, 30_000, 29_900, 29_900, 29_800]);
});

it('what nobody waits for any more is not sent', async () => {
  const { domain, seen, events } = fakeDomain({ a: [{ afterMs: 1_000 }] }, { maxConcurrent: 1 });
  const caller = new AbortController();
  const first = askDomain(domain, question());
  const gone = askDomain(domain, question({ signal: caller.signal })).catch((error: Error) => error.message);
  const late = askDomain(domain, question({ deadlineMs: Date.now() + 500 }));
  await vi.advanceTimersByTimeAsync(100);
  caller.abort();
  expect(await gone).toBe('the caller has gone');
  await vi.advanceTimersByTimeAsync(500);
  expect(await late).toMatchObject({ outcome: 'timeout', reason: 'its queue did not come to it by the deadline' });
  expect(domain.queue.queued).toBe(0);
  await vi.runAllTimersAsync();
  expect((await first).ok).toBe(true);
  expect(seen.length).toBe(1);
  expect(events).toEqual(['canceled', 'timeout', 'ok']);
});

it('a caller that goes ends what is under way for it', async () => {
  const { domain, seen, underWay } = fakeDomain({ a: [{ hangs: true }] });
  const caller = new AbortController();
  const asked = askDomain(domain, question({ signal: caller.signal })).catch((error: { code?: string }) => error.code);
  await vi.advanceTimersByTimeAsync(10);
  expect(underWay.now).toBe(1);
  caller.abort();
  expect(await asked).toBe('canceled');
  await vi.advanceTimersByTimeAsync(0);
  expect([underWay.now, seen[0]!.aborted, domain.queue.running]).toEqual([0, true, 0]);
  expect(vi.getTimerCount()).toBe(0);
});

it('one that comes while another ends starts as well', async () => {
  const queue = openQueue(1, 10);
  const done: number[] = [];
  const job = (n: number): Promise<void> | undefined =>
    queue.run(async () => {
      await Promise.resolve();
      done.push(n);
      // At every moment of the end of this one.
      let ticks = Promise.resolve();
      for (let i = 0; i < n; i++) ticks = ticks.then(() => undefined);
      if (n < 20) void ticks.then(() => job(n + 1));
    }, NEVER);
  void job(0);
  await vi.runAllTimersAsync();
  expect(done).toEqual(Array.from({ length: 21 }, (_none, n) => n));
});

it('what has begun is not given up with its caller', async () => {
  const queue = openQueue(1, 1);
  const gone = new AbortController();
  const end = Promise.withResolvers<string>();
  const run = queue.run(() => end.promise, gone.signal);
  await vi.runAllTimersAsync();
  gone.abort(new Error('gone'));
  end.resolve('done');
  expect(await run).toBe('done');
});

it('nothing stays with a caller whose question is answered', async () => {
  const { domain } = fakeDomain({ a: [{ error: 'ECONNREFUSED' }, {}] }, { maxConcurrent: 1 });
  const { signal } = new AbortController();
  const asked = Array.from({ length: 20 }, () => askDomain(domain, question({ signal })));
  await vi.runAllTimersAsync();
  await Promise.all(asked);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
