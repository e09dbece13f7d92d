import { afterAll, describe, expect, it } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import type { Border } from '../../src/border/border.ts';
import { releaseError } from '../../src/border/release-error.ts';
import { releaseExemplars, releaseLabels, releaseMetadata, releaseSeries } from '../../src/border/release-lists.ts';
import { releaseExplain, releaseQuery, releaseStatus } from '../../src/border/release.ts';
import { openReleased } from '../../src/border/released.ts';
import { memoryLedger } from '../../src/federationtest/border-transport.ts';
import { verifierOf } from '../../src/base/note-key.ts';
import { verifyReceipt } from '../../src/ledger/receipt.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { encodeQueryRequest, decodeQueryRequest } from '../../src/plan/frames/query-codec.ts';
import { decodeReleased } from '../../src/plan/frames/receipt-codec.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { series } from '../memory-source.ts';
import { ASKED_BESIDE, REQUEST_ID } from '../plan/beside.ts';
import { memoryShards } from '../shard/memory-shards.ts';
import { anyFragment, borderOver, readingBy } from './domain.ts';
import { ASKED, recordsInMemory } from './records.ts';

const POLICY = `
version: 1
domain: eu
labels: {permit: [customer], match: [customer]}
metrics:
  - {match: up, class: open}
  - {match: few, class: aggregate, min_series: 3}
  - {match: secret_*, class: sealed}
`;

/** Values of labels and of samples, which no record may hold. */
const CANARY = 'canary-4711';
const NUMBER = 47_110_815;

const held = (name: string, labels: Record<string, string>, value = NUMBER) =>
  series({ __name__: name, domain: 'eu', ...labels }, [
    [30_000, value],
    [60_000, value],
  ]);
const HELD = [
  held('up', { job: 'a', customer: CANARY }),
  ...[1, 2].map((i) => held('m', { service: `${CANARY}${i}`, customer: CANARY })),
  ...[1, 2].map((i) => held('few', { service: `${CANARY}${i}` })),
  held('secret_x', { job: CANARY }),
];

const queries = openQueries(memoryShards(HELD, 1, readingBy(POLICY)));
afterAll(() => queries.close());
const FOREVER = new AbortController().signal;
const GRID = rangeGrid(60_000, 180_000, 30_000);

const request = (...texts: readonly string[]) => ({
  lookbackMs: 300_000,
  timeLeftMs: 10_000,
  features: NO_FEATURES,
  ...ASKED_BESIDE,
  fragments: texts.map((text) => anyFragment(text, GRID)),
});

function recorded() {
  const records = recordsInMemory();
  const border: Border = { ...borderOver(queries, POLICY), recorder: records };
  return { border, records };
}

describe('what is recorded of fragments', () => {
  const times = { from: '1970-01-01T00:01Z', to: '1970-01-01T00:03Z', step_seconds: 30 };
  it.each<[string, object]>([
    [
      'partial sum by (service) (rate(m{customer="canary-4711"}[1m]))',
      {
        decision: 'released',
        metrics: ['m'],
        operators: ['sum'],
        dimensions: ['service'],
        ...times,
        cells: '1-9',
        class: 'aggregate',
        min_series: 1,
      },
    ],
    [
      'up',
      {
        decision: 'released',
        metrics: ['up'],
        operators: [],
        dimensions: ['customer', 'domain', 'job'],
        ...times,
        cells: '1-9',
        class: 'open',
      },
    ],
    // What the rows carry, and not what is asked for.
    [
      'partial sum by (service, region) (m)',
      { decision: 'released', dimensions: ['service'], cells: '10-99', class: 'aggregate' },
    ],
    // Nothing tells how much was left out.
    ['partial sum by (service) (few)', { decision: 'released', dimensions: [], cells: '0', min_series: 3 }],
    ['partial sum by (service) (none)', { decision: 'released', dimensions: [], cells: '0' }],
    ['partial max({__name__=~"m|up"})', { metrics: ['m', 'up'], operators: ['max'], class: 'aggregate' }],
    [
      'm',
      {
        decision: 'refused',
        reason: 'class_aggregate',
        metrics: ['m'],
        operators: [],
        dimensions: [],
        cells: '0',
        ...times,
      },
    ],
    ['partial sum(secret_x)', { decision: 'refused', reason: 'class_sealed', metrics: ['secret_x'], cells: '0' }],
    ['partial sum({job="canary-4711"})', { decision: 'refused', reason: 'class_sealed', metrics: ['*'] }],
    ['partial sum(max by (customer) (m) > count(up))', { metrics: ['m', 'up'], operators: ['count', 'max', 'sum'] }],
  ])('%s', async (text, want) => {
    const { border, records } = recorded();
    await releaseQuery(request(text), ASKED, border, FOREVER);
    const [draft] = records.drafts;
    expect(draft).toMatchObject({ what: 'query', consumer: ASKED.consumer, policy: border.policy().digest });
    expect(draft!.fragments).toMatchObject([want]);
    if ('class' in want && 'cells' in want && 'from' in want) expect(draft!.fragments).toEqual([want]);
  });

  it('an answer is released, refused or partly', async () => {
    const { border, records } = recorded();
    await releaseQuery(request('up'), ASKED, border, FOREVER);
    await releaseQuery(request('up', 'm'), ASKED, border, FOREVER);
    await releaseQuery(request('m', 'secret_x'), ASKED, border, FOREVER);
    expect(records.drafts.map(({ decision }) => decision)).toEqual(['released', 'partly', 'refused']);
  });

  it('coverage is one of its own, and a fragment that cannot be read has no names', async () => {
    const { border, records } = recorded();
    const reads = [{ metric: 'm', fromMs: 0, toMs: 0, fixed: false }];
    const refusal = { code: 'unsupported', name: CANARY } as const;
    const asked = {
      ...request(),
      fragments: [{ answer: 'unread' as const, refusal }],
      coverage: [{ grid: GRID, reads }],
    };
    await releaseQuery(asked, ASKED, border, FOREVER);
    expect(records.drafts[0]!.fragments).toMatchObject([
      { decision: 'refused', reason: 'unsupported', metrics: [] },
      { decision: 'released', metrics: ['m'], operators: ['coverage'], ...times, cells: '1-9' },
    ]);
  });

  it('many names are recorded as any', async () => {
    const { border, records } = recorded();
    const names = Array.from({ length: 65 }, (_, i) => `a${i}`).join('|');
    await releaseQuery(request(`partial sum({__name__=~"${names}"})`), ASKED, border, FOREVER);
    expect(records.drafts[0]!.fragments[0]!.metrics).toEqual(['*']);
  });
});

