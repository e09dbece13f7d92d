import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareLabels, labelsFrom, labelsKey, type Labels } from '../../src/model/labels.ts';
import { admission } from '../../src/policy/admit.ts';
import { ATTRIBUTES } from '../../src/policy/attribute-table.ts';
import { domainKeys } from '../../src/policy/domain-key.ts';
import { LABELS } from '../../src/policy/label-classes.ts';
import { labelName } from '../../src/wire/otlp/names.ts';
import { randomFrom } from '../random.ts';

const keys = domainKeys(Buffer.alloc(32, 7));
const make = (root = keys) => admission({ keys: root, domainLabel: 'domain', now: () => 0 });

/** Names from every place of the tables, with some that are none. */
const NAMES = ['__name__', 'job', 'domain', 'le', 'shop', 'exported_email', 'exported_exported_email', 'userId'].concat(
  Object.values(LABELS).flatMap((labels) => labels.slice(0, 5)),
  Object.values(ATTRIBUTES).flatMap((entries) => entries.slice(0, 5).map((key) => labelName(key.replace('*', 'x'))!)),
);

const metric = fc.constantFrom('up', 'target_info', 'prometheus_remote_storage_shards', 'kube_secret_info');
const anyText = fc.oneof(
  fc.constantFrom('a', 'b', 'alice', '~', '\ud800', '\ud801', '\ufffd', '', '__other__'),
  fc.string({ unit: 'binary', maxLength: 12 }),
  // Halves of surrogate pairs too.
  fc.array(fc.nat(0xffff), { maxLength: 4 }).map((units) => String.fromCharCode(...units)),
);
const labelSet = fc
  .tuple(
    metric,
    fc.array(fc.tuple(fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 8 })), anyText), { maxLength: 6 }),
  )
  .map(([name, pairs]) => labelsFrom([...pairs, ['__name__', name]]));

const asked = make();

test('series stay apart, and equal ones equal', () => {
  fc.assert(
    fc.property(labelSet, labelSet, (a, b) => {
      const same = compareLabels(a, b) === 0;
      expect(compareLabels(asked.series(a), asked.series(b)) === 0).toBe(same);
    }),
    { numRuns: 3000 },
  );
});

/** Two sets that differ in one value alone are the ones most easily merged. */
test('series that differ in one value stay apart', () => {
  fc.assert(
    fc.property(labelSet, fc.constantFrom(...NAMES.slice(1)), anyText, anyText, (labels, name, one, other) => {
      const pairs: [string, string][] = [];
      for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!]);
      const [a, b] = [one, other].map((value) => asked.series(labelsFrom([...pairs, [name, value]])));
      expect(labelsKey(a!) === labelsKey(b!)).toBe(one === other);
    }),
    { numRuns: 3000 },
  );
});

test('what is stored is sorted, without empty values, with the same names and a short value where one is replaced', () => {
  fc.assert(
    fc.property(labelSet, (labels) => {
      const stored = asked.series(labels);
      expect(labelsFrom(pairsOf(stored))).toEqual(stored);
      expect(stored.filter((_, i) => i % 2 === 0)).toEqual(labels.filter((_, i) => i % 2 === 0));
      for (const [i, [, value]] of pairsOf(stored).entries()) {
        if (value !== labels[i * 2 + 1]) expect(value).toMatch(/^~[\w-]{22}$/);
      }
    }),
    { numRuns: 1000 },
  );
});

test('admissions under one key agree, after whatever they saw, and under another they do not', () => {
  const other = make(domainKeys(Buffer.alloc(32, 8)));
  fc.assert(
    fc.property(labelSet, anyText, (labels, value) => {
      const fresh = make();
      expect(fresh.series(labels)).toEqual(asked.series(labels));
      expect(fresh.attribute('user.id', value)).toBe(asked.attribute('user.id', value));
      if (asked.series(labels) !== labels) expect(other.series(labels)).not.toEqual(asked.series(labels));
      if (value !== '') expect(other.attribute('user.id', value)).not.toBe(asked.attribute('user.id', value));
    }),
    { numRuns: 300 },
  );
});

test('any words at all are answered', () => {
  fc.assert(
    fc.property(anyText, anyText, fc.nat(3), (key, value, size) => {
      const long = value.repeat(10 ** size);
      const stored = asked.attribute(key, long);
      expect([undefined, long, '__other__']).toContain(stored);
      expect(asked.exemplar(labelsFrom([[key, long]])).length).toBeLessThanOrEqual(2);
      asked.series(labelsFrom([[key, long]]));
    }),
    { numRuns: 1000 },
  );
});

test('no canary in a prohibited or unknown place is stored', () => {
  const seed = 4711;
  const random = randomFrom(seed).next;
  const canaries: string[] = [];
  function canary(): string {
    const digits = Math.floor(random() * 2 ** 48).toString(36);
    canaries.push(digits);
    const shapes = [digits, `${digits}@example.com`, `/users/${digits}?x=1`, `{"name":"${digits}"}`, `  ${digits}\n`];
    return shapes[Math.floor(random() * shapes.length)]!;
  }
  const fresh = make();
  const stored: unknown[] = [];
  const closed = [...ATTRIBUTES.prohibited, ...ATTRIBUTES.subject];
  const unknown = Array.from(
    { length: 300 },
    (_, i) => ['demo', 'user', 'http', 'rpc', 'app'][i % 5] + `.made_up_${i}`,
  );
  for (const key of [...closed, ...unknown]) {
    const example = key.replace('*', 'x');
    const label = labelName(example)!;
    stored.push(fresh.attribute(example, canary()));
    stored.push(fresh.exemplar([label, canary()]));
    stored.push(
      fresh.series(
        labelsFrom([
          ['__name__', 'target_info'],
          [label, canary()],
        ]),
      ),
    );
    if (!key.includes('made_up')) {
      for (const name of [label, `exported_${label}`, example]) {
        stored.push(
          fresh.series(
            labelsFrom([
              ['__name__', 'requests_total'],
              [name, canary()],
            ]),
          ),
        );
      }
    }
  }
  for (const label of [...LABELS.prohibited, ...LABELS.subject]) {
    for (const name of ['requests_total', 'target_info']) {
      stored.push(
        fresh.series(
          labelsFrom([
            ['__name__', name],
            [label, canary()],
          ]),
        ),
      );
      stored.push(fresh.exemplar([label, canary()]));
    }
  }
  const text = JSON.stringify([stored, fresh.counts()]);
  expect(canaries.length).toBeGreaterThan(1000);
  expect(
    canaries.filter((word) => text.includes(word)),
    `seed ${seed}`,
  ).toEqual([]);
});

function pairsOf(labels: Labels): [string, string][] {
  return labels.flatMap((name, i) => (i % 2 === 0 ? [[name, labels[i + 1]!] as [string, string]] : []));
}
