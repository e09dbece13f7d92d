import { afterAll, describe, expect, it } from 'vitest';
import type { Border } from '../../src/border/border.ts';
import { noteText } from '../../src/engine/note-codes.ts';
import type { Note } from '../../src/engine/notes.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { memoryShards, overPort } from '../shard/memory-shards.ts';
import { CANARY, HELD, POLICY } from './canaries.ts';
import { anyFragment, readingBy, testDomain } from './domain.ts';

/** A label that the tables call public leaves unless a policy denies it. */
const KEPT = POLICY.replace('[service]', '[service], deny: [__type__]');

describe.each([
  ['one shard', () => memoryShards(HELD, 1, readingBy(KEPT))],
  ['three shards at ports', () => memoryShards(HELD, 3, readingBy(KEPT)).map(overPort)],
])('over %s', (_, shards) => {
  const domain = testDomain(KEPT, shards);
  afterAll(() => domain.close());

  describe('notes', () => {
    const bare = 'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket:';
    const fixed =
      'PromQL info: input to histogram_quantile needed to be fixed for monotonicity ' +
      '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)';
    it.each<[string, string[]]>([
      ['partial sum(rate(m[1m]))', [`${bare} "m"`]],
      ['rate(up[1m])', [`${bare} "up"`]],
      [
        'partial sum(quantile_over_time(2, m[1m]))',
        ['PromQL warning: quantile value should be between 0 and 1, got 2'],
      ],
      // The parameter is the value of a series, which is open.
      [
        'partial sum(quantile_over_time(scalar(up), m[1m]))',
        ['PromQL warning: quantile value should be between 0 and 1, got 47'],
      ],
      ['partial sum(histogram_quantile(0.5, h_bucket))', [fixed]],
      ['histogram_quantile(0.5, open_bucket)', [`${fixed} with numbers`]],
      ['histogram_quantile(0.5, sum by (le, domain) (h_bucket))', [`${fixed} with numbers`]],
    ])('%s', async (asked, want) => {
      const { fragments } = await domain.ask([anyFragment(asked)]);
      expect('notes' in fragments[0]! ? fragments[0].notes.map(noteShown) : fragments).toEqual(want);
    });

    it('do not say the value of a label that may not leave', async () => {
      const asked = anyFragment('partial sum(rate(m[1m]))');
      const { bytes, fragments } = await domain.ask([asked], ALL_FEATURES);
      expect(fragments).toMatchObject([{ rows: [{}] }]);
      expect(bytes.includes(CANARY)).toBe(false);
      const permitting = testDomain(POLICY, HELD);
      const answered = await permitting.ask([asked], ALL_FEATURES);
      expect(answered.bytes.includes(CANARY)).toBe(true);
    });
  });
});

function noteShown(note: Note): string {
  return noteText(note) + (note.detail === undefined ? '' : ' with numbers');
}

describe('notes, whatever those who keep the samples say', () => {
  const SPAN = { start: 0, end: 1 };
  const counter = (metric: string): Note => ({
    level: 'info',
    code: 'possible_non_counter',
    args: [metric],
    span: SPAN,
  });
  const typed = (type: string): Note => ({
    level: 'info',
    code: 'possible_non_counter_type',
    args: ['m', type],
    span: SPAN,
  });
  it.each<[string, string, Note, boolean]>([
    ['a metric', POLICY, counter('m'), true],
    ['a sealed metric', POLICY, counter('secret_canary'), false],
    ['a label that may leave', POLICY, typed('gauge'), true],
    ['a label that may not', KEPT, typed('canary'), false],
    ['nothing in the fragment', POLICY, { ...counter('m'), span: { start: 0, end: 0 } }, true],
    ['no node of the fragment', POLICY, { ...counter('m'), span: { start: 9, end: 9 } }, false],
  ])('%s', async (_, policy, note, leaves) => {
    const says = (data: Border['data']): Border['data'] => ({
      ...data,
      fragment: async (question, signal) => ({ ...(await data.fragment(question, signal)), notes: [note] }),
    });
    const domain = testDomain(policy, HELD, says);
    const { bytes, fragments } = await domain.ask([anyFragment('partial sum(m)')]);
    expect(fragments).toMatchObject([{ rows: [{}], notes: leaves ? [{ code: note.code, args: note.args }] : [] }]);
    expect(bytes.includes('canary')).toBe(false);
  });

  it('numbers of what is said of nothing in the fragment stay', async () => {
    const detail = { kind: 'overlap', samples: 47 } as const;
    for (const [end, want] of [
      [0, undefined],
      [1, detail],
    ] as const) {
      const note = {
        level: 'warning',
        code: 'start_time_overlap',
        args: ['up'],
        span: { start: 0, end },
        detail,
      } as const;
      const says = (data: Border['data']): Border['data'] => ({
        ...data,
        fragment: async (question, signal) => ({ ...(await data.fragment(question, signal)), notes: [note] }),
      });
      const { fragments } = await testDomain(POLICY, HELD, says).ask([anyFragment('up')]);
      expect('notes' in fragments[0]! && fragments[0].notes.map((left) => left.detail)).toEqual([want]);
    }
  });
});