const selector = (text: string): readonly Matcher[] => {
  const expr = parseExpr(text);
  if (expr.kind !== 'vector') throw new Error(`${text} is no selector`);
  return expr.matchers;
};

describe('what is recorded of all else', () => {
  it('has one record a list, none of a heartbeat or an error', async () => {
    const { border, records } = recorded();
    const listed = { id: REQUEST_ID, fromMs: 0, toMs: 60_000, timeLeftMs: 5_000, limit: 50 };
    const open = [selector('up{customer="canary-4711"}')];
    await releaseSeries({ ...listed, selectors: open }, ASKED, border, FOREVER);
    await releaseSeries({ ...listed, selectors: [selector('m')] }, ASKED, border, FOREVER);
    await releaseLabels({ ...listed, name: 'service', selectors: [] }, ASKED, border, FOREVER);
    await releaseLabels({ ...listed, name: '', selectors: [] }, ASKED, border, FOREVER);
    await releaseMetadata({ ...listed, metric: 'm' }, ASKED, border, FOREVER);
    await releaseExemplars({ ...listed, selectors: open }, ASKED, border, FOREVER);
    await releaseExplain(request('partial sum(m)', 'm'), ASKED, border, FOREVER);
    await releaseStatus({ id: REQUEST_ID }, ASKED, border);
    await releaseError(new ComityError('limit', CANARY), ASKED, border);
    expect(
      records.drafts.map(({ what, decision, fragments }) => [
        what,
        decision,
        ...fragments.map(({ metrics, dimensions, cells, reason }) => [
          metrics.join(),
          dimensions.join(),
          reason ?? cells,
        ]),
      ]),
    ).toEqual([
      ['series', 'released', ['up', 'customer,domain,job', '1-9']],
      ['series', 'refused', ['m', '', 'class_aggregate']],
      ['labels', 'released', ['*', 'service', '1-9']],
      ['labels', 'released', ['*', 'customer,domain,job,service', '1-9']],
      ['metadata', 'released', ['m', '', '0']],
      ['exemplars', 'released', ['up', '', '0']],
      ['explain', 'partly', ['m', '', '1-9'], ['m', '', 'class_aggregate']],
      ['status', 'released'],
      ['error', 'refused'],
    ]);
  });

  it('a word to somebody without a token is not', async () => {
    const { border, records } = recorded();
    await releaseError(new ComityError('unauthorized', ''), undefined, border);
    expect(records.drafts).toEqual([]);
  });

  it('an error that cannot be recorded is another', async () => {
    const { border, records } = recorded();
    records.record = () => Promise.reject(new Error('the disk is full'));
    const { bytes } = openReleased(await releaseError(new ComityError('limit', ''), ASKED, border));
    expect(Buffer.from(bytes).toString()).toContain('unavailable');
  });
});

it('no leaf has a value of a label or of a sample, and each proves its answer', async () => {
  const { recorder, ledger } = await memoryLedger('eu');
  const border: Border = { ...borderOver(queries, POLICY), recorder };
  const verifier = verifierOf(ledger.vkey);
  const texts = [
    'up',
    'm',
    `partial sum by (customer) (m{customer="${CANARY}"})`,
    `partial count(m == ${NUMBER})`,
    `up{customer=~"${CANARY}|x"}`,
    `partial sum(m{customer!="${CANARY}"} offset 1h)`,
    `partial sum(label_replace(m, "service", "${CANARY}", "service", ".*"))`,
    `absent(m{service="${CANARY}"})`,
    'partial sum by (service) (few)',
    `partial sum({job="${CANARY}"})`,
  ];
  for (const text of texts) {
    const body = encodeQueryRequest(request(text));
    const released = await releaseQuery(decodeQueryRequest(body), { ...ASKED, body }, border, FOREVER);
    const { answer, receipt } = decodeReleased(openReleased(released).bytes);
    if (receipt === undefined) throw new Error('no receipt');
    const { leaf } = verifyReceipt(receipt, body, answer, verifier);
    expect(leaf).toMatchObject({ what: 'query', domain: 'eu', destination: ASKED.consumer.jurisdiction });
    const written = Buffer.from(receipt.leaf).toString();
    expect(written).not.toContain('canary');
    expect(written).not.toContain(String(NUMBER));
    expect(written).not.toContain(ASKED.consumer.name);
    // Another answer under the same receipt proves nothing.
    const other = Buffer.concat([answer, Buffer.of(0)]);
    expect(() => verifyReceipt(receipt, body, other, verifier)).toThrow(/receipt/);
  }
  await ledger.close();
});
