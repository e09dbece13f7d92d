import { expect, test } from 'vitest';
import { exemplarRing } from '../../src/store/exemplars.ts';

test('the oldest exemplar goes first, and with the last of a series what is known of it', () => {
  const ring = exemplarRing([], 2);
  const add = (ref: number, timeMs: number): string => {
    const outcome = ring.stage({ ref, timeMs, value: 1, labels: [] }, timeMs);
    ring.commit();
    return outcome;
  };
  const outcomes = [add(1, 10), add(1, 9), add(2, 20), add(2, 30), add(1, 5), add(2, 30)];
  expect(outcomes).toEqual(['new', 'left out', 'new', 'new', 'new', 'known']);
  const held = (): (readonly number[])[] =>
    [...ring.within(0, 100)].map(([ref, some]) => [ref, ...some.map(({ timeMs }) => timeMs)]);
  expect(held()).toEqual([
    [2, 30],
    [1, 5],
  ]);
  ring.stage({ ref: 3, timeMs: 1, value: 1, labels: [] }, 1);
  ring.discard();
  ring.commit();
  expect([...ring.within(0, 100).keys()]).toEqual([2, 1]);
});

test('one that comes again is known, be it the newest or not, stored before or in the same append', () => {
  const ring = exemplarRing([], 10);
  const stage = (...times: readonly number[]): string[] =>
    times.map((timeMs) => ring.stage({ ref: 1, timeMs, value: 1, labels: ['a', 'b'] }, 1_000));
  expect(stage(10, 20, 10, 15, 20, 30)).toEqual(['new', 'new', 'known', 'left out', 'known', 'new']);
  ring.commit();
  expect(stage(40, 10, 20, 30, 35, 40)).toEqual(['new', 'known', 'known', 'known', 'left out', 'known']);
  ring.discard();
  expect(stage(40)).toEqual(['new']);
});

test('those that are removed are forgotten, and what is older than they were is taken', () => {
  const ring = exemplarRing([], 3);
  for (const timeMs of [5, 10, 20, 30]) ring.stage({ ref: 1, timeMs, value: 1, labels: [] }, 1_000);
  ring.commit();
  ring.remove(new Set([1]), 20, 30);
  ring.remove(new Set([2]), 0, 100);
  expect([...ring.within(0, 100).get(1)!].map(({ timeMs }) => timeMs)).toEqual([10]);
  expect(ring.stage({ ref: 1, timeMs: 15, value: 1, labels: [] }, 1_000)).toBe('new');
});
