import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { messageCodec } from '../../src/base/proto.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import { CUSTOM_BUCKETS, type HistogramLayout } from '../../src/model/histogram.ts';
import { partialOf, zeroColumns } from '../../src/partial/algebra.ts';
import { addHistograms, zeroHistograms } from '../../src/partial/partial-histograms.ts';
import {
  decodeColumns,
  encodeColumns,
  startColumnsBudget,
  type AnswerRow,
  type ColumnsMessage,
  type ColumnsShape,
} from '../../src/plan/frames/columns-codec.ts';
import { shapeOf } from '../../src/plan/frames/columns-codec.ts';
import { distribute } from '../../src/plan/distribute.ts';
import { parseExpr } from '../../src/promql/parse.ts';

const COLUMNS = messageCodec<ColumnsMessage>('federation.proto', 'comity.federation.v1.Columns');

const EXPONENTIAL: HistogramLayout = {
  schema: 0,
  zeroThreshold: 0.001,
  positive: Int32Array.of(-3, 1, 2),
  negative: Int32Array.of(5),
  bounds: new Float64Array(0),
};
const CUSTOM: HistogramLayout = {
  schema: CUSTOM_BUCKETS,
  zeroThreshold: 0,
  positive: Int32Array.of(0, 2),
  negative: new Int32Array(0),
  bounds: Float64Array.of(0, 0.5),
};

const VECTOR: ColumnsShape = { steps: 2, fields: 1, native: 'vector' };
const NATIVE = {
  layouts: [EXPONENTIAL, CUSTOM],
  layoutOf: Int32Array.of(0, 1),
  hints: Uint8Array.of(1, 3),
  starts: Uint32Array.of(0, 7),
  cells: Float64Array.of(9, 4.5, 1, 2, 3, 2, 1, 5, 2, 0, 4, 1),
};
const PRESENT = Uint8Array.of(1, 1);

/** One row of each kind of answer, as it travels. */
const EXAMPLES = {
  floats: [
    { steps: 1, fields: 1, native: 'none' },
    [{ labels: ['a', '1', 'b', '2'], columns: { present: Uint8Array.of(1), fields: [Float64Array.of(5)] } }],
  ],
  native: [
    VECTOR,
    [{ labels: ['a', '1'], columns: { present: PRESENT, fields: [new Float64Array(2)] }, histograms: NATIVE }],
  ],
  states: [shapeFor('avg(h)'), [{ labels: [], columns: averaged() }]],
  sketches: [shapeFor('quantile(0.5, x)'), [{ labels: [], columns: sketched() }]],
} as const satisfies Record<string, readonly [ColumnsShape, readonly AnswerRow[]]>;

function shapeFor(text: string): ColumnsShape {
  const plan = distribute(parseExpr(text), rangeGrid(0, 15_000, 15_000), { domainLabel: 'domain', approx: 0.01 });
  return shapeOf(plan.fragments[0]!);
}

function averaged() {
  const partial = partialOf({ answer: 'partial', expr: { op: 'avg' } });
  const histograms = zeroHistograms(new Uint8Array(2));
  addHistograms(histograms, NATIVE, PRESENT, 'h', 'mean', 'anyOrder');
  return { ...zeroColumns(partial, 2), present: PRESENT, histograms: { ...histograms, clashing: ['other'] } };
}

function sketched() {
  const param = { kind: 'number', value: 0.5, span: { start: 0, end: 0 } } as const;
  const partial = partialOf({ answer: 'sketch', expr: { op: 'quantile', param }, relativeError: 0.01 });
  const columns = zeroColumns(partial, 2);
  for (const value of [1, 1, -5, NaN]) partial.add(columns, Float64Array.of(value, 7), PRESENT);
  partial.settle?.(columns);
  return columns;
}

function sent(name: keyof typeof EXAMPLES): ColumnsMessage {
  const [shape, rows] = EXAMPLES[name];
  return COLUMNS.decode(COLUMNS.encode(encodeColumns(rows, shape)));
}

