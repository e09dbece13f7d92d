import { expect, test } from 'vitest';
import { joining, type Joining } from '../../src/agent/join-series.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { seriesHandle, type Metadata, type SeriesHandle } from '../../src/model/batch.ts';
import { RESET_UNKNOWN, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf, labelsRecord } from '../../src/model/labels.ts';
import { INPUT_LABEL } from '../../src/model/input-label.ts';

const INPUT = '["pod","~aaaaaaaaaaaaaaaaaaaaaa"]';

function handleOf(metric: string, more: Record<string, string> = {}): SeriesHandle {
  return seriesHandle(labelsOf({ __name__: metric, [INPUT_LABEL]: INPUT, ...more }));
}

function family(metric: string, type: Metadata['type']): Metadata {
  return { metric, type, help: '', unit: '' };
}

/** The labels under which samples of series are stored, when a batch says so much of families. */
function stored(join: Joining, handles: readonly SeriesHandle[], families: readonly Metadata[] = [], native = false) {
  const builder = batchBuilder();
  for (const handle of handles) {
    const series = builder.series(handle);
    if (native) builder.histogram(series, 1, EMPTY);
    else builder.sample(series, 1, 1);
  }
  for (const one of families) builder.metadata(one);
  return join.batch(builder.build()).series.map(({ labels }) => labelsRecord(labels));
}

/** What is decided of a metric: `joined`, or why not. */
function check(metric: string, families: readonly Metadata[], want: string, more: Record<string, string> = {}): void {
  const join = joining([]);
  const [labels] = stored(join, [handleOf(metric, more)], families);
  expect(INPUT_LABEL in labels! ? 'joined' : 'apart', metric).toBe(want === 'joined' ? 'joined' : 'apart');
  expect([...join.counts()], metric).toEqual([[want, 1]]);
}

test('metadata say what is joined, or else the end of a name does', () => {
  check('x_total', [], 'joined');
  check('x_total', [family('x', 'counter')], 'joined');
  check('x_total', [family('x_total', 'gauge')], 'gauge');
  check('x_bucket', [], 'joined', { le: '1' });
  check('x_bucket', [], 'unknown type');
  check('x_bucket', [family('x', 'gaugehistogram')], 'gauge', { le: '1' });
  check('x_count', [family('x', 'summary')], 'joined');
  check('x_sum', [], 'joined');
  check('x_count', [family('x_count', 'gauge')], 'gauge');
  check('x', [family('x', 'summary')], 'summary', { quantile: '0.5' });
  check('x', [family('x', 'counter')], 'joined');
  check('x', [], 'unknown type');
  check('x', [family('x', 'unknown')], 'unknown type');
  check('x', [family('x', 'counter'), family('x', 'gauge')], 'mixed types');
  check('_total', [], 'unknown type');
});

test('what is kept apart gets its pseudonyms back, always under the same handle', () => {
  const join = joining([]);
  const handle = handleOf('temperature');
  const [labels] = stored(join, [handle], [family('temperature', 'gauge')]);
  expect(labels).toEqual({ __name__: 'temperature', pod: '~aaaaaaaaaaaaaaaaaaaaaa' });
  const builder = batchBuilder();
  builder.sample(builder.series(handle), 2, 2);
  const batch = builder.build();
  const first = join.batch(batch).series[0];
  expect(join.batch(batch).series[0]).toBe(first);
  expect(join.counts().get('gauge')).toBe(3);
});

test('a decision changes when senders say more', () => {
  const join = joining([family('y', 'counter')]);
  const handle = handleOf('x_count');
  expect(stored(join, [handle])[0]).toHaveProperty(INPUT_LABEL);
  expect(stored(join, [], [family('x_count', 'gauge')])).toEqual([]);
  expect(stored(join, [handle])[0]).not.toHaveProperty(INPUT_LABEL);
  // What the store remembers gives way without a contradiction.
  const other = handleOf('y');
  expect(stored(join, [other])[0]).toHaveProperty(INPUT_LABEL);
  expect(stored(join, [other], [family('y', 'gauge')])[0]).not.toHaveProperty(INPUT_LABEL);
  expect(Object.fromEntries(join.counts())).toEqual({ joined: 2, gauge: 2 });
});

test('a native histogram is one under any name, also where only its end comes', () => {
  const join = joining([]);
  const handle = handleOf('latency');
  expect(stored(join, [handle], [], true)[0]).toHaveProperty(INPUT_LABEL);
  expect(stored(join, [handle])[0]).toHaveProperty(INPUT_LABEL);
  expect(stored(join, [handle], [family('z', 'gauge')])[0]).toHaveProperty(INPUT_LABEL);
  expect(stored(join, [handle], [family('latency', 'gauge')])[0]).not.toHaveProperty(INPUT_LABEL);
});

test('series that no rule is about stay as they are, in the batch as it is', () => {
  const join = joining([]);
  const builder = batchBuilder();
  builder.add(labelsOf({ __name__: 'x', pod: 'a' }), 1, 1);
  const batch = builder.build();
  expect(join.batch(batch)).toBe(batch);
  expect(join.counts()).toEqual(new Map());
});

const EMPTY: NativeHistogram = {
  layout: {
    schema: 0,
    zeroThreshold: 0,
    positive: new Int32Array(0),
    negative: new Int32Array(0),
    bounds: new Float64Array(0),
  },
  hint: RESET_UNKNOWN,
  count: 0,
  sum: 0,
  zeroCount: 0,
  positive: new Float64Array(0),
  negative: new Float64Array(0),
};
