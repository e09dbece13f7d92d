import { afterAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import type { ListData } from '../../src/border/list-data.ts';
import type { Border } from '../../src/border/border.ts';
import { releaseExemplars, releaseMetadata, releaseSeries } from '../../src/border/release-lists.ts';
import type { Metadata, SeriesExemplars } from '../../src/model/batch.ts';
import { labelsOf, labelsRecord, type Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { decodeExemplarsAnswer } from '../../src/plan/frames/exemplars-codec.ts';
import { decodeMetadataAnswer } from '../../src/plan/frames/metadata-codec.ts';
import { decodeSeriesAnswer } from '../../src/plan/frames/series-codec.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { localShard } from '../../src/shard/local-shard.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { memorySource, series } from '../memory-source.ts';
import { REQUEST_ID } from '../plan/beside.ts';
import { bareSource } from '../shard/memory-shards.ts';
import { borderOver, readingBy } from './domain.ts';
import { answerIn, ASKED } from './records.ts';

/** What no policy here lets out: a label's value, the name of a sealed metric, the label set of an aggregate one. */
const CANARIES = ['canary-4711', 'secret_salaries', 'm_inner', 'canary-trace', 'canary-help'];

const POLICY = `
version: 1
domain: eu
labels: {permit: [service, trace_id]}
metrics:
  - {match: up, class: open}
  - {match: open_*, class: open}
  - {match: open_secret, class: sealed}
  - {match: secret_*, class: sealed}
  - {match: listed_bucket, class: sealed}
`;
const EVERYTHING = "version: 1\ndomain: eu\nlabels: {permit: ['*']}\ndefault_class: open\n";

const held = (labels: Record<string, string>) => series({ domain: 'eu', job: 'a', ...labels }, [[15_000, 1]]);
const HELD = [
  held({ __name__: 'up', service: 's' }),
  held({ __name__: 'up', service: 't' }),
  held({ __name__: 'open_queue', service: 's' }),
  held({ __name__: 'open_queue', customer: 'canary-4711' }),
  held({ __name__: 'open_secret', service: 'canary-4711' }),
  held({ __name__: 'secret_salaries', service: 's' }),
  held({ __name__: 'm_inner', service: 's' }),
];

const one = (labels: Record<string, string>, ...own: Record<string, string>[]): SeriesExemplars => ({
  labels: labelsOf({ domain: 'eu', ...labels }),
  exemplars: own.map((pairs, i) => ({ timeMs: 1_000 * (i + 1), value: i + 0.5, labels: labelsOf(pairs) })),
});
const EXEMPLARS = [
  one({ __name__: 'open_queue', service: 's' }, { trace_id: 't1' }, { trace_id: 't2', user: 'canary-trace' }, {}),
  one({ __name__: 'open_queue', customer: 'canary-4711' }, { trace_id: 'canary-trace' }),
  one({ __name__: 'm_inner' }, { trace_id: 'canary-trace' }),
  one({ __name__: 'secret_salaries' }, { trace_id: 'canary-trace' }),
  one({ __name__: 'up' }, { span_id: 'canary-trace' }),
];

const family = (metric: string, type: Metadata['type'], help: string): Metadata => ({ metric, type, unit: '', help });
const FAMILIES = [
  family('up', 'gauge', 'Whether it is up.'),
  family('m', 'counter', 'Things.'),
  // Of this one the buckets are sealed, and so is what is known of it.
  family('listed', 'histogram', 'canary-help'),
  family('secret_salaries', 'gauge', 'canary-help'),
  // As OpenMetrics names it: its only metric ends in _total.
  family('secret', 'counter', 'canary-help'),
];

const FOREVER = new AbortController().signal;

/** Over two shards, spread by turns. */
function domainOf(policy: string, known = { held: HELD, exemplars: EXEMPLARS, families: FAMILIES }) {
  const shards = [0, 1].map((shard) => {
    const own = <T>(items: readonly T[]): T[] => items.filter((_item, i) => i % 2 === shard);
    const source = {
      ...bareSource(memorySource(own(known.held))),
      metadata: () => own(known.families),
      exemplars: () => own(known.exemplars),
    };
    return localShard(source, readingBy(policy));
  });
  return openQueries(shards);
}

const data = domainOf(POLICY);
const border = borderOver(data, POLICY);
afterAll(() => data.close());

const matchersOf = (text: string): readonly Matcher[] => {
  const expr = parseExpr(text);
  if (expr.kind !== 'vector') throw new Error(`${text} is no selector`);
  return expr.matchers;
};
const asking = { id: REQUEST_ID, fromMs: 0, toMs: 60_000, timeLeftMs: 5_000 };

function harmless(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  for (const canary of CANARIES) expect(text).not.toContain(canary);
  return bytes;
}

async function seriesOf(selectors: readonly string[], limit = 100, over: Border = border) {
  const query = { ...asking, selectors: selectors.map(matchersOf), limit };
  const bytes = answerIn(await releaseSeries(query, ASKED, over, FOREVER));
  return decodeSeriesAnswer(harmless(bytes), query);
}

async function exemplarsOf(selectors: readonly string[], over: Border = border) {
  const query = { ...asking, selectors: selectors.map(matchersOf) };
  const bytes = answerIn(await releaseExemplars(query, ASKED, over, FOREVER));
  return decodeExemplarsAnswer(harmless(bytes), query);
}

async function metadataOf(metric: string, limit = 100, over: Border = border) {
  const query = { ...asking, metric, limit };
  const bytes = answerIn(await releaseMetadata(query, ASKED, over, FOREVER));
  return decodeMetadataAnswer(harmless(bytes), query);
}

const shown = (sets: readonly Labels[]) =>
  sets.map((labels) => {
    const { __name__, service = '' } = labelsRecord(labels);
    return `${__name__} ${service}`.trim();
  });

describe('series', () => {
  it.each<[string[], string[]]>([
    [['up'], ['up s', 'up t']],
    [
      ['up{service="t"}', 'up'],
      ['up s', 'up t'],
    ],
    // One of the two carries a label that may not leave: dropping it could make two series one.
    [['open_queue'], ['open_queue s']],
    [['{service!=""}'], ['open_queue s', 'up s', 'up t']],
    [
      ['{job="a"}', 'up'],
      ['open_queue s', 'up s', 'up t'],
    ],
    [['{__name__=~"open.+"}'], ['open_queue s']],
    [['{__name__=~"up|open_queue"}'], ['open_queue s', 'up s', 'up t']],
    [['open_nothing'], []],
  ])('%j are %j', async (selectors, want) => {
    const answer = await seriesOf(selectors);
    expect(answer).toMatchObject({ isCut: false, isSelective: true });
    if ('series' in answer) expect(shown(answer.series)).toEqual(want);
  });

  it.each<[string[], string, string]>([
    [['m_inner'], 'class_aggregate', 'm_inner'],
    [['up', 'nothing_there'], 'class_aggregate', 'nothing_there'],
    [['{__name__=~"up|n"}'], 'class_aggregate', 'n'],
    [['open_secret'], 'class_sealed', 'open_secret'],
    [['secret_none'], 'class_sealed', 'secret_none'],
    [['up{customer="canary"}'], 'matcher_not_permitted', 'customer'],
    [['{customer!~"a.*",job="a"}'], 'matcher_not_permitted', 'customer'],
  ])('%j is refused: %s %s', async (selectors, code, name) => {
    const query = { ...asking, selectors: selectors.map(matchersOf), limit: 5 };
    for (const over of [border, borderOver(nothing, POLICY)]) {
      const bytes = answerIn(await releaseSeries(query, ASKED, over, FOREVER));
      const answer = decodeSeriesAnswer(bytes, query);
      expect(answer).toMatchObject({ refusal: { code, name } });
    }
  });

  it('what may be missing is told by the policy, never by what there is', async () => {
    const empty = borderOver(nothing, POLICY);
    expect(await seriesOf(['{job="a"}'], 5, empty)).toMatchObject({ series: [], isSelective: true });
    const open = borderOver(nothing, EVERYTHING);
    expect(await seriesOf(['{job="a"}'], 5, open)).toMatchObject({ series: [], isSelective: false });
    const sealing = borderOver(
      nothing,
      EVERYTHING.replace('default', 'metrics: [{match: s*, class: sealed}]\ndefault'),
    );
    expect(await seriesOf(['{job="a"}'], 5, sealing)).toMatchObject({ isSelective: true });
    expect(await seriesOf(['{__name__=~"t.*"}'], 5, sealing)).toMatchObject({ isSelective: false });
    expect(await seriesOf(['t', 'u'], 5, sealing)).toMatchObject({ isSelective: false });
  });

  it('what a limit cuts says so', async () => {
    expect(await seriesOf(['up'], 1)).toMatchObject({ isCut: true, series: { length: 1 } });
    expect(await seriesOf(['up'], 2)).toMatchObject({ isCut: false, series: { length: 2 } });
    // Past the bytes of an answer as well.
    const long = Array.from({ length: 6_000 }, (_, i) => labelsOf({ __name__: 'up', service: 's'.repeat(4_000) + i }));
    const many = borderOver({ ...data, series: async () => ({ found: long, isCut: false }) }, POLICY);
    const query = { ...asking, selectors: [matchersOf('up')], limit: LIMITS.rowsPerAnswer };
    const bytes = answerIn(await releaseSeries(query, ASKED, many, FOREVER));
    expect(bytes.length).toBeLessThan(LIMITS.answerBytes);
    expect(decodeSeriesAnswer(bytes, query)).toMatchObject({ isCut: true });
  });
});

describe('metadata', () => {
  it('is of metrics that are not sealed, by name', async () => {
    const answer = await metadataOf('');
    expect(answer).toMatchObject({
      isCut: false,
      families: [{ metric: 'm' }, { metric: 'up', help: 'Whether it is up.' }],
    });
    expect(await metadataOf('m')).toMatchObject({ families: [{ metric: 'm', type: 'counter' }] });
    expect(await metadataOf('', 1)).toMatchObject({ families: [{ metric: 'm' }], isCut: true });
    for (const metric of ['secret', 'secret_salaries', 'listed', 'none']) {
      const query = { ...asking, metric, limit: 5 };
      const bytes = answerIn(await releaseMetadata(query, ASKED, border, FOREVER));
      expect(decodeMetadataAnswer(bytes, query)).toMatchObject({ families: [], isCut: false });
    }
  });
});

describe('exemplars', () => {
  it('are of open metrics, with permitted labels alone', async () => {
    const answer = await exemplarsOf(['open_queue', 'm_inner', 'secret_salaries', 'up']);
    if (!('series' in answer)) throw new Error('refused');
    expect(answer.isSelective).toBe(true);
    expect(answer.series.map(({ labels, exemplars }) => [shown([labels])[0], exemplars])).toEqual([
      [
        'open_queue s',
        [
          { timeMs: 1_000, value: 0.5, labels: ['trace_id', 't1'] },
          { timeMs: 3_000, value: 2.5, labels: [] },
        ],
      ],
    ]);
  });

  it('are refused only for a matcher', async () => {
    expect(await exemplarsOf(['up{customer="a"}'])).toMatchObject({
      refusal: { code: 'matcher_not_permitted', name: 'customer' },
    });
  });
});

describe('two locks', () => {
  const careless: ListData = {
    series: async () => ({ found: HELD.map(({ labels }) => labels), isCut: false }),
    metadata: async () => ({ found: FAMILIES, isCut: false }),
    exemplars: async () => ({ found: EXEMPLARS, isCut: false }),
  };

  it('the border lets nothing out that whoever keeps the data hands it by mistake', async () => {
    const over = borderOver({ ...data, ...careless }, POLICY);
    const answer = await seriesOf(['{job="a"}'], 100, over);
    if (!('series' in answer)) throw new Error('refused');
    expect(shown(answer.series)).toEqual(['up s', 'up t', 'open_queue s']);
    expect(await metadataOf('', 100, over)).toMatchObject({ families: { length: 2 } });
    expect(await exemplarsOf(['up'], over)).toMatchObject({ series: { length: 1 } });
  });

  it('whoever keeps the data hands out nothing that a border without a policy would let through', async () => {
    const over = borderOver(data, EVERYTHING);
    const answer = await seriesOf(['{job="a"}'], 100, over);
    if (!('series' in answer)) throw new Error('refused');
    expect(shown(answer.series)).toEqual(['open_queue s', 'up s', 'up t']);
    expect(await metadataOf('', 100, over)).toMatchObject({ families: { length: 2 } });
    expect(await exemplarsOf(['{job="a"}'], over)).toMatchObject({ series: { length: 1 } });
  });
});

const nothing = domainOf(POLICY, { held: [], exemplars: [], families: [] });
afterAll(() => nothing.close());
