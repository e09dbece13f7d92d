import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsFrom, labelsOf, labelsRecord } from '../../src/model/labels.ts';
import { admission } from '../../src/policy/admit.ts';
import { DETECTORS, type Detector } from '../../src/policy/detectors.ts';
import { domainKeys } from '../../src/policy/domain-key.ts';

const PSEUDONYM = /^~[\w-]{22}$/;

function admit(detectors: readonly Detector[] = DETECTORS) {
  return admission({ keys: domainKeys(Buffer.alloc(32, 7)), domainLabel: 'domain', detectors });
}

test.each<[label: string, value: string, isReplaced: boolean]>([
  ['http_route', '/orders/{id}', false],
  ['http_route', '/users/alice@example.com', true],
  ['service', 'pay 4111 1111 1111 1111', true],
  ['server', '203.0.113.7:80', true],
  ['version', '1.2.3.4', false],
  ['service_version', '1.2.3.4', false],
  ['version', 'alice@example.com', true],
  // What only a policy lets out stays as it is, and so does what every series has.
  ['pod', 'alice@example.com', false],
  ['shop', 'alice@example.com', false],
  ['job', 'alice@example.com', false],
  ['instance', '203.0.113.7:80', false],
])('the label %s with the value %s', (label, value, isReplaced) => {
  const asked = admit();
  const labels = labelsOf({ __name__: 'up', [label]: value });
  const stored = labelsRecord(asked.series(labels))[label];
  if (isReplaced) expect(stored).toMatch(PSEUDONYM);
  else expect(stored).toBe(value);
  expect(labelsRecord(asked.series(labels))[label]).toBe(stored);
  const fault = asked.counts().find(({ reason }) => reason.startsWith('detector'));
  expect(fault?.count).toBe(isReplaced ? 2 : undefined);
});

test.each<[name: string, isReplaced: boolean]>([
  ['http_requests_total', false],
  ['node_cpu_seconds_total', false],
  ['job:request_latency:p99_5m', false],
  ['go_sched_latencies_seconds_bucket', false],
  ['logins of alice@example.com', true],
  ['paid_4111_1111_1111_1111_total', true],
  ['card_4111111111111111', true],
  ['up DE89 3704 0044 0532 0130 00', true],
])('the names %s', (name, isReplaced) => {
  const asked = admit();
  const other = asked.series(labelsOf({ __name__: 'up', [name]: 'x', zzz: 'y', aaa: 'z' }));
  const names = other.filter((_, i) => i % 2 === 0);
  const stored = labelsRecord(asked.series(labelsOf({ __name__: name, shop: '1' })));
  if (isReplaced) {
    expect(stored['__name__']).toMatch(PSEUDONYM);
    expect(names.filter((one) => PSEUDONYM.test(one))).toHaveLength(1);
    expect(labelsRecord(other)[name]).toBeUndefined();
  } else {
    expect(stored['__name__']).toBe(name);
    expect(labelsRecord(other)[name]).toBe('x');
  }
  // In order, and with the same number of labels: nothing became one.
  const pairs = names.map((one) => [one, labelsRecord(other)[one] ?? ''] as const);
  expect(labelsFrom(pairs)).toEqual(other);
  expect(names).toHaveLength(4);
});

test('series whose names are replaced stay apart', () => {
  const asked = admit();
  const stored = ['a@example.com', 'b@example.com'].map((name) =>
    JSON.stringify(asked.series(labelsOf({ __name__: name }))),
  );
  expect(new Set(stored).size).toBe(2);
  const labels = ['a@example.com', 'b@example.com'].map((name) =>
    JSON.stringify(asked.series(labelsOf({ __name__: 'up', [name]: '1' }))),
  );
  expect(new Set(labels).size).toBe(2);
});

test('what is said of families loses what a detector finds, and a family under a pseudonym is told of no more', () => {
  const asked = admit();
  const family = (metric: string, help: string, unit = '') => ({ metric, type: 'counter', help, unit }) as const;
  const builder = batchBuilder();
  for (const one of [
    family('a', 'fine', 's'),
    family('b', 'ask bob@example.com'),
    family('c@example.com', 'fine'),
    family('d', 'fine', 'per alice@example.com'),
  ]) {
    builder.metadata(one);
  }
  const batch = builder.build();
  const { metadata, ...rest } = asked.batch(batch);
  expect(metadata).toEqual([family('a', 'fine', 's'), family('b', ''), family('d', 'fine')]);
  const { metadata: _said, ...before } = batch;
  expect(rest).toEqual(before);
  expect(asked.counts().map(({ place, rule, reason, action }) => [place, rule, reason, action])).toEqual([
    ['metadata', 'help', 'detector email', 'dropped'],
    ['name', 'metric', 'detector email', 'pseudonym'],
    ['metadata', 'unit', 'detector email', 'dropped'],
  ]);
});

test('a batch in which all may stay is the same batch', () => {
  const builder = batchBuilder();
  builder.metadata({ metric: 'a', type: 'counter', help: 'fine', unit: '' });
  const batch = builder.build();
  expect(admit().batch(batch)).toBe(batch);
});

test('where a detector fails, names and public values are pseudonyms and help is gone', () => {
  const broken: Detector = {
    name: 'broken',
    find(text) {
      throw new Error(`cannot read ${text}`);
    },
  };
  const asked = admit([broken]);
  const stored = asked.series(labelsOf({ __name__: 'up', job: 'j', service: 'cart', shop: 'x' }));
  expect(JSON.stringify(stored)).not.toContain('cart');
  expect(stored).toHaveLength(8);
  expect(labelsRecord(stored)['job']).toBe('j');
  expect(asked.metadata({ metric: 'up', type: 'gauge', help: 'h', unit: '' })).toBeUndefined();
  expect(JSON.stringify(asked.counts())).not.toMatch(/cart|cannot/);
});

test('keys under a prefix are senders’ words: data in one drops the attribute', () => {
  const asked = admit();
  expect(asked.attribute('k8s.pod.label.app.kubernetes.io/managed-by', 'helm')).toBe('helm');
  expect(asked.attribute('k8s.pod.label.alice@example.com', 'x')).toBeUndefined();
  expect(asked.attribute(`host.${'x'.repeat(200)}`, 'x')).toBeUndefined();
  expect(asked.attribute('host.a\nb', 'x')).toBeUndefined();
  for (let i = 0; i < 250; i++) asked.attribute(`container.k${i}`, 'x');
  expect(asked.attribute('container.k249', 'x')).toBeUndefined();
  expect(asked.attribute('container.k7', 'x')).toBe('x');
  expect(
    asked
      .counts()
      .filter(({ reason }) => reason.startsWith('key'))
      .map(({ reason, count }) => [reason, count]),
  ).toEqual([
    ['key detector email', 1],
    ['key length', 1],
    ['key pattern', 1],
    ['key distinct', 51],
  ]);
});
