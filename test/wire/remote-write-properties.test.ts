import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { labelsRecord, labelsFrom } from '../../src/model/labels.ts';
import { assertBatch } from '../fuzz/target.ts';
import { mutate } from '../mutate.ts';
import { randomFrom } from '../random.ts';
import {
  decoder,
  encode,
  encodeV1,
  rowsOf,
  STALE,
  V1,
  V2,
  type HistogramRow,
  type Row,
  type WriteExemplar,
  type WriteHistogram,
  type WriteSeries,
  type WriteSpan,
} from './remote-write-requests.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** A histogram, and what it must become. */
interface Expected {
  readonly sent: WriteHistogram;
  readonly row: HistogramRow | 'stale';
}

interface Case {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples: readonly { readonly value: number; readonly timestamp: number; readonly startTimestamp: number }[];
  readonly histograms: readonly Expected[];
  readonly exemplars: readonly WriteExemplar[];
}

const time = fc.integer({ min: -(2 ** 45), max: 2 ** 45 });
const start = fc.oneof(fc.constant(0), time);
const value = fc.oneof(fc.double(), fc.constantFrom(0, STALE, NaN, 1, -1));
// Any UTF-16 that is whole characters; what is not has no UTF-8.
const text = fc.string({ unit: 'binary', maxLength: 12 });
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }).filter((one) => one !== '__name__');

const labels = fc
  .tuple(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }),
    fc.uniqueArray(fc.tuple(name, text), { selector: ([one]) => one, maxLength: 8 }),
    fc.nat(),
  )
  .map(([metric, rest, at]) => rest.toSpliced(at % (rest.length + 1), 0, ['__name__', metric]));

/** Buckets by index, not in order. */
const buckets = (low: number, high: number) =>
  fc.uniqueArray(fc.tuple(fc.integer({ min: low, max: high }), fc.integer({ min: 0, max: 2 ** 40 })), {
    selector: ([index]) => index,
    maxLength: 12,
  });

const histogram: fc.Arbitrary<Expected> = fc
  .record({
    isFloat: fc.boolean(),
    isCustom: fc.boolean(),
    schema: fc.integer({ min: -4, max: 8 }),
    zeroThreshold: fc.constantFrom(0, 1e-128, 0.5),
    zeroCount: fc.nat(),
    sum: fc.oneof(fc.double({ noNaN: true }), fc.constant(NaN)),
    hint: fc.integer({ min: 0, max: 3 }),
    positive: buckets(-40, 300_000),
    negative: buckets(-2000, 40),
    bounds: fc.uniqueArray(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 12 }),
    timestamp: time,
    startTimestamp: start,
    splits: fc.boolean(),
    isStale: fc.boolean(),
  })
  .map((made) => {
    const { isFloat, isCustom, timestamp, startTimestamp, hint, splits } = made;
    const bounds = isCustom ? made.bounds.toSorted((a, b) => a - b) : [];
    const inOrder = (list: [number, number][]) => list.toSorted(([a], [b]) => a - b);
    const positive = inOrder(
      // The last bucket ends at +Inf.
      isCustom ? made.positive.slice(0, bounds.length).map(([, count], index) => [index, count]) : made.positive,
    );
    const negative = isCustom ? [] : inOrder(made.negative);
    const zeroCount = isCustom ? 0 : made.zeroCount;
    const zeroThreshold = isCustom ? 0 : made.zeroThreshold;
    const schema = isCustom ? -53 : made.schema;
    const count = [...positive, ...negative].reduce((sum, [, one]) => sum + one, zeroCount);
    const sum = made.isStale && timestamp % 3 === 0 ? STALE : made.sum;
    const numbers = isFloat
      ? {
          countFloat: count,
          zeroCountFloat: zeroCount,
          positiveCounts: positive.map(([, one]) => one),
          negativeCounts: negative.map(([, one]) => one),
        }
      : {
          countInt: count,
          zeroCountInt: zeroCount,
          positiveDeltas: deltas(positive),
          negativeDeltas: deltas(negative),
        };
    const sent = {
      ...numbers,
      sum,
      schema,
      zeroThreshold,
      positiveSpans: spans(positive, splits),
      negativeSpans: spans(negative, splits),
      resetHint: hint,
      timestamp,
      startTimestamp,
      customValues: bounds,
    };
    const row = { schema, zeroThreshold, hint, count, sum, zeroCount, positive, negative, bounds };
    return { sent, row: sum === STALE ? 'stale' : row };
  });

const exemplar: fc.Arbitrary<WriteExemplar> = fc.record({
  labels: fc.uniqueArray(fc.tuple(name, fc.string({ maxLength: 10 })), { selector: ([one]) => one, maxLength: 2 }),
  value: fc.double(),
  timestamp: time.filter((one) => one !== 0),
});

const cases: fc.Arbitrary<Case> = fc.record({
  labels,
  samples: fc.array(fc.record({ value, timestamp: time, startTimestamp: start }), { minLength: 1, maxLength: 3 }),
  histograms: fc.array(histogram, { maxLength: 3 }),
  exemplars: fc.array(exemplar, { maxLength: 2 }),
});

