import { describe, expect, test } from 'vitest';
import { byteTable, FORGOTTEN } from '../../src/wire/byte-table.ts';
import { randomFrom } from '../random.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const MEGABYTE = 1024 * 1024;

function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}

describe('a byte table', () => {
  test('finds a value by the same bytes in another buffer, at any place', () => {
    const table = byteTable<string>(MEGABYTE);
    for (let length = 0; length < 40; length++) {
      const key = Buffer.alloc(length, `key of ${length} bytes, `);
      table.set(key, 0, length, `value ${length}`);
      for (let shift = 0; shift < 8; shift++) {
        const elsewhere = Buffer.concat([Buffer.alloc(shift, 1), key, Buffer.alloc(9, 2)]);
        expect(table.get(elsewhere, shift, shift + length)).toBe(`value ${length}`);
        expect(table.get(elsewhere.subarray(shift), 0, length)).toBe(`value ${length}`);
      }
    }
    expect(table.size).toBe(40);
  });

  test('tells keys apart that differ in one bit, in their length or in their salt', () => {
    const table = byteTable<string>(MEGABYTE);
    for (let length = 1; length < 40; length++) {
      const key = Buffer.alloc(length, 'abcdefg');
      table.set(key, 0, length, 'value', length);
      for (let bit = 0; bit < length * 8; bit++) {
        const other = Buffer.from(key);
        other[bit >> 3]! ^= 1 << (bit & 7);
        expect(table.get(other, 0, length, length)).toBeUndefined();
      }
      expect(table.get(key, 0, length - 1, length)).toBeUndefined();
      expect(table.get(Buffer.concat([key, Buffer.alloc(1)]), 0, length + 1, length)).toBeUndefined();
      expect(table.get(key, 0, length, length + 1)).toBeUndefined();
      expect(table.get(key, 0, length)).toBeUndefined();
      expect(table.get(key, 0, length, length)).toBe('value');
    }
  });

  test('takes salts of all 32 bits, signed or not', () => {
    const table = byteTable<number>(MEGABYTE);
    const key = bytesOf('key');
    for (const salt of [0, 1, -1, 0x7fffffff, 0x80000000]) table.set(key, 0, 3, salt, salt);
    expect(table.size).toBe(5);
    for (const salt of [0, 1, -1, 0x7fffffff, 0x80000000]) expect(table.get(key, 0, 3, salt)).toBe(salt);
    expect(table.get(key, 0, 3, 0xffffffff)).toBe(-1);
  });

  test('replaces the value of a key', () => {
    const table = byteTable<string>(MEGABYTE);
    const key = bytesOf('key');
    table.set(key, 0, 3, 'first');
    table.set(key, 0, 3, 'second');
    expect(table.get(key, 0, 3)).toBe('second');
    expect(table.size).toBe(1);
  });

  test('forgets what is not used, keeps what is, and stays within its limit', () => {
    const limitBytes = 64 * 1024;
    const table = byteTable<number>(limitBytes);
    const used = bytesOf('used again and again');
    table.set(used, 0, used.length, -1);
    for (let i = 0; i < 20_000; i++) {
      const key = bytesOf(`a series that comes once, ${i}`);
      table.set(key, 0, key.length, i);
      expect(table.get(key, 0, key.length)).toBe(i);
      expect(table.get(used, 0, used.length)).toBe(-1);
      expect(table.bytes).toBeLessThanOrEqual(limitBytes);
    }
    const first = bytesOf('a series that comes once, 0');
    expect(table.get(first, 0, first.length)).toBeUndefined();
    expect(table.size).toBeGreaterThan(400);
    expect(table.size).toBeLessThan(limitBytes / 40);
  });

  test('keeps a set that fits, whatever comes once beside it', () => {
    const limitBytes = 1 * MEGABYTE;
    const table = byteTable<number>(limitBytes);
    // Two thirds of what fits, found one after the other again and again.
    const set = Array.from({ length: 2_000 }, (_, i) => Buffer.alloc(300, `series ${i} `));
    for (const [i, key] of set.entries()) table.set(key, 0, key.length, i);
    let once = 0;
    let missed = 0;
    for (let round = 0; round < 20; round++) {
      for (const [i, key] of set.entries()) {
        if (table.get(key, 0, key.length) !== i) {
          missed++;
          table.set(key, 0, key.length, i);
        }
        if (i % 10 !== 0) continue;
        const other = bytesOf(`comes once ${once++}`.padEnd(300));
        table.set(other, 0, other.length, -1);
      }
      expect(table.bytes).toBeLessThanOrEqual(limitBytes);
    }
    expect(missed).toBeLessThan(set.length / 10);
  });

  test('tells of each value where its bytes are, until it is forgotten', () => {
    const places = new Map<string, number>();
    const table = byteTable<string>(32 * 1024, (value, place) => {
      if (place === FORGOTTEN) expect(places.delete(value), value).toBe(true);
      else places.set(value, place);
    });
    for (let i = 0; i < 5_000; i++) {
      const text = `key ${i % 7 === 0 ? i % 70 : i}`;
      const key = bytesOf(text.repeat(1 + (i % 5)));
      if (table.get(key, 0, key.length, i % 3) === undefined)
        table.set(key, 0, key.length, `${i % 3} ${key.toString()}`, i % 3);
      expect(table.size).toBe(places.size);
      if (i % 100 === 0)
        for (const [value, place] of places) expect(table.keyAt(place).toString()).toBe(value.slice(2));
    }
    expect(places.size).toBeGreaterThan(50);
    expect(places.size).toBeLessThan(2_000);
  });

  test('does not give up all others for a key that takes half of the limit', () => {
    const table = byteTable<string>(1024);
    const small = bytesOf('small');
    const large = Buffer.alloc(600);
    table.set(small, 0, 5, 'small');
    table.set(large, 0, 600, 'large');
    expect(table.get(large, 0, 600)).toBeUndefined();
    expect(table.get(small, 0, 5)).toBe('small');
  });

  test(`does what a map of strings does, seed ${SEED}`, () => {
    const random = randomFrom(SEED);
    const table = byteTable<number>(16 * MEGABYTE);
    const map = new Map<string, number>();
    const keys = Array.from({ length: 3000 }, () => {
      const key = Buffer.alloc(random.int(0, 300));
      for (let i = 0; i < key.length; i++) key[i] = random.int(0, 3);
      return key;
    });
    for (let step = 0; step < 40_000; step++) {
      // Often in the order of the keys, which takes a shorter way.
      const key = random.chance(0.5) ? keys[step % keys.length]! : random.pick(keys);
      const salt = random.int(0, 1);
      const buffer = Buffer.concat([Buffer.alloc(random.int(0, 7)), key]);
      const start = buffer.length - key.length;
      const name = `${salt} ${key.toString('hex')}`;
      if (random.chance(0.3)) {
        table.set(buffer, start, buffer.length, step, salt);
        map.set(name, step);
      } else {
        expect(table.get(buffer, start, buffer.length, salt), `step ${step}`).toBe(map.get(name));
      }
    }
    expect(table.size).toBe(map.size);
  });
});
