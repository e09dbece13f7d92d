import { beforeEach, afterEach, describe, expect, it, vi } from 'vitest';
import { inOrder } from '../../../src/hub/dispatch/choose.ts';
import type { Replica } from '../../../src/hub/registry.ts';
import { fakeDomain, START_MS, statusOf } from './fakes.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

const HOUR_MS = 3_600_000;
const WINDOW = { fromMs: START_MS - 2 * HOUR_MS, toMs: START_MS - HOUR_MS };
const TO_NOW = { fromMs: START_MS - HOUR_MS, toMs: START_MS };

const told = (more: Parameters<typeof statusOf>[1]) => (replica: Replica) => {
  replica.lastStatus = statusOf('eu', more);
};
const isGone = (replica: Replica): void => {
  replica.reachable = false;
};
const isOpen = (replica: Replica): void => {
  for (let i = 0; i < 5; i++) replica.breaker.enter()!.failed('x');
};
const isTried = (replica: Replica): void => {
  isOpen(replica);
  replica.breaker.heard();
  replica.breaker.enter();
};
const takes = (ms: number) => (replica: Replica) => {
  replica.roundTripMs = ms;
};
const hole = (fromMs: number, toMs: number) => told({ gaps: [{ fromMs, toMs }] });
const inWindow = hole(WINDOW.fromMs + 60_000, WINDOW.fromMs + 120_000);

type What = Partial<Record<'a' | 'b' | 'c', ((replica: Replica) => void) | ((replica: Replica) => void)[]>>;

describe('replicas are asked', () => {
  it.each<[what: string, replicas: What, order: string, window?: typeof WINDOW]>([
    ['in their order', {}, 'abc'],
    ['last with a hole in the window', { a: inWindow }, 'bca'],
    ['a hole that begins where the window ends', { a: hole(WINDOW.toMs, START_MS) }, 'bca'],
    ['a hole that ends where it begins', { a: hole(0, WINDOW.fromMs) }, 'bca'],
    ['not for a hole before it', { a: hole(0, WINDOW.fromMs - 1) }, 'abc'],
    ['not for a hole elsewhere', { a: hole(WINDOW.toMs + 1, START_MS) }, 'abc'],
    ['late without what is before', { a: told({ heldFromMs: WINDOW.fromMs + 1 }) }, 'bca'],
    ['when they hold just that', { a: told({ heldFromMs: WINDOW.fromMs }) }, 'abc'],
    ['late when they are not heard', { a: isGone, b: isGone }, 'cab'],
    ['late when nothing may be sent', { a: isOpen }, 'bca'],
    ['late while one request decides', { b: isTried }, 'acb'],
    ['late when they lag', { a: told({ settledUntilMs: START_MS - 60_000 }) }, 'bca', TO_NOW],
    ['not when the window lies before that', { a: told({ settledUntilMs: START_MS - 60_000 }) }, 'abc', WINDOW],
    ['not when they lag by seconds', { a: told({ settledUntilMs: START_MS - 5_000 }) }, 'abc', TO_NOW],
    ['late when they are far away', { a: takes(200), b: takes(10), c: takes(12) }, 'bca'],
    ['not when others are little nearer', { a: takes(60), b: takes(10), c: takes(12) }, 'abc'],
    ['late when nothing is known of them', { b: takes(1) }, 'bac'],
    ['a hole is worse than being gone', { a: inWindow, b: isGone }, 'cba'],
    ['holding nothing is worse than being gone', { a: told({ heldFromMs: START_MS }), b: isGone }, 'cba'],
    ['being gone is worse than to lag', { a: isGone, b: told({ settledUntilMs: 0 }) }, 'cba', TO_NOW],
    [
      'lagging is worse than being far',
      { a: [told({ settledUntilMs: 0 }), takes(1)], b: takes(1_000), c: takes(1) },
      'cba',
      TO_NOW,
    ],
  ])('%s', (_what, replicas, order, window = WINDOW) => {
    const { domain } = fakeDomain({ a: [{}], b: [{}], c: [{}] });
    for (const replica of domain.replicas) {
      for (const change of [replicas[replica.url as 'a'] ?? []].flat()) change(replica);
    }
    const urls = (): string =>
      inOrder(domain.replicas, window)
        .map(({ url }) => url)
        .join('');
    expect(urls()).toBe(order);
    expect(urls()).toBe(order);
  });
});
