import { expect, test } from 'vitest';
import { addId, firstSlot, hashSlots, idAt, nextSlot, NO_SLOT, removeId } from '../../../src/store/index/hash-slots.ts';
import { randomFrom } from '../../random.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(`ids are found by their hashes, many of which are equal or neighbours (SEED=${SEED})`, () => {
  const random = randomFrom(SEED);
  for (let round = 0; round < 50; round++) {
    const table = hashSlots();
    const hashes = Array.from(
      { length: 20 },
      () => random.pick([0, -1, 14, 15, 16, 31, 2 ** 31 - 1]) + random.int(0, 3),
    );
    const live = new Map<number, number>();
    for (let step = 0; step < 200; step++) {
      const id = random.int(0, 60);
      const hash = (live.get(id) ?? random.pick(hashes)) | 0;
      if (live.delete(id)) removeId(table, hash, id);
      else {
        live.set(id, hash);
        addId(table, hash, id);
      }
    }
    expect(table.used).toBe(live.size);
    for (const hash of new Set(hashes.map((one) => one | 0))) {
      const found: number[] = [];
      for (let slot = firstSlot(table, hash); slot !== NO_SLOT; slot = nextSlot(table, hash, slot)) {
        found.push(idAt(table, slot));
      }
      const want = [...live].filter(([, one]) => one === hash).map(([id]) => id);
      expect(found.sort((a, b) => a - b)).toEqual(want.sort((a, b) => a - b));
    }
  }
});
