import { describe, expect, test } from 'vitest';
import type { FragmentRecord, Leaf, PolicyLeaf, ReleaseLeaf } from '../../../src/ledger/leaf.ts';
import { complianceReport, type ComplianceReport } from '../../../src/ledger/report/report.ts';
import { reportPage } from '../../../src/ledger/report/page.ts';
import { randomFrom } from '../../random.ts';

const LEDGER = {
  origin: 'comity.dev/eu/agent-1',
  key: 'comity.dev/eu/agent-1+0+k',
  size: 9,
  root: 'cm9vdA==',
  witnesses: [],
};
const FROM = '2026-11-01T00:00Z';
const TO = '2026-12-01T00:00Z';

describe('what left', () => {
  test('adds up by metric, label names and destination', () => {
    const { left, summary } = report([
      release({ fragments: [fragment()], bytes: 100 }),
      release({
        fragments: [fragment({ operators: ['count'], from: '2026-11-09T00:00Z', step_seconds: 15 })],
        bytes: 50,
      }),
      release({ fragments: [fragment()], bytes: 7, destination: 'US' }),
      release({ fragments: [fragment({ dimensions: ['job', 'service'] })], bytes: 3 }),
    ]);
    expect(
      left.rows.map(({ destination, dimensions, answers, bytes }) => [destination, dimensions.join(), answers, bytes]),
    ).toEqual([
      ['EU', 'job', 2, 150],
      ['US', 'job', 1, 7],
      ['EU', 'job,service', 1, 3],
    ]);
    expect(left.rows[0]).toMatchObject({
      operators: ['count', 'sum'],
      data_from: '2026-11-09T00:00Z',
      finest_step_seconds: 15,
      class: 'aggregate',
      min_series: 1,
    });
    expect(summary).toMatchObject({
      answers: 4,
      bytes: 160,
      fragments_released: 4,
      destinations: ['EU', 'US'],
      consumers: 1,
    });
  });

  test('counts an answer once for a metric that it holds twice, and for each of its metrics', () => {
    const { left, summary } = report([
      release({ fragments: [fragment(), fragment(), fragment({ metrics: ['a_total', 'b_total'] })], bytes: 100 }),
    ]);
    expect(left.rows.map(({ metric, answers, bytes }) => [metric, answers, bytes])).toEqual([
      ['a_total', 1, 100],
      ['b_total', 1, 100],
    ]);
    expect(summary.bytes).toBe(100);
  });

  test('keeps counts of senders apart from samples', () => {
    const { left } = report([
      release({
        fragments: [fragment(), fragment({ operators: ['coverage'], class: undefined, dimensions: ['job'] })],
      }),
    ]);
    expect(left.rows.map((row) => row.class).toSorted()).toEqual(['aggregate', 'streams']);
  });

  test('names the metrics whose groups of one could show', () => {
    const { groups_of_one: ones, limits } = report([
      release({ fragments: [fragment({ metrics: ['one_total'], min_series: 1 })] }),
      release({ fragments: [fragment({ metrics: ['five_total'], min_series: 5 })] }),
      release({ fragments: [fragment({ metrics: ['five_total'], min_series: 5, dimensions: [] })] }),
      release({ fragments: [fragment({ metrics: ['up'], class: 'open', min_series: undefined })] }),
    ]);
    expect(ones.metrics).toEqual(['one_total']);
    expect(limits.join(' ')).toContain('min_series: 1');
  });
});

test('heartbeats are bounds by kind, and no answers', () => {
  const { kinds, summary } = report([
    release({ what: 'status', bytes: 300, times: 60 }),
    release({ what: 'status', bytes: 310, times: 60 }),
    release({ bytes: 5 }),
  ]);
  expect(kinds.rows).toEqual([
    { what: 'query', destination: 'EU', answers: 1, bytes: 5, at_most: false },
    { what: 'status', destination: 'EU', answers: 120, bytes: 36_600, at_most: true },
  ]);
  expect(summary).toMatchObject({ answers: 1, bytes: 5 });
});

