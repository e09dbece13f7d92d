import {
  ADD,
  ADD_ONCE,
  SET,
  seriesHandle,
  type Batch,
  type MetricType,
  type SeriesHandle,
} from '../../src/model/batch.ts';
import { batchBuilder, type BatchBuilder } from '../../src/model/batch-builder.ts';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf, type Labels } from '../../src/model/labels.ts';
import { randomFrom, type Random } from '../random.ts';

/** Batches of every kind of row, the same ones for the same seed; handles are kept from one batch to the next. */
export function randomBatches(seed: number, count: number, baseMs: number): Batch[] {
  const random = randomFrom(seed);
  const handles = new Map<string, SeriesHandle>();
  const batches: Batch[] = [];
  let clock = baseMs;

  function handleOf(record: Readonly<Record<string, string>>): SeriesHandle {
    const labels = labelsOf(record);
    // Now and then a handle of its own, as those of another receiver or of a cache that has forgotten.
    if (random.chance(0.1)) return seriesHandle(labels);
    const key = labels.join('\0');
    let handle = handles.get(key);
    if (handle === undefined) handles.set(key, (handle = rereadable(labels)));
    return handle;
  }

  for (let i = 0; i < count; i++) {
    const again = random.chance(0.1) ? batches[batches.length - random.int(1, 3)] : undefined;
    if (again !== undefined) {
      batches.push(again);
      continue;
    }
    clock += random.int(0, 20_000);
    const builder = batchBuilder(random.int(1, 64));
    const adds = random.chance(0.4);
    for (let row = random.int(0, 40); row > 0; row--) {
      if (adds) addDelta(builder, random, handleOf, clock);
      else addSample(builder, random, handleOf, clock);
    }
    if (random.chance(0.3)) addMetadata(builder, random);
    batches.push(builder.build(adds ? `delivery ${i}` : undefined));
  }
  return batches;
}

type HandleOf = (record: Readonly<Record<string, string>>) => SeriesHandle;

function addSample(builder: BatchBuilder, random: Random, handleOf: HandleOf, clock: number): void {
  const handle = handleOf({ __name__: `m${random.int(0, 3)}`, job: `j${random.int(0, 2)}`, i: `${random.int(0, 15)}` });
  const at = builder.series(handle);
  const timeMs =
    clock +
    random.weighted([
      [8, 0],
      [2, random.int(-30_000, 0)],
      [1, -3_600_000 * 3],
      [1, 3_600_000 * 24],
    ] as const);
  const startMs = random.chance(0.2) ? timeMs - 1_000 : 0;
  const kind = random.weighted([
    [6, 'float'],
    [2, 'histogram'],
    [1, 'stale'],
    [1, 'beside'],
  ] as const);
  if (kind === 'float') builder.sample(at, timeMs, random.pick([1, 2.5, NaN, -0, 7]), SET, startMs);
  else if (kind === 'histogram') builder.histogram(at, timeMs, nativeHistogram(random), SET, startMs);
  else if (kind === 'stale') builder.stale(at, timeMs);
  else builder.beside(at, timeMs, 1);
  if (random.chance(0.2)) {
    const labels = labelsOf({ trace_id: `${random.int(0, 9)}` });
    builder.exemplar({ series: at, timeMs: timeMs - random.int(0, 1_000), value: random.int(0, 3), labels });
  }
}

/** A sum, a native histogram, or all rows of a classic one. */
function addDelta(builder: BatchBuilder, random: Random, handleOf: HandleOf, clock: number): void {
  const mode = random.pick([ADD, ADD_ONCE]);
  const timeMs = clock - random.pick([0, 0, 0, 5_000]);
  const own = { job: `j${random.int(0, 2)}`, i: `${random.int(0, 7)}` };
  const kind = random.pick(['sum', 'native', 'classic'] as const);
  const number = random.int(0, 1);
  if (kind === 'sum') {
    const value = random.pick([1, 2, 0.5, Infinity]);
    builder.sample(builder.series(handleOf({ ...own, __name__: `sum${number}_total` })), timeMs, value, mode);
  } else if (kind === 'native') {
    builder.histogram(
      builder.series(handleOf({ ...own, __name__: `native${number}` })),
      timeMs,
      nativeHistogram(random),
      mode,
    );
  } else {
    builder.beginPoint();
    const name = `classic${number}`;
    for (const suffix of ['_sum', '_count']) {
      builder.sample(builder.series(handleOf({ ...own, __name__: `${name}${suffix}` })), timeMs, 3, mode);
    }
    for (const le of ['0.1', '1', '+Inf']) {
      builder.sample(builder.series(handleOf({ ...own, __name__: `${name}_bucket`, le })), timeMs, 1, mode);
    }
    builder.endPoint();
  }
}

function addMetadata(builder: BatchBuilder, random: Random): void {
  const type = random.pick<MetricType>(['counter', 'gauge', 'histogram']);
  builder.metadata({ metric: `m${random.int(0, 3)}`, type, help: `help ${random.int(0, 2)}`, unit: '' });
}

function nativeHistogram(random: Random): NativeHistogram {
  const positive = Float64Array.from({ length: random.int(0, 4) }, () => random.int(1, 5));
  const custom = random.chance(0.2);
  const indexes = Int32Array.from(positive, (_, i) => (custom ? i : i * 2 - 1));
  return {
    layout: {
      schema: custom ? -53 : random.pick([3, 3, 2]),
      zeroThreshold: custom ? 0 : 0.001,
      positive: indexes,
      negative: new Int32Array(0),
      bounds: custom ? Float64Array.from({ length: positive.length + 1 }, (_, i) => i + 1) : new Float64Array(0),
    },
    hint: 0,
    count: positive.reduce((sum, one) => sum + one, 0),
    sum: random.int(0, 100) / 4,
    zeroCount: 0,
    positive,
    negative: new Float64Array(0),
  };
}

/** A handle whose labels can be read again once they are released, like those of remote write. */
export function rereadable(labels: Labels): SeriesHandle {
  return { ...seriesHandle(labels), owner: { labelsOf: () => [...labels] } };
}