function deltas(list: readonly (readonly [number, number])[]): number[] {
  return list.map(([, count], i) => count - (list[i - 1]?.[1] ?? 0));
}

/** Spans of neighbours, or one for each bucket. */
function spans(list: readonly (readonly [number, number])[], splits: boolean): WriteSpan[] {
  const out: { offset: number; length: number }[] = [];
  let end = 0;
  for (const [index] of list) {
    const last = out.at(-1);
    if (last !== undefined && index === end && !splits) last.length++;
    else out.push({ offset: index - end, length: 1 });
    end = index + 1;
  }
  return out;
}

function sentSeries({ labels: pairs, samples, histograms, exemplars }: Case): WriteSeries {
  return { labels: pairs, samples, histograms: histograms.map(({ sent }) => sent), exemplars };
}

/** What must come of a case, said without the decoder. */
function expectedRows(one: Case, hasStarts: boolean): Row[] {
  const stored = labelsRecord(labelsFrom([...one.labels, ['domain', 'eu']]));
  const own = one.labels.find(([label]) => label === 'domain')?.[1] ?? '';
  if (own !== '') stored['exported_domain'] = own;
  const startOf = (startMs: number, isStale: boolean) =>
    hasStarts && Number.isSafeInteger(startMs) && !isStale ? startMs : 0;
  return [
    ...one.samples.map((sample) => ({
      labels: stored,
      timeMs: sample.timestamp,
      startMs: startOf(sample.startTimestamp, sample.value === STALE),
      value: sample.value === STALE ? ('stale' as const) : sample.value,
    })),
    ...one.histograms.map(({ sent, row }) => ({
      labels: stored,
      timeMs: sent.timestamp!,
      startMs: startOf(sent.startTimestamp!, row === 'stale'),
      value: row,
    })),
  ];
}

test.each([V1, V2])(`what is sent arrives, seed ${SEED}: %s`, { timeout: 60_000 }, (message) => {
  const decode = decoder();
  fc.assert(
    fc.property(fc.array(cases, { maxLength: 4 }), (list) => {
      const body = encode(message, list.map(sentSeries));
      const want = list.flatMap((one) => expectedRows(one, message === V2));
      // Twice: from the words, and from what is remembered of their bytes.
      for (let time = 0; time < 2; time++) {
        const { batch, leftOut } = decode(message, body);
        expect(rowsOf(batch)).toEqual(want);
        expect(leftOut.reasons).toEqual(new Map());
        const exemplars = batch.exemplars.map((got) => ({ ...got, series: undefined }));
        const wanted = list.flatMap((one) =>
          one.exemplars.map((sent) => ({
            series: undefined,
            timeMs: sent.timestamp,
            value: sent.value,
            labels: labelsFrom(sent.labels),
          })),
        );
        expect(exemplars).toEqual(wanted);
      }
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test(`a request on its own and one among others are decoded alike, seed ${SEED}`, { timeout: 60_000 }, () => {
  const few = decoder(4096);
  const much = decoder();
  fc.assert(
    fc.property(fc.array(cases, { maxLength: 3 }), fc.constantFrom(V1, V2), (list, message) => {
      const body = encode(message, list.map(sentSeries));
      const rows = rowsOf(decoder()(message, body).batch);
      expect(rowsOf(few(message, body).batch)).toEqual(rows);
      expect(rowsOf(much(message, body).batch)).toEqual(rows);
    }),
    { seed: SEED, numRuns: 150 },
  );
});

test(
  `broken requests end in an error of ours or in a batch that can be stored, seed ${SEED}`,
  { timeout: 60_000 },
  () => {
    const random = randomFrom(SEED);
    const decode = decoder(256 * 1024);
    const bodies = fc
      .sample(fc.array(cases, { minLength: 1, maxLength: 3 }), { seed: SEED, numRuns: 60 })
      .flatMap((list) => [V1, V2].map((message) => ({ message, body: encode(message, list.map(sentSeries)) })));
    let failed = 0;
    const runs = 8000;
    for (let run = 0; run < runs; run++) {
      const { message, body } = random.pick(bodies);
      const broken = mutate(random, body);
      try {
        assertBatch(decode(message, broken).batch);
      } catch (error) {
        if (!(error instanceof ComityError) || (error.code !== 'bad_data' && error.code !== 'body_too_large')) {
          throw new Error(`run ${run}: ${Buffer.from(broken).toString('hex')}`, { cause: error });
        }
        failed++;
      }
    }
    expect(failed).toBeGreaterThan(runs / 20);
    expect(failed).toBeLessThan(runs - runs / 20);
  },
);

test('a series is not taken for another whose labels are cut elsewhere', () => {
  const decode = decoder();
  const of = (pairs: [string, string][]) =>
    rowsOf(decode(V1, encodeV1([{ labels: pairs, samples: [{ value: 1, timestamp: 1 }] }])).batch)[0]?.labels;
  expect(
    of([
      ['__name__', 'a'],
      ['b', 'cd'],
    ]),
  ).toEqual({ __name__: 'a', b: 'cd', domain: 'eu' });
  expect(
    of([
      ['__name__', 'a'],
      ['bc', 'd'],
    ]),
  ).toEqual({ __name__: 'a', bc: 'd', domain: 'eu' });
});
