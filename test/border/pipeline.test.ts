import { afterAll, describe, expect, it } from 'vitest';
import type { Border } from '../../src/border/border.ts';
import { releaseLabels, releaseMetadata, releaseSeries } from '../../src/border/release-lists.ts';
import { releaseExplain, releaseLedger, releaseQuery, releaseStatus } from '../../src/border/release.ts';
import type { VetoInput } from '../../src/border/veto.ts';
import { decodeExplainAnswer } from '../../src/plan/frames/explain-codec.ts';
import { decodeLabelsAnswer } from '../../src/plan/frames/labels-codec.ts';
import { decodeLedgerAnswer } from '../../src/plan/frames/ledger-codec.ts';
import { decodeMetadataAnswer } from '../../src/plan/frames/metadata-codec.ts';
import { decodeQueryAnswer } from '../../src/plan/frames/query-codec.ts';
import { decodeSeriesAnswer } from '../../src/plan/frames/series-codec.ts';
import { decodeStatusAnswer } from '../../src/plan/frames/status-codec.ts';
import { denyAll, parsePolicy } from '../../src/policy/document.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { memoryLedger } from '../../src/federationtest/border-transport.ts';
import { openReleased } from '../../src/border/released.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { series } from '../memory-source.ts';
import { ASKED_BESIDE, REQUEST_ID } from '../plan/beside.ts';
import { memoryShards } from '../shard/memory-shards.ts';
import { anyFragment, borderOver, readingBy } from './domain.ts';
import { answerIn, ASKED, recordsInMemory, type Records } from './records.ts';

const POLICY = (limits = ''): string => `
version: 1
domain: eu
labels: {permit: [instance]}
metrics: [{match: up, class: open}, {match: secret_*, class: sealed}]
limits: {${limits}}
`;

const HELD = [
  ...[1, 2, 3].map((i) => series({ __name__: 'm', service: `s${i}`, domain: 'eu' }, [[30_000, i]])),
  ...[1, 2].map((i) => series({ __name__: 'up', service: `s${i}`, domain: 'eu' }, [[30_000, 1]])),
  ...Array.from({ length: 201 }, (_, i) =>
    series({ __name__: 'many', route: `/${i}`, instance: `i${i}`, le: `${i}`, domain: 'eu' }, [[30_000, 1]]),
  ),
];
const queries = openQueries(memoryShards(HELD, 1, readingBy(POLICY())));
afterAll(() => queries.close());
const FOREVER = new AbortController().signal;

interface Seen {
  readonly border: Border;
  readonly records: Records;
  /** What was looked up in the domain. */
  readonly looks: string[];
}

/** A border of which everything is seen that it looks up. */
function watched(policy = POLICY(), changes: Partial<Border> = {}): Seen {
  const looks: string[] = [];
  const records = recordsInMemory();
  const plain = borderOver(queries, policy);
  const data = Object.fromEntries(
    Object.entries(plain.data).map(([name, look]) => [
      name,
      (...args: never[]): unknown => {
        looks.push(name);
        return (look as (...all: never[]) => unknown)(...args);
      },
    ]),
  ) as unknown as Border['data'];
  return { looks, records, border: { ...plain, data, recorder: records, ...changes } };
}

async function ask({ border }: Seen, ...texts: readonly string[]) {
  const fragments = texts.map((text) => anyFragment(text));
  const query = { lookbackMs: 300_000, timeLeftMs: 10_000, features: NO_FEATURES, fragments, ...ASKED_BESIDE };
  const bytes = answerIn(await releaseQuery(query, ASKED, border, FOREVER));
  const answer = decodeQueryAnswer(bytes, query);
  return {
    answer,
    length: bytes.length,
    said: answer.fragments.map((one) => ('refusal' in one ? one.refusal.code : one.rows.length)),
    names: answer.fragments.map((one) => ('refusal' in one ? one.refusal.name : '')),
  };
}

const LISTED = { id: REQUEST_ID, fromMs: 0, toMs: 60_000, timeLeftMs: 5_000, limit: 500 };

/** What lists are answered with: a number of items, or a code. */
async function lists({ border }: Seen) {
  const up = { ...LISTED, selectors: [[{ name: '__name__', op: '=' as const, value: 'up' }]] };
  const labels = { ...LISTED, name: 'route', selectors: [] };
  const metadata = { ...LISTED, metric: '' };
  const answers = [
    decodeSeriesAnswer(answerIn(await releaseSeries(up, ASKED, border, FOREVER)), up),
    decodeLabelsAnswer(answerIn(await releaseLabels(labels, ASKED, border, FOREVER)), labels),
    decodeMetadataAnswer(answerIn(await releaseMetadata(metadata, ASKED, border, FOREVER)), metadata),
  ];
  return answers.map((answer) => {
    if ('refusal' in answer) return answer.refusal.code;
    return ('series' in answer ? answer.series : 'values' in answer ? answer.values : answer.families).length;
  });
}

