import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { labelsOf, labelsRecord } from '../../src/model/labels.ts';
import { admission, type AdmissionOptions, type CountedAdmission } from '../../src/policy/admit.ts';
import { domainKeys } from '../../src/policy/domain-key.ts';
import { pseudonyms } from '../../src/policy/pseudonym.ts';

const keys = domainKeys(Buffer.alloc(32, 7));
const NOON = Date.UTC(2026, 6, 1, 12);

function admit(options: Partial<AdmissionOptions> = {}): CountedAdmission {
  return admission({ keys, domainLabel: 'domain', now: () => NOON, ...options });
}

const labelPseudonym = pseudonyms(keys.derive('metric labels', 0));
const subjectPseudonym = pseudonyms(keys.derive('span subjects', NOON / 86_400_000 - 0.5));

describe('attributes', () => {
  test.each<[key: string, value: string, want: string | undefined]>([
    ['http.route', '/users/{id}', '/users/{id}'],
    ['http.route', '/users/:id?', '/users/:id'],
    ['http.route', '/users?email=a', '/users'],
    ['http.route', '/users#a', '/users'],
    ['url.template', '/x?y', '/x'],
    ['http.route', '?a', ''],
    ['http.request.method', 'GET', 'GET'],
    ['http.request.method', '_OTHER', '_OTHER'],
    ['http.request.method', 'ALICE', '__other__'],
    ['http.method', 'get', '__other__'],
    ['service.name', 'cart', 'cart'],
    ['service.name', 'Körbe für alle', 'Körbe für alle'],
    ['service.name', '', ''],
    ['service.name', 'x'.repeat(64), 'x'.repeat(64)],
    ['service.name', 'x'.repeat(65), '__other__'],
    ['service.name', '𝕏'.repeat(64), '𝕏'.repeat(64)],
    ['service.name', '𝕏'.repeat(65), '__other__'],
    ['service.name', 'a\nb', '__other__'],
    ['service.name', 'a\0b', '__other__'],
    ['service.name', 'a\u202eb', '__other__'],
    ['service.name', 'a\u200bb', '__other__'],
    ['service.name', 'a\ud800b', '__other__'],
    ['service.name', '{"user":"alice"}', '__other__'],
    ['service.name', 'alice@example.com', '__other__'],
    ['http.route', '/users/alice%40example.com', '__other__'],
    ['error.type', '203.0.113.7', '__other__'],
    ['error.type', 'pay 4111 1111 1111 1111', '__other__'],
    ['error.type', 'java.net.SocketTimeoutException', 'java.net.SocketTimeoutException'],
    ['service.version', '1.2.3.4', '1.2.3.4'],
    ['service.version', 'alice@example.com', '__other__'],
    ['service.name', '__other__', '__other__'],
    ['host.name', 'node-7.example.com', 'node-7.example.com'],
    ['server.address', '203.0.113.7', '203.0.113.7'],
    ['thread.name', 'x'.repeat(100), 'x'.repeat(100)],
    ['user.id', 'alice', subjectPseudonym('user.id', 'alice')],
    ['enduser.id', 'alice', subjectPseudonym('user.id', 'alice')],
    ['session.id', 'alice', subjectPseudonym('session.id', 'alice')],
    ['user.id', '', ''],
    ['user.email', 'alice@example.com', undefined],
    ['url.full', 'https://example.com/alice', undefined],
    ['db.query.text', 'SELECT 1', undefined],
    ['exception.message', 'no such user alice', undefined],
    ['http.request.header.x-user', '["alice"]', undefined],
    ['demo.anything', 'alice', undefined],
    ['', 'alice', undefined],
    ['toString', 'alice', undefined],
    ['service.name ', 'alice', undefined],
  ])('%s = %.30j is stored as %.30j', (key, value, want) => {
    const asked = admit();
    expect(asked.attribute(key, value)).toBe(want);
    expect(asked.attribute(key, value)).toBe(want);
  });

  test('the first 200 values of a key are kept for good, whatever comes between', () => {
    const asked = admit();
    const route = (i: number) => `/route/${i}`;
    for (let i = 0; i < 200; i++) {
      expect(asked.attribute('http.route', 'bad\n')).toBe('__other__');
      expect(asked.attribute('http.route', route(i))).toBe(route(i));
    }
    expect(asked.attribute('http.route', route(200))).toBe('__other__');
    expect(asked.attribute('http.route', `${route(7)}?x`)).toBe(route(7));
    expect(asked.attribute('url.template', route(200))).toBe(route(200));
    for (let i = 0; i < 10_000; i++) asked.attribute(`made.up.${i}`, 'x');
    expect(asked.attribute('http.route', route(0))).toBe(route(0));
    expect(asked.attribute('http.route', route(200))).toBe('__other__');
  });

  test('a detector that fails loses the value and says nothing of it', () => {
    const asked = admit({
      detectors: [
        {
          name: 'broken',
          find(text) {
            throw new Error(`cannot read ${text}`);
          },
        },
      ],
    });
    expect(asked.attribute('service.name', 'cart')).toBeUndefined();
    expect(asked.attribute('os.name', 'a')).toBe('a');
    // The key itself is a sender's word there.
    expect(asked.attribute('host.name', 'a')).toBeUndefined();
    expect(JSON.stringify(asked.counts())).not.toContain('cart');
    expect(asked.counts()).toContainEqual({
      place: 'attribute',
      rule: 'service.name',
      reason: 'detector failed',
      action: 'dropped',
      count: 1,
    });
  });
});

