import { batchBuilder, type BatchBuilder } from '../../src/model/batch-builder.ts';
import {
  ADD,
  ADD_ONCE,
  NO_ID,
  NO_REF,
  SET,
  seriesHandle,
  type Batch,
  type SeriesHandle,
} from '../../src/model/batch.ts';
import { CUSTOM_BUCKETS, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf, type Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import type { Random } from '../random.ts';

const VALUES = [0, -0, 1, 2.5, -3, NaN, Infinity, -Infinity, 1e300, 5e-324];

/** Batches of everything that a batch may hold, of series that come time and again. */
export interface RandomBatches {
  /** Where the times of the rows are; they move on from it. */
  clockMs: number;
  next(): Batch;
  /** One sample of each of many series that nothing else is sent of. */
  fillers(count: number): Batch;
  matchers(): Matcher[];
  /** A time of a row, or any near the clock. */
  time(): number;
  /** Makes all handles that were handed out ones that no store has seen. */
  forgetStore(): void;
}

export function randomBatches(random: Random, startMs: number, futureMs: () => number): RandomBatches {
  const { next, pick } = random;
  const int = (below: number): number => Math.floor(next() * below);
  const handles = new Map<string, SeriesHandle>();
  const sampled: number[] = [];
  let clockMs = startMs;
  let fillers = 0;

  function randomBatch(): Batch {
    const builder = batchBuilder();
    // Mostly small batches, and now and then one that fills chunks.
    const rows = next() < 0.1 ? 700 : int(30);
    const spread = rows > 100 ? 3 : 25;
    const inOrder = next() < 0.5;
    if (next() < 0.2) clockMs += pick([60_000, 1_000_000, 7 * 3_600_000]);
    for (let row = 0; row < rows; row++) {
      clockMs += int(100);
      if (row % 5 === 0) sampled.push(clockMs);
      if (next() < 0.1) builder.beginPoint();
      const again = next() < 0.2 && !inOrder;
      const back = again ? pick([int(5_000), int(100_000), int(4_000_000)]) : 0;
      randomRow(builder, spread, next() < 0.01 ? futureMs() + pick([0, 1, NaN, Infinity]) : clockMs - back);
      if (next() < 0.2) builder.endPoint();
      if (next() < 0.1) randomExemplar(builder, spread);
    }
    if (next() < 0.2) {
      const metric = pick(['m0', 'm1', 'm2', 'other']);
      builder.metadata({ metric, type: pick(['counter', 'unknown']), help: pick(['', 'a', 'b']), unit: 's' });
    }
    // Now and then exemplars of what is known come by themselves.
    if (next() < 0.05) {
      const only = batchBuilder();
      for (let i = 0; i < 3; i++) randomExemplar(only, 25);
      return only.build();
    }
    return builder.build(next() < 0.4 ? `delivery ${int(2 ** 30)}` : undefined);
  }

  function randomRow(builder: BatchBuilder, spread: number, time: number): void {
    const number = int(spread);
    const series = next() < 0.5 ? builder.series(handleOf(labelsAt(number))) : builder.seriesOf(labelsAt(number));
    const mode = spread === 3 ? (next() < 0.05 ? ADD : SET) : pick([SET, SET, ADD, ADD_ONCE]);
    // The start of most series' counters stays the same.
    const start = number % 3 === 0 ? 0 : number % 3 === 1 ? startMs - 7_200_000 : clockMs - int(2);
    // Series keep to floats or histograms, but not always.
    const histogram = next() < 0.05 ? next() < 0.5 : number % 2 === 1;
    if (next() < 0.08) builder.stale(series, time);
    else if (histogram) builder.histogram(series, time, randomHistogram(), mode, start);
    else if (next() < 0.05) builder.beside(series, time, 1);
    else builder.sample(series, time, next() < 0.3 ? pick(VALUES) : next() * 100, mode, start);
  }

  function randomHistogram(): NativeHistogram {
    const counts = (): Float64Array => Float64Array.from({ length: int(4) }, () => int(5));
    const [positive, negative] = [counts(), counts()];
    const sum = positive.length + negative.length;
    const ascending = (length: number): Int32Array => {
      let index = int(6) - 3;
      return Int32Array.from({ length }, () => (index += 1 + int(3)));
    };
    const totals = { hint: int(4), count: int(100), sum: next() < 0.1 ? NaN : sum + int(5) };
    if (next() < 0.2) {
      const bounds = pick([Float64Array.of(1, 2, 5, 10), Float64Array.of(1, 5, 7, 8, 9)]);
      const layout = { schema: CUSTOM_BUCKETS, zeroThreshold: 0, bounds };
      const indexes = Int32Array.from(positive, (_, i) => i);
      return {
        ...totals,
        layout: { ...layout, positive: indexes, negative: new Int32Array(0) },
        zeroCount: 0,
        positive,
        negative: new Float64Array(0),
      };
    }
    return {
      ...totals,
      layout: {
        schema: pick([3, 3, 2, 0]),
        zeroThreshold: pick([0.001, 0.001, 0.5]),
        positive: ascending(positive.length),
        negative: ascending(negative.length),
        bounds: new Float64Array(0),
      },
      zeroCount: int(3),
      positive,
      negative,
    };
  }

  function randomExemplar(builder: BatchBuilder, spread: number): void {
    const series = builder.series(handleOf(labelsAt(int(spread))));
    const timeMs = clockMs - pick([0, 0, int(1_000)]);
    builder.exemplar({ series, timeMs, value: int(3), labels: labelsOf({ trace_id: `${int(3)}` }) });
  }

  function handleOf(labels: Labels): SeriesHandle {
    const key = labels.join();
    let handle = handles.get(key);
    if (handle === undefined) handles.set(key, (handle = seriesHandle(labels)));
    return handle;
  }

  function labelsAt(number: number): Labels {
    const labels = labelsOf({ __name__: `m${number % 3}`, job: number % 2 === 0 ? '' : 'job', instance: `i${number}` });
    return number % 5 === 0 ? Object.freeze(labels) : labels;
  }

  return {
    get clockMs() {
      return clockMs;
    },
    set clockMs(ms) {
      clockMs = ms;
    },
    next: randomBatch,
    fillers(count) {
      const builder = batchBuilder();
      for (let i = 0; i < count; i++) {
        builder.sample(builder.series(handleOf(labelsOf({ __name__: 'filler', n: `${fillers++}` }))), clockMs, i);
      }
      return builder.build();
    },
    matchers() {
      const some: Matcher[] = [
        { name: '__name__', op: '=', value: 'm1' },
        { name: '__name__', op: '=~', value: 'm1|m2' },
        { name: 'job', op: '=', value: '' },
        { name: 'job', op: '!=', value: 'job' },
        { name: 'instance', op: '=~', value: 'i1.*' },
        { name: 'instance', op: '!~', value: 'i[2-4]' },
      ];
      return some.filter(() => next() < 0.25);
    },
    time: () => (sampled.length > 0 && next() < 0.5 ? pick(sampled) : clockMs - int(next() < 0.5 ? 5_000_000 : 3e8)),
    forgetStore() {
      for (const handle of handles.values()) Object.assign(handle, { ref: NO_REF, id: NO_ID });
    },
  };
}