test('refused fragments are denials by reason, and nothing that left', () => {
  const { denials, left, summary } = report([
    release({
      decision: 'partly',
      fragments: [
        fragment(),
        fragment({ decision: 'refused', reason: 'class_sealed', metrics: ['salary'] }),
        fragment({ decision: 'refused', reason: 'class_sealed', metrics: ['bonus'] }),
        fragment({ decision: 'refused', reason: 'label_not_permitted', metrics: ['a_total'] }),
      ],
    }),
  ]);
  expect(denials.rows).toEqual([
    { reason: 'class_sealed', fragments: 2, metrics: ['bonus', 'salary'] },
    { reason: 'label_not_permitted', fragments: 1, metrics: ['a_total'] },
  ]);
  expect(left.rows).toHaveLength(1);
  expect(summary.fragments_refused).toBe(3);
});

test('a period holds the minutes from its start to before its end', () => {
  const at = (minute: string): Leaf => release({ minute, fragments: [fragment()] });
  const { ledger, summary } = report([
    at('2026-10-31T23:59Z'),
    at('2026-11-01T00:00Z'),
    at('2026-11-30T23:59Z'),
    at('2026-12-01T00:00Z'),
  ]);
  expect(summary.answers).toBe(2);
  expect(ledger).toMatchObject({ entries: 2, first: 1, last: 2 });
});

test('policies are those of the period and the one in force at its start', () => {
  const { policies, summary } = report([
    policy({ minute: '2026-09-01T00:00Z', policy: 'old' }),
    policy({ minute: '2026-10-01T00:00Z', policy: 'before' }),
    policy({ minute: '2026-11-05T00:00Z', policy: 'first', loosening: true, approvers: ['compliance'] }),
    policy({ minute: '2026-11-06T00:00Z', policy: 'second', state: 'deny all', reason: 'expired' }),
    policy({ minute: '2026-12-05T00:00Z', policy: 'later' }),
  ]);
  expect(policies.rows.map((row) => [row.digest, row.before, row.state])).toEqual([
    ['before', true, 'in force'],
    ['first', false, 'in force'],
    ['second', false, 'deny all (expired)'],
  ]);
  expect(summary).toMatchObject({ policy_changes: 2, loosenings: 1 });
});

test('agents are listed with their starts, and what was redacted is added up', () => {
  const start = {
    v: 1,
    kind: 'start',
    domain: 'eu',
    agent: 'agent-1',
    jurisdiction: 'EU',
    key: 'k',
    source: 'store',
  } as const;
  const count = { place: 'attribute', rule: 'user.email', reason: 'prohibited', action: 'dropped' } as const;
  const hour = { v: 1, kind: 'redaction', domain: 'eu', agent: 'agent-1' } as const;
  const { agents, redaction } = report([
    { ...start, minute: '2026-10-01T00:00Z', version: '1' },
    { ...start, minute: '2026-11-02T00:00Z', version: '2' },
    { ...hour, from: '2026-11-02T00:00Z', to: '2026-11-02T01:00Z', counts: [{ ...count, count: 3 }] },
    { ...hour, from: '2026-11-02T01:00Z', to: '2026-11-02T01:30Z', counts: [{ ...count, rule: 'url.full', count: 4 }] },
  ]);
  expect(agents.rows).toMatchObject([{ agent: 'agent-1', version: '2', starts: 2, last_start: '2026-11-02T00:00Z' }]);
  expect(redaction).toMatchObject({ minutes: 90, rows: [{ place: 'attribute', action: 'dropped', values: 7 }] });
});

test('leaves of another domain do not count', () => {
  expect(report([release({ domain: 'us', fragments: [fragment()] })]).summary.answers).toBe(0);
});