describe('a policy that denies all', () => {
  const denied = (): Seen => watched(POLICY(), { policy: () => denyAll('eu', 'expired') });

  it('lets nothing out and looks nothing up', async () => {
    const seen = denied();
    const { answer, said, names } = await ask(seen, 'up', 'partial sum(m)');
    expect([said, names]).toEqual([
      ['policy_denied', 'policy_denied'],
      ['expired', 'expired'],
    ]);
    expect(answer.status).toMatchObject({ policyState: 'expired', expectedStreams: 0, rawBytesHeld: 0 });
    expect(await lists(seen)).toEqual(['policy_denied', 'policy_denied', 'policy_denied']);
    const fragments = [anyFragment('up')];
    const query = { lookbackMs: 1, timeLeftMs: 10_000, features: NO_FEATURES, fragments, ...ASKED_BESIDE };
    const explained = answerIn(await releaseExplain(query, ASKED, seen.border, FOREVER));
    expect(decodeExplainAnswer(explained, query).verdicts).toMatchObject([{ refusal: { code: 'policy_denied' } }]);
    expect(seen.looks).toEqual([]);
    expect(seen.records.drafts.map(({ decision }) => decision)).toEqual(Array.from({ length: 5 }, () => 'refused'));
  });

  it('says in the heartbeat no more than which it is', async () => {
    const { border } = denied();
    const bytes = answerIn(await releaseStatus({ id: REQUEST_ID }, ASKED, border));
    expect(decodeStatusAnswer(bytes, { id: REQUEST_ID }).status).toMatchObject({
      policyState: 'expired',
      expectedStreams: 0,
      observedStreams: 0,
      gaps: [],
    });
  });

  it('refuses a request for coverage alone', async () => {
    const query = { lookbackMs: 1, timeLeftMs: 9_000, features: NO_FEATURES, fragments: [], ...ASKED_BESIDE };
    await expect(releaseQuery(query, ASKED, denied().border, FOREVER)).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('limits of a policy', () => {
  it.each<[string, readonly string[], readonly (string | number)[], string]>([
    ['answer_rows: 3', ['up', 'partial sum(m)', 'partial sum(m)'], [2, 1, 'limit'], 'answer_rows'],
    ['answer_rows: 1', ['up', 'partial sum(m)'], ['limit', 1], 'answer_rows'],
    ['answer_bytes: 1', ['up', 'partial sum(m)'], ['limit', 'limit'], 'answer_bytes'],
    ['bytes_per_day: 1', ['up', 'partial sum(m)'], ['budget', 'budget'], 'bytes_per_day'],
  ])('%s', async (limits, texts, want, name) => {
    const { said, names } = await ask(watched(POLICY(limits)), ...texts);
    expect(said).toEqual(want);
    expect(names.find((one) => one !== '') ?? '').toBe(name);
  });

  it('bytes: fragments stay as long as there is room', async () => {
    const texts = ['up', 'partial sum by (instance) (many)'];
    const { length } = await ask(watched(), ...texts);
    const said = async (bytes: number) => (await ask(watched(POLICY(`answer_bytes: ${bytes}`)), ...texts)).said;
    expect(await said(length)).toEqual([2, 201]);
    expect(await said(length - 1)).toEqual([2, 'limit']);
  });

  it('nothing is looked up when the bytes of the day are gone', async () => {
    const seen = watched(POLICY('bytes_per_day: 1000'));
    seen.records.today = 1_000;
    expect((await ask(seen, 'up', 'secret_x')).said).toEqual(['budget', 'class_sealed']);
    expect(await lists(seen)).toEqual(['budget', 'budget', 'budget']);
    expect(seen.looks).toEqual([]);
  });

  it('the bytes of answers that are being recorded count', async () => {
    const { length } = await ask(watched(), 'partial sum(m)', 'up');
    const seen = watched(POLICY(`bytes_per_day: ${Math.floor(length * 1.5)}`));
    const recorded = Promise.withResolvers<void>();
    const { record } = seen.records;
    seen.records.record = async (...args) => {
      await recorded.promise;
      return record(...args);
    };
    const first = ask(seen, 'partial sum(m)', 'up');
    const second = ask(seen, 'partial sum(m)', 'up');
    // Both have been evaluated by then, and none is recorded.
    await new Promise((resolve) => setTimeout(resolve, 100));
    recorded.resolve();
    const said = [(await first).said, (await second).said].flat();
    expect(said.map(String).sort()).toEqual(['1', '2', 'budget', 'budget']);
  });

  it('a list keeps to them', async () => {
    expect(await lists(watched(POLICY('answer_rows: 1')))).toEqual(['limit', 'limit', 0]);
    expect(await lists(watched(POLICY('answer_bytes: 60')))).toEqual(['limit', 'limit', 'limit']);
  });
});

describe('a label that leaves because it is known to be public', () => {
  it.each<[string, string | number]>([
    ['partial sum by (route) (many)', 'limit'],
    // The policy names this one, and the other is of the format.
    ['partial sum by (instance) (many)', 201],
    ['partial sum by (le) (many)', 201],
    ['partial sum by (route) (many{route!="/7"})', 200],
  ])('has no more than 200 values in an answer: %s', async (text, want) => {
    const { said, names } = await ask(watched(), text);
    expect(said).toEqual([want]);
    expect(names).toEqual([want === 'limit' ? 'label_values' : '']);
  });

  it('nor in a list', async () => {
    expect((await lists(watched()))[1]).toBe('limit');
  });
});

describe('a veto', () => {
  it('is told names and times, and stops all that it is told of before anything is looked up', async () => {
    const told: VetoInput[] = [];
    const seen = watched(POLICY(), {
      veto: async (input) => {
        told.push(input);
        return false;
      },
    });
    const { said } = await ask(seen, 'partial sum by (service) (rate(m{job="canary"}[5m]))', 'secret_x', 'up');
    expect(said).toEqual(['vetoed', 'class_sealed', 'vetoed']);
    expect(await lists(seen)).toEqual(['vetoed', 'vetoed', 'vetoed']);
    expect(seen.looks).toEqual([]);
    expect(told[0]).toEqual({
      domain: 'eu',
      consumer: ASKED.consumer,
      kind: 'query',
      fragments: [
        {
          metrics: ['m'],
          operators: ['sum'],
          labels: ['job', 'service'],
          from: '1970-01-01T00:01:00.000Z',
          to: '1970-01-01T00:01:00.000Z',
          step_seconds: 0,
        },
        expect.objectContaining({ metrics: ['up'], operators: [] }),
      ],
    });
    expect(JSON.stringify(told)).not.toContain('canary');
  });

  it.each<[string, NonNullable<Border['veto']>, string | number]>([
    ['true', async () => true, 2],
    ['false', async () => false, 'vetoed'],
    ['undefined', async () => undefined as unknown as boolean, 'vetoed'],
    ['the text true', async () => 'true' as unknown as boolean, 'vetoed'],
    ['an error', () => Promise.reject(new Error('no answer')), 'vetoed'],
  ])('%s', async (_, veto, want) => {
    expect((await ask(watched(POLICY(), { veto }), 'up')).said).toEqual([want]);
  });
});

describe('a policy that changes meanwhile', () => {
  it.each<[string, number]>([
    ['while the request is worked on', 1],
    ['while it is recorded', 3],
  ])('%s: the answer is not sealed', async (_, after) => {
    let asked = 0;
    const before = parsePolicy(POLICY(), 'a', 'eu', 'domain');
    const then = parsePolicy(POLICY('answer_rows: 1'), 'b', 'eu', 'domain');
    // Asked when the request comes, before it is recorded and after.
    const policy = (): typeof before => (asked++ < after - (after === 3 ? 1 : 0) ? before : then);
    await expect(ask(watched(POLICY(), { policy }), 'up')).rejects.toMatchObject({ code: 'overloaded' });
  });

  it('the same documents read again are the same policy', async () => {
    const policy = (): Border['policy'] extends () => infer P ? P : never => parsePolicy(POLICY(), 'a', 'eu', 'domain');
    expect((await ask(watched(POLICY(), { policy }), 'up')).said).toEqual([2]);
  });
});

it('whoever looks on sees every decision with its rows', async () => {
  const seen: unknown[] = [];
  const shadow: Border['shadow'] = {
    decided: ({ answer }, rows, refusal) => seen.push([answer, rows?.length, refusal?.code]),
  };
  await ask(watched(POLICY('answer_rows: 2'), { shadow }), 'up', 'partial sum(m)', 'secret_x');
  expect(seen).toEqual([
    ['vector', 2, undefined],
    ['partial', undefined, 'limit'],
    ['vector', undefined, 'class_sealed'],
  ]);
});

it('what cannot be recorded does not leave', async () => {
  const seen = watched();
  seen.records.record = () => Promise.reject(Object.assign(new Error('the disk is full')));
  await expect(ask(seen, 'up')).rejects.toThrow('the disk is full');
  await expect(releaseStatus({ id: REQUEST_ID }, ASKED, seen.border)).rejects.toThrow('the disk is full');
});

it('proofs are of the sizes that the ledger has', async () => {
  const { ledger, recorder } = await memoryLedger('eu');
  const border = { ...watched().border, ledger, recorder };
  for (let i = 0; i < 3; i++) await ask({ border, records: recordsInMemory(), looks: [] }, 'up');
  const request = { sizes: [1, 2, 99], id: REQUEST_ID };
  const { bytes } = openReleased(await releaseLedger(request, border));
  const { proofs, checkpoint } = decodeLedgerAnswer(bytes, request);
  expect(proofs).toHaveLength(2);
  expect(checkpoint).toContain('comity.dev/eu/agent-1\n3\n');
  await expect(releaseLedger(request, watched().border)).rejects.toMatchObject({ code: 'not_found' });
  await ledger.close();
});
