import { expect, test } from 'vitest';
import { keyInventory, VALUES_MAX } from '../../src/policy/key-inventory.ts';

test('keys are told by place, with how many values are behind them', () => {
  const inventory = keyInventory();
  for (let i = 0; i < 7; i++) inventory.seen('span', 'demo.tier', `tier ${i % 3}`);
  inventory.seen('event', 'demo.tier', 'x');
  inventory.seen('span', '__proto__', '');
  expect(inventory.all()).toEqual([
    { place: 'event', key: 'demo.tier', times: 1, values: 1 },
    { place: 'span', key: '__proto__', times: 1, values: 1 },
    { place: 'span', key: 'demo.tier', times: 7, values: 3 },
  ]);
  expect(inventory.left).toBe(0);
});

test('values are told apart up to a bound, by all but the ends of long ones', () => {
  const inventory = keyInventory();
  for (let i = 0; i < VALUES_MAX - 1; i++) inventory.seen('span', 'some', `value ${i}`);
  for (let i = 0; i < 10_000; i++) inventory.seen('span', 'many', `value ${i}`);
  for (let i = 0; i < 5; i++) inventory.seen('span', 'long', 'x'.repeat(1000 + i));
  const values = Object.fromEntries(inventory.all().map((one) => [one.key, one.values]));
  expect(values).toEqual({ some: VALUES_MAX - 1, many: VALUES_MAX, long: 5 });
});

test('what is held is bounded, whatever is sent', () => {
  const inventory = keyInventory();
  for (let i = 0; i < 3_000; i++) inventory.seen('span', `key ${i}`, 'x');
  inventory.seen('span', 'x'.repeat(1000), 'x');
  expect(inventory.all()).toHaveLength(2_000);
  expect(inventory.left).toBe(1_001);
  inventory.seen('span', 'key 7', 'y');
  expect(inventory.all().find(({ key }) => key === 'key 7')).toMatchObject({ times: 2, values: 2 });
});

test('no value and nothing that could be looked up is kept', () => {
  const inventory = keyInventory();
  inventory.seen('span', 'user.id', 'alice');
  expect(JSON.stringify(inventory.all())).toBe('[{"place":"span","key":"user.id","times":1,"values":1}]');
});