test('sums of random leaves are those of their parts', () => {
  const seed = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  const leaves = Array.from({ length: 200 }, () =>
    release({
      bytes: random.int(0, 10_000),
      destination: random.pick(['EU', 'US', 'IN']),
      fragments: Array.from({ length: random.int(0, 4) }, () =>
        random.chance(0.3)
          ? fragment({ decision: 'refused', reason: random.pick(['budget', 'vetoed', 'limit'] as const) })
          : fragment({
              metrics: [random.pick(['a', 'b', 'c'])],
              dimensions: random.pick([[], ['job'], ['job', 'le']]),
            }),
      ),
    }),
  );
  const half = random.int(0, leaves.length);
  const whole = report(leaves);
  const parts = [report(leaves.slice(0, half)), report(leaves.slice(half))];
  const total = (of: (one: ComplianceReport) => number): number => parts.reduce((sum, part) => sum + of(part), 0);
  for (const figure of ['answers', 'bytes', 'fragments_released', 'fragments_refused'] as const) {
    expect(whole.summary[figure], `seed ${seed}: ${figure}`).toBe(total(({ summary }) => summary[figure]));
  }
  const rowBytes = ({ left }: ComplianceReport): number => left.rows.reduce((sum, row) => sum + row.bytes, 0);
  expect(rowBytes(whole), `seed ${seed}`).toBe(total(rowBytes));
});

describe('the page', () => {
  test('has every section, says its limits, and asks for nothing else', () => {
    const page = reportPage(report([release({ fragments: [fragment()] })]));
    const titles = [...page.matchAll(/<h2>(.*?)<\/h2>/g)].map((match) => match[1]);
    expect(titles).toEqual([
      'What left',
      'Groups of one',
      'Messages by kind',
      'What was refused',
      'What was removed at ingest',
      'Policies',
      'Agents',
      'How to check this report',
      'What this report does not say',
      'Controls that this is evidence for',
    ]);
    expect(page).toContain('An aggregate is not automatically anonymous');
    expect(page).not.toMatch(/<script|src=|href=|@import|url\(/);
  });

  test('escapes what senders and hubs chose', () => {
    const page = reportPage(report([release({ fragments: [fragment({ metrics: ['<img src=x onerror=1>"\'&'] })] })]));
    expect(page).toContain('&lt;img src=x onerror=1&gt;&quot;&#39;&amp;');
    expect(page).not.toContain('<img');
  });
});

function report(leaves: readonly Leaf[]): ComplianceReport {
  const entries = leaves.map((leaf, index) => ({ index, leaf }));
  return complianceReport(LEDGER, entries, {
    domain: 'eu',
    fromMs: Date.parse(FROM),
    toMs: Date.parse(TO),
    madeMs: Date.parse(TO),
  });
}

function release(changes: Partial<ReleaseLeaf>): ReleaseLeaf {
  return {
    v: 1,
    kind: 'release',
    what: 'query',
    domain: 'eu',
    agent: 'agent-1',
    minute: '2026-11-10T10:00Z',
    consumer: 'c1',
    destination: 'EU',
    policy: 'digest',
    decision: 'released',
    fragments: [],
    bytes: 0,
    request: '',
    answer: '',
    ...changes,
  };
}

function fragment(changes: Partial<FragmentRecord> = {}): FragmentRecord {
  return {
    decision: 'released',
    metrics: ['a_total'],
    operators: ['sum'],
    dimensions: ['job'],
    from: '2026-11-10T09:00Z',
    to: '2026-11-10T10:00Z',
    step_seconds: 60,
    cells: '10-99',
    class: 'aggregate',
    min_series: 1,
    ...changes,
  };
}

function policy(changes: Partial<PolicyLeaf>): PolicyLeaf {
  return {
    v: 1,
    kind: 'policy',
    domain: 'eu',
    agent: 'agent-1',
    minute: '2026-11-10T10:00Z',
    policy: 'digest',
    state: 'in force',
    layers: [{ layer: 'local', digest: 'x' }],
    approvers: [],
    loosening: false,
    changes: [],
    ...changes,
  };
}