describe('blocks that do not fit together are refused', () => {
  const bytes = (...all: readonly number[]): Uint8Array => Uint8Array.from(all);
  const floats = (count: number): Uint8Array => new Uint8Array(count * 8).fill(1);

  it.each<[keyof typeof EXAMPLES, string, (message: ColumnsMessage) => void]>([
    ['floats', 'presence bits', (message) => (message.present = new Uint8Array(2))],
    ['floats', 'presence bits', (message) => (message.present = bytes(3))],
    ['floats', 'an empty row', (message) => (message.present = bytes(0))],
    ['floats', 'label length', (message) => (message.strings[1] = '')],
    ['floats', 'label length', (message) => (message.strings[1] = 'x'.repeat(5000))],
    ['floats', 'field length', (message) => (message.fields = [new Uint8Array(7)])],
    ['floats', 'field length', (message) => (message.fields = [floats(2)])],
    ['floats', 'fields', (message) => (message.fields = [])],
    ['floats', 'label index', (message) => (message.labels[0] = 99)],
    ['floats', 'label index', (message) => (message.pairs = [2 ** 31])],
    ['floats', 'label order', ({ labels }) => labels.push(...labels.splice(0, 2))],
    ['floats', 'label count', (message) => (message.pairs = [1])],
    ['floats', 'too many rows', (message) => (message.pairs = Object.assign([], { length: 60_000_000 }))],
    ['floats', 'bits of rows', (message) => (message.dropsName = bytes(3))],
    ['floats', 'histograms', (message) => (message.histograms = sent('native').histograms!)],
    ['native', 'histogram states', (message) => (message.histogramStates = sent('states').histogramStates!)],
    ['native', 'sketches', (message) => (message.sketches = sent('sketches').sketches!)],
    ['sketches', 'sketches', (message) => (message.sketches = null)],

    ['native', 'schema', ({ histograms }) => (histograms!.layouts[0]!.schema = 9)],
    ['native', 'schema', ({ histograms }) => (histograms!.layouts[0]!.schema = -5)],
    ['native', 'kind of buckets', ({ histograms }) => (histograms!.layouts[0]!.schema = CUSTOM_BUCKETS)],
    ['native', 'kind of buckets', ({ histograms }) => (histograms!.layouts[1]!.schema = 0)],
    ['native', 'zero threshold', ({ histograms }) => (histograms!.layouts[0]!.zeroThreshold = Infinity)],
    ['native', 'zero threshold', ({ histograms }) => (histograms!.layouts[0]!.zeroThreshold = NaN)],
    ['native', 'zero threshold', ({ histograms }) => (histograms!.layouts[0]!.zeroThreshold = -1)],
    ['native', 'bucket indices', ({ histograms }) => (histograms!.layouts[0]!.positive = bytes(2, 0, 1))],
    ['native', 'bucket indices', ({ histograms }) => (histograms!.layouts[0]!.positive = bytes(2, 128))],
    ['native', 'bucket indices', ({ histograms }) => (histograms!.layouts[0]!.positive = bytes(0x82, 0, 1))],
    ['native', 'bucket indices', ({ histograms }) => (histograms!.layouts[1]!.positive = bytes(0, 3))],
    ['native', 'bucket indices', ({ histograms }) => (histograms!.layouts[1]!.positive = bytes(1, 3))],
    ['native', 'bounds', ({ histograms }) => histograms!.layouts[1]!.bounds.fill(0)],
    ['native', 'bounds', ({ histograms }) => histograms!.layouts[1]!.bounds.set([0, 0, 0, 0, 0, 0, 0xf0, 0x7f], 8)],
    ['native', 'number of bounds', ({ histograms }) => (histograms!.layouts[1]!.bounds = new Uint8Array(7))],
    ['native', 'number of bounds', ({ histograms }) => (histograms!.layouts[1]!.bounds = floats(513))],
    ['native', 'histogram bits', ({ histograms }) => (histograms!.native = bytes(7))],
    ['native', 'number of histograms', ({ histograms }) => (histograms!.native = bytes(1))],
    ['native', 'layouts of histograms', ({ histograms }) => (histograms!.hints = bytes(0, 0, 0))],
    ['native', 'layouts of histograms', ({ histograms }) => (histograms!.layoutOf = bytes(0, 2))],
    ['native', 'layouts of histograms', ({ histograms }) => (histograms!.layoutOf = bytes(0, 1, 1))],
    ['native', 'reset hints', ({ histograms }) => (histograms!.hints = bytes(0, 4))],
    ['native', 'histogram numbers', ({ histograms }) => (histograms!.numbers = floats(11))],
    ['native', 'field length', (message) => (message.fields = [floats(1)])],

    ['states', 'bits of rows', ({ histogramStates }) => (histogramStates!.rows = bytes(3))],
    ['states', 'what was seen', ({ histogramStates }) => (histogramStates!.seen = bytes(2))],
    ['states', 'what was seen', ({ histogramStates }) => (histogramStates!.seen = bytes(2, 2, 2))],
    ['states', 'what was seen', ({ histogramStates }) => (histogramStates!.seen = bytes(2, 64))],
    ['states', 'what was seen', (message) => (message.present = bytes(1))],
    ['states', 'metrics of states', ({ histogramStates }) => (histogramStates!.metrics = bytes(9, 0))],
    ['states', 'metrics of states', ({ histogramStates }) => (histogramStates!.metrics = bytes(1, 1))],
    ['states', 'metrics of states', ({ histogramStates }) => (histogramStates!.metrics = bytes(1, 101))],
    ['states', 'metrics of states', ({ histogramStates }) => (histogramStates!.metrics = bytes(1, 0, 0))],
    ['states', 'metrics of states', ({ strings }) => (strings[0] = 'x'.repeat(5000))],
    ['states', 'blocks of states', ({ histogramStates }) => (histogramStates!.blocks = bytes(1, 2))],
    ['states', 'blocks of states', ({ histogramStates }) => (histogramStates!.blocks = bytes(2, 0))],
    ['states', 'blocks of states', ({ histogramStates }) => (histogramStates!.blocks = bytes(0x81, 4))],
    ['states', 'blocks of one kind', ({ histogramStates }) => (histogramStates!.blocks = bytes(2, 0, 0))],
    ['states', 'what blocks hold', ({ histogramStates }) => (histogramStates!.holds = bytes(1, 0, 0))],
    ['states', 'what blocks hold', ({ histogramStates }) => (histogramStates!.holds = bytes(3, 0, 0, 1))],
    ['states', 'what blocks hold', ({ histogramStates }) => (histogramStates!.seen = bytes(1, 2))],
    ['states', 'reset hints', ({ histogramStates }) => (histogramStates!.hints = bytes(1))],
    ['states', 'reset hints', ({ histogramStates }) => (histogramStates!.hints = bytes(1, 1, 1))],
    ['states', 'reset hints', ({ histogramStates }) => (histogramStates!.hints = bytes(1, 9))],
    ['states', 'counts of states', ({ histogramStates }) => (histogramStates!.counts = bytes(1, 0))],
    ['states', 'numbers of states', ({ histogramStates }) => (histogramStates!.numbers = floats(11))],
    ['states', 'numbers of states', ({ histogramStates }) => (histogramStates!.numbers = floats(13))],
    ['states', 'rounding errors of states', ({ histogramStates }) => (histogramStates!.lost = floats(11))],

    ['sketches', 'bins of sketches', ({ sketches }) => (sketches!.bins = bytes(0, 4))],
    ['sketches', 'bins of sketches', ({ sketches }) => (sketches!.bins = bytes(3, 2))],
    ['sketches', 'bins of sketches', ({ sketches }) => (sketches!.bins = bytes(3))],
    ['sketches', 'keys of sketches', ({ sketches }) => (sketches!.bins = bytes(2, 1))],
    ['sketches', 'keys of sketches', ({ sketches }) => (sketches!.keys = bytes(0, 0, 1, 1))],
    ['sketches', 'keys of sketches', ({ sketches }) => (sketches!.keys = bytes(0xff, 0xff, 0xff, 0xff, 15, 1, 1, 0))],
    ['sketches', 'counts of sketches', ({ sketches }) => (sketches!.counts = bytes(1, 1, 0, 1))],
    ['sketches', 'counts of sketches', ({ sketches }) => (sketches!.counts = bytes(1, 1, 1, 1, 1))],
  ])('%s: %s (%#)', (name, what, damage) => {
    const [shape] = EXAMPLES[name];
    const message = sent(name);
    expect(() => decodeColumns(message, shape, startColumnsBudget())).not.toThrow();
    damage(message);
    expect(() => decodeColumns(message, shape, startColumnsBudget())).toThrow(
      expect.objectContaining({ code: 'bad_data', message: `malformed Columns: ${what}` }),
    );
  });
});