describe('series', () => {
  function check(labels: Record<string, string>, want: Record<string, string>): void {
    expect(labelsRecord(admit().series(labelsOf(labels)))).toEqual(want);
  }

  test('what nobody is behind stays as it is, and in the same array', () => {
    const labels = labelsOf({ __name__: 'up', job: 'a@b.example', instance: '203.0.113.7:80', le: '1', shop: 'alice' });
    expect(admit().series(labels)).toBe(labels);
  });

  test('what is prohibited or names a person becomes a pseudonym', () => {
    check(
      { __name__: 'orders_total', service: 'cart', email: 'alice@example.com', user_id: '42', exported_path: '/alice' },
      {
        __name__: 'orders_total',
        service: 'cart',
        email: labelPseudonym('email', 'alice@example.com'),
        user_id: labelPseudonym('user_id', '42'),
        exported_path: labelPseudonym('exported_path', '/alice'),
      },
    );
  });

  test('an unknown attribute of a resource becomes one too', () => {
    check(
      { __name__: 'target_info', job: 'cart', instance: 'i', domain: 'eu', host_name: 'n', owner: 'alice' },
      {
        __name__: 'target_info',
        job: 'cart',
        instance: 'i',
        domain: 'eu',
        host_name: 'n',
        owner: labelPseudonym('owner', 'alice'),
      },
    );
  });

  test('empty values are absent labels', () => {
    expect(admit().series(['__name__', 'up', 'email', '', 'job', 'a', 'shop', ''])).toEqual([
      '__name__',
      'up',
      'job',
      'a',
    ]);
  });

  test('a pseudonym sent as a value is a value like others', () => {
    const forged = labelPseudonym('email', 'alice');
    const series = (email: string) => admit().series(labelsOf({ __name__: 'a', email }));
    expect(series('alice')).toContain(forged);
    expect(series(forged)).not.toContain(forged);
  });

  test('the labels asked about are not touched', () => {
    const labels = Object.freeze([...labelsOf({ __name__: 'a', email: 'alice' })]);
    expect(admit().series(labels)).not.toEqual(labels);
    expect(labels).toContain('alice');
  });
});

describe('exemplars', () => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
  const SPAN = '00f067aa0ba902b7';

  test.each<[Record<string, string>, Record<string, string>]>([
    [
      { trace_id: TRACE, span_id: SPAN },
      { trace_id: TRACE, span_id: SPAN },
    ],
    [
      { traceID: TRACE, spanID: 'F0' },
      { traceID: TRACE, spanID: 'F0' },
    ],
    [{ trace_id: 'alice', span_id: SPAN }, { span_id: SPAN }],
    [{ trace_id: `${TRACE}0` }, {}],
    [
      { trace_id: TRACE, http_route: '/a?b', order: '7', method: 'GET', email: 'a@example.com' },
      { trace_id: TRACE, http_route: '/a' },
    ],
    [{ service_name: 'alice@example.com' }, { service_name: '__other__' }],
    [{ user_id: 'alice' }, { user_id: subjectPseudonym('user.id', 'alice') }],
    [{ host_name: 'n' }, { host_name: 'n' }],
    [{ host_name: '' }, {}],
    [{}, {}],
    // 8 + 32 + 9 + 79 bytes are as many as may be.
    [
      { host_name: 'n'.repeat(79), trace_id: TRACE },
      { host_name: 'n'.repeat(79), trace_id: TRACE },
    ],
    [{ host_name: 'n'.repeat(80), trace_id: TRACE }, { trace_id: TRACE }],
    [{ host_name: 'é'.repeat(40), trace_id: TRACE }, { trace_id: TRACE }],
    [{ host_name: 'n'.repeat(1_000_000) }, {}],
    [{ [`trace_${'_'.repeat(100)}id`]: TRACE }, {}],
  ])('%#', (labels, want) => {
    const stored = admit().exemplar(labelsOf(labels));
    expect(labelsRecord(stored)).toEqual(want);
    expect(Buffer.byteLength(stored.join(''))).toBeLessThanOrEqual(LIMITS.exemplarLabelBytes);
  });

  test('share the values of the attributes', () => {
    const asked = admit();
    for (let i = 0; i < 200; i++) asked.attribute('http.route', `/route/${i}`);
    expect(asked.exemplar(['http_route', '/route/7'])).toEqual(['http_route', '/route/7']);
    expect(asked.exemplar(['http_route', '/route/new'])).toEqual(['http_route', '__other__']);
  });
});

test('decisions are counted by place, rule and reason, without words of senders', () => {
  const asked = admit();
  asked.attribute('service.name', 'cart');
  asked.attribute('service.name', 'cart');
  asked.attribute('service.name', 'canary@example.com');
  asked.attribute('user.id', 'canary');
  asked.attribute('http.request.header.x-canary', 'x');
  asked.attribute('canary.key', 'x');
  asked.series(labelsOf({ __name__: 'canary', email: 'canary', canary: 'canary', job: 'canary' }));
  asked.exemplar(labelsOf({ trace_id: 'canary', canary: 'x' }));
  const counts = asked.counts();
  expect(JSON.stringify(counts)).not.toContain('canary');
  expect(counts.map((one) => `${one.place} ${one.rule} ${one.reason} ${one.action} ${one.count}`).sort()).toEqual([
    'attribute http.request.header.* prohibited dropped 1',
    'attribute service.name detector email other 1',
    'attribute service.name public kept 2',
    'attribute unknown prohibited dropped 1',
    'attribute user.id subject pseudonym 1',
    'exemplar trace context pattern dropped 1',
    'exemplar unknown prohibited dropped 1',
    'series email prohibited pseudonym 1',
    'series structural structural kept 2',
    'series unlisted local kept 1',
  ]);
});
