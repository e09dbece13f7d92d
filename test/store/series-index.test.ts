import { randomFrom } from '../random.ts';
import { expect, test } from 'vitest';
import { labelsOf, type Labels } from '../../src/model/labels.ts';
import { exemplarRing } from '../../src/store/exemplars.ts';
import { labelTable } from '../../src/store/label-table.ts';
import { seriesIndex } from '../../src/store/series-index.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

function labelsAt(number: number): Labels {
  return labelsOf({ __name__: `m${number % 3}`, [`l${number % 5}`]: 'x', half: `${number >> 1}`, own: `${number}` });
}

test(`an index from which series were taken is as if they had never been in it (SEED=${SEED})`, () => {
  const random = randomFrom(SEED).next;
  const int = (below: number): number => Math.floor(random() * below);
  for (let round = 0; round < 50; round++) {
    const index = seriesIndex();
    let all: Labels[] = [];
    for (let step = 0; step < 20; step++) {
      for (let count = int(10); count > 0; count--) {
        const labels = labelsAt(int(40));
        if (index.find(labels) === undefined) all.push(index.labels(index.insert(labels)));
      }
      if (random() < 0.5) {
        all = all.slice(0, int(all.length + 1));
        index.truncate(all.length);
      }
    }
    expect(index.size).toBe(all.length);
    for (let number = 0; number < 40; number++) {
      const labels = labelsAt(number);
      const ref = all.findIndex((one) => one.join() === labels.join());
      expect(index.find(labels)).toBe(ref < 0 ? undefined : ref);
      const half = { name: 'half', op: '=', value: `${number >> 1}` } as const;
      const want = all.flatMap((one, at) =>
        one.includes(`${number >> 1}`) && one[one.indexOf('half') + 1] === half.value ? [at] : [],
      );
      expect([...index.match([half])].sort((a, b) => a - b)).toEqual(want);
    }
    const ofMetric = all.filter((one) => one.includes('m1')).length;
    expect(index.metricSize('m1')).toBe(ofMetric);
  }
});

test('label sets with one hash are found, added and taken out', () => {
  for (const count of [1, 2, 15, 16, 17, 40]) {
    const all: Labels[] = Array.from({ length: count }, (_, i) => labelsAt(i));
    const table = labelTable(all, () => 1);
    for (let kept = count - 1; kept >= 0; kept--) {
      for (let ref = all.findIndex((one) => table.find(one) === undefined); ref >= 0 && ref < count; ref++)
        table.insert(ref);
      for (let ref = count - 1; ref >= kept; ref--) table.remove(ref);
      expect(all.map((one) => table.find(one))).toEqual(all.map((_, ref) => (ref < kept ? ref : undefined)));
    }
  }
});

test('a label set that is taken over shares its strings, unless it is frozen', () => {
  const index = seriesIndex();
  const first = labelsAt(1);
  expect(index.labels(index.insert(first))).toBe(first);
  const equal = labelsAt(1);
  expect(index.isAt(0, equal)).toBe(true);
  index.takeOver(0, equal);
  expect(index.labels(0)).toBe(equal);
  const frozen = Object.freeze(labelsAt(1));
  index.takeOver(0, frozen);
  expect(index.labels(0)).toBe(equal);
  expect(index.isAt(0, labelsAt(2))).toBe(false);
  expect(index.isAt(-1, first)).toBe(false);
  expect(index.isAt(1, first)).toBe(false);
});

test('the oldest exemplar goes first, and with the last of a series what is known of it', () => {
  const ring = exemplarRing([], 2);
  const add = (ref: number, timeMs: number): string => {
    const outcome = ring.stage({ ref, timeMs, value: 1, labels: [] }, timeMs);
    ring.commit();
    return outcome;
  };
  expect([add(1, 10), add(1, 9), add(2, 20), add(2, 30), add(1, 5), add(2, 30)]).toEqual([
    'new',
    'left out',
    'new',
    'new',
    'new',
    'known',
  ]);
  expect([...ring.within(0, 100)].map(([ref, some]) => [ref, ...some.map(({ timeMs }) => timeMs)])).toEqual([
    [2, 30],
    [1, 5],
  ]);
  ring.stage({ ref: 3, timeMs: 1, value: 1, labels: [] }, 1);
  ring.discard();
  ring.commit();
  expect([...ring.within(0, 100).keys()]).toEqual([2, 1]);
});