describe('memory is spent before it is taken', () => {
  it('all fragments of an answer share one budget', () => {
    const shape: ColumnsShape = { steps: 1, fields: 1, native: 'none' };
    const rows = Array.from({ length: 3 }, (_, i) => ({
      labels: ['a', String(i)],
      columns: { present: Uint8Array.of(1), fields: [Float64Array.of(1)] },
    }));
    const message = encodeColumns(rows, shape);
    expect(() => decodeColumns(message, shape, { rows: 5, cells: 5 })).toThrow(/too many cells/);
    const budget = { rows: 5, cells: 100 };
    decodeColumns(message, shape, budget);
    expect(() => decodeColumns(message, shape, budget)).toThrow(/too many rows/);
  });

  it.each([
    // Two cells and their presence; two layouts of 64 and their bytes; two indices; twelve numbers; two for each step.
    ['native', 4 + (64 + 4) + (64 + 2 + 2) + 2 + 12 + 4],
    // Four fields; the layouts; two for what was seen; two blocks of two steps, with seven and five numbers, and as many lost.
    ['states', 10 + (64 + 4) + (64 + 2 + 2) + 2 + 2 * 2 * (7 + 1) + 2 * 2 * (5 + 1)],
    // Presence; four bins; two for each step.
    ['sketches', 2 + 2 * 4 + 2],
  ] as const)('%s count as cells', (name, spent) => {
    const [shape] = EXAMPLES[name];
    const most = startColumnsBudget();
    decodeColumns(sent(name), shape, most);
    expect(LIMITS.cellsPerVector - most.cells).toBe(spent);
    expect(() => decodeColumns(sent(name), shape, { rows: 1, cells: spent })).not.toThrow();
    for (let cells = 0; cells < spent; cells++) {
      expect(() => decodeColumns(sent(name), shape, { rows: 1, cells })).toThrow(/too many cells/);
    }
  });

  it('a wide layout at many steps is refused before its numbers are', () => {
    const [, rows] = EXAMPLES.states;
    const steps = 100_000;
    const present = new Uint8Array(steps).fill(1);
    const seen = new Uint8Array(steps).fill(2);
    const message = encodeColumns(rows, EXAMPLES.states[0]);
    const states = message.histogramStates!;
    states.layouts[0]!.positive = Uint8Array.from({ length: 10_000 }, () => 1);
    Object.assign(states, { seen, holds: new Uint8Array(2 * steps) });
    message.present = new Uint8Array(Math.ceil(steps / 8)).fill(255);
    message.fields = message.fields.map(() => new Uint8Array(0));
    const before = process.memoryUsage().arrayBuffers;
    const shape = { ...EXAMPLES.states[0], steps: present.length };
    expect(() => decodeColumns(message, shape, startColumnsBudget())).toThrow(/too many cells/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });

  it('more kinds of buckets than a state may have are not sent', () => {
    const [shape] = EXAMPLES.states;
    const histograms = zeroHistograms(PRESENT);
    for (let i = 0; i < 513; i++) {
      const layout = { ...CUSTOM, bounds: Float64Array.of(i, i + 0.5) };
      addHistograms(histograms, { ...NATIVE, layouts: [layout, layout] }, PRESENT, 'h', 'sum', 'anyOrder');
    }
    const columns = { ...averaged(), histograms };
    expect(() => encodeColumns([{ labels: [], columns }], shape)).toThrow(expect.objectContaining({ code: 'limit' }));
  });
});

it('a mean in the place of a sum', () => {
  const message = sent('states');
  message.histogramStates!.holds = Uint8Array.of(2, 0, 0, 1);
  const [shape] = EXAMPLES.states;
  expect(() => decodeColumns(message, shape, startColumnsBudget())).not.toThrow();
  expect(() => decodeColumns(message, { ...shape, native: 'sum' }, startColumnsBudget())).toThrow(/what blocks hold/);
});

it('a group that saw nothing that counts stays away', () => {
  const shape: ColumnsShape = { steps: 2, fields: 1, native: 'none' };
  const row = (present: Uint8Array): AnswerRow => ({ labels: [], columns: { present, fields: [new Float64Array(2)] } });
  const message = encodeColumns([row(Uint8Array.of(0, 0)), row(Uint8Array.of(0, 1))], shape);
  const read = decodeColumns(message, shape, startColumnsBudget());
  expect(read.map(({ columns }) => [...columns.present])).toEqual([[0, 1]]);
});

it('what was decoded does not share memory with the bytes', () => {
  for (const name of ['states', 'sketches', 'native'] as const) {
    const [shape, rows] = EXAMPLES[name];
    const bytes = Buffer.from(COLUMNS.encode(encodeColumns(rows, shape)));
    const [row] = decodeColumns(COLUMNS.decode(bytes), shape, startColumnsBudget());
    const before = structuredClone(row);
    bytes.fill(255);
    expect(row).toEqual(before);
  }
});
