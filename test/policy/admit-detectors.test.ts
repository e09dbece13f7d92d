import { expect, test } from 'vitest';
import { DETECTORS } from '../../src/policy/detectors.ts';
import { randomFrom } from '../random.ts';

function found(text: string): string[] {
  return DETECTORS.filter((detector) => detector.find(text)).map(({ name }) => name);
}

test.each<[string, string]>([
  ['email', 'alice@example.com'],
  ['email', 'GET /users/alice%40example.co.uk/x'],
  ['email', 'a@b@alice+tag@example.org.'],
  ['email', 'ünal@exämple.de'],
  ['email', "mailto:o'brien@mail.example.com?subject=x"],
  ['card', '4111111111111111'],
  ['card', 'pay/4111-1111-1111-1111/ok'],
  ['card', 'card 4111 1111 1111 1111.'],
  ['card', '378282246310005'],
  ['card', '3782 822463 10005'],
  ['card', '5555555555554444'],
  ['card', '2223003122003222'],
  ['card', '30569309025904'],
  ['card', '6011111111111117'],
  ['card', '3530111333300000'],
  ['card', '6200000000000005'],
  ['card', '4222222222222'],
  ['iban', 'GB82WEST12345698765432'],
  ['iban', 'gb82west12345698765432'],
  ['iban', 'to DE89 3704 0044 0532 0130 00 now'],
  ['iban', '/transfers/NO9386011117947'],
  ['iban', 'FR1420041010050500013M02606'],
  ['iban', 'BE68 5390 0754 7034'],
  ['ip', '203.0.113.7'],
  ['ip', 'http://203.0.113.7:8080/x'],
  ['ip', 'from 203.0.113.7.'],
  ['ip', '203.0.113.0/24'],
  ['ip', '2001:db8::1'],
  ['ip', '[2001:db8:0:0:0:0:0:1]:443'],
  ['ip', '::1'],
  ['ip', '::ffff:203.0.113.7'],
  ['ip', 'peer:2001:db8::1'],
  ['ip', 'fe80::1%eth0'],
  ['jwt', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln'],
  ['jwt', 'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIi'],
  ['phone', '+4915112345678'],
  ['phone', 'tel:+49 (0)151 1234-5678'],
  ['phone', 'call (415) 555-0132'],
  ['phone', '415-555-0132'],
])('%s in %s', (name, text) => expect(found(text)).toContain(name));

test.each([
  ['ms since 1970', '1790000000123'],
  ['us since 1970', '1790000000123456'],
  ['ns since 1970', '1790000000123456789'],
  ['s since 1970', '1790000000'],
  ['an ISO time', '2026-07-01T10:20:30.123456789+02:00'],
  ["Go's time", '2026-07-01 10:20:30.123 +0000 UTC'],
  ['a compact time', '20260701102030'],
  ['a time of day', '10:20:30'],
  ['a trace id', '4bf92f3577b34da6a3ce929d0e0e4736'],
  ['a trace id of digits', '41111111111111114111111111111111'],
  ['a span id', '00f067aa0ba902b7'],
  ['a UUID', '123e4567-e89b-12d3-a456-426614174000'],
  ['a UUID of digits', '12345678-4111-1111-1111-411111111111'],
  ['a semantic version', '1.2.3-rc.1+20130313144700'],
  ['a version with v', 'v1.2.3.4'],
  ['five numbers', '1.2.3.4.5'],
  ['numbers past 255', '300.1.2.3'],
  ['a name of C++', 'std::bad_alloc'],
  ['a name of Ruby', 'A::B'],
  ['a name of Rust', 'core::num::ParseIntError'],
  ['a name of Java', 'java.lang.IllegalStateException'],
  ['a name of .NET', 'System.Collections.Generic.KeyNotFoundException'],
  ['a package', '@opentelemetry/api'],
  ['a package at a version', 'opentelemetry@1.9.1'],
  ['an image by digest', 'repo/app@sha256:0123456789abcdef'],
  ['a route', '/users/{id}/orders/:order'],
  ['a Go route', 'GET /orders/{id...}'],
  ['a wrong check digit', '4111111111111112'],
  ['a span id like an IBAN', 'be346a70f08f911f'],
  ['a wrong IBAN', 'GB82WEST12345698765431'],
  ['a MAC address', '00:1b:44:11:3a:b7'],
  ['an ARN', 'arn:aws:lambda:eu-west-1:123456789012:function:f'],
  ['a region', 'eu-west-1'],
  ['a port', 'localhost:8080'],
  ['a host of AWS', 'ip-10-0-0-1.ec2.internal'],
  ['a number', '200'],
  ['nothing', ''],
])('nothing in %s: %s', (_, text) => expect(found(text)).toEqual([]));

const SEED = 20260701;

test(`ids and times of a year hold nothing (seed ${SEED})`, () => {
  const random = randomFrom(SEED).next;
  const hits: string[] = [];
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
  for (let i = 0; i < 20_000; i++) {
    const ms = 1_770_000_000_000 + Math.floor(random() * 3e10);
    const ns = `${ms}${String(Math.floor(random() * 1e6)).padStart(6, '0')}`;
    const uuid = [8, 4, 4, 4, 12].map(hex).join('-');
    // One span id in two thousand has no letter; of these some are as good as the number of a card.
    const spanId = `${hex(15)}f`;
    for (const text of [String(ms), ns, ns.slice(0, 16), new Date(ms).toISOString(), hex(32), spanId, uuid]) {
      if (found(text).length > 0) hits.push(`${text}: ${found(text).join(', ')}`);
    }
  }
  expect(hits).toEqual([]);
});

test.each([
  'a',
  '1',
  ':',
  '.',
  '@',
  '%40',
  '+',
  '4 ',
  '1.',
  'a:',
  '::',
  'eyJ',
  'eyJ.',
  '(2',
  '415-',
  'GB82 ',
  ' ',
  '-',
  '4111-',
  '+1 (',
  '\ud800',
])('a long row of %j takes linear time', (part) => {
  const text = part.repeat(400_000 / part.length);
  const start = performance.now();
  found(text);
  // Quadratic time would take minutes.
  expect(performance.now() - start).toBeLessThan(5_000);
});
