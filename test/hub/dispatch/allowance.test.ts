import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openAllowance, openCredit, type Allowance } from '../../../src/hub/dispatch/allowance.ts';
import { START_MS } from './fakes.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

function ask(allowance: Allowance, times: number): void {
  for (let i = 0; i < times; i++) allowance.asked();
}

/** How many more there are now. */
function takeAll(allowance: Allowance): number {
  let taken = 0;
  while (taken < 1_000 && allowance.take()) taken++;
  return taken;
}

it('a share of what was asked of late, and a few in any case', () => {
  const allowance = openAllowance(0.2, 10_000, 3);
  expect(takeAll(allowance)).toBe(3);
  ask(allowance, 100);
  expect(takeAll(allowance)).toBe(17);
  vi.advanceTimersByTime(5_000);
  ask(allowance, 50);
  expect(takeAll(allowance)).toBe(10);
  // The first hundred have passed, and what was taken then.
  vi.advanceTimersByTime(5_000);
  expect(takeAll(allowance)).toBe(0);
  ask(allowance, 50);
  expect(takeAll(allowance)).toBe(10);
  vi.advanceTimersByTime(60_000);
  expect(takeAll(allowance)).toBe(3);
});

it('a clock that is set back forgets what was, and no more', () => {
  const allowance = openAllowance(0.2, 10_000, 3);
  ask(allowance, 100);
  vi.setSystemTime(START_MS - 3_600_000);
  expect(takeAll(allowance)).toBe(3);
});

it('a share of all that was asked, of which so much is saved', () => {
  const credit = openCredit(0.05, 10);
  expect(takeAll(credit)).toBe(0);
  ask(credit, 19);
  expect(takeAll(credit)).toBe(0);
  ask(credit, 2);
  expect(takeAll(credit)).toBe(1);
  ask(credit, 10_000);
  expect(takeAll(credit)).toBe(10);
});
