import { rangeGrid } from '../../src/model/grid.ts';
import { CUSTOM_BUCKETS, FLOAT_ROW, type HistogramColumns } from '../../src/model/histogram.ts';
import { partialOf, zeroColumns, type PartialOp, type TwoLevelAggregation } from '../../src/partial/algebra.ts';
import { addHistograms, zeroHistograms } from '../../src/partial/partial-histograms.ts';
import type { PartialColumns } from '../../src/partial/partial.ts';
import type { AnswerRow } from '../../src/plan/frames/columns-codec.ts';
import type { Fragment } from '../../src/plan/distribute.ts';
import { decodeExplainAnswer, encodeExplainAnswer, type ExplainAnswer } from '../../src/plan/frames/explain-codec.ts';
import {
  decodeQueryAnswer,
  decodeQueryRequest,
  encodeQueryAnswer,
  encodeQueryRequest,
  type FragmentAnswer,
  type FragmentQuery,
  type QueryAnswer,
} from '../../src/plan/frames/query-codec.ts';
import {
  decodeLabelsAnswer,
  decodeLabelsRequest,
  encodeLabelsAnswer,
  encodeLabelsRequest,
} from '../../src/plan/frames/labels-codec.ts';
import {
  decodeLedgerAnswer,
  decodeLedgerRequest,
  encodeLedgerAnswer,
  encodeLedgerRequest,
} from '../../src/plan/frames/ledger-codec.ts';
import { decodeReleased, encodeReleased, type Receipt } from '../../src/plan/frames/receipt-codec.ts';
import { normalise } from '../../src/plan/normalise.ts';
import {
  decodeErrorAnswer,
  decodeStatusAnswer,
  decodeStatusRequest,
  encodeErrorAnswer,
  encodeStatusAnswer,
  encodeStatusRequest,
  type DomainStatus,
} from '../../src/plan/frames/status-codec.ts';
import type { Aggregate, Expr, VectorSelector } from '../../src/promql/ast.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';

import { listGoldens, type Golden } from './golden-lists.ts';

/** As JSON has it: typed arrays as arrays, numbers that JSON does not have as words. */
export function readable(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : wordOf(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>, readable);
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([key, field]) => [key, readable(field)]));
}

function wordOf(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

const GRID = rangeGrid(1_767_225_600_000, 1_767_225_660_000, 30_000);
const STEPS = GRID.steps;

const STATUS: DomainStatus = {
  domain: 'eu-west',
  policyDigest: 'sha256:5f16',
  expectedStreams: 12,
  observedStreams: 11,
  settledUntilMs: 1_767_225_630_000,
  heldFromMs: 1_767_139_200_000,
  rawBytesHeld: 48_000_000_000,
  releasedBytes: 65_536,
  gaps: [{ fromMs: 1_767_200_000_000, toMs: 1_767_200_090_000 }],
  bundleDigest: 'b0'.repeat(32),
  bundleVersion: 7,
  policyState: 'in force',
};

const ID = Uint8Array.of(0, 17, 34, 51, 68, 85, 102, 255);

function tree(text: string): Expr {
  return normalise(parseExpr(text, ALL_FEATURES), GRID, text);
}

const vector = (text: string): Fragment => ({ answer: 'vector', expr: tree(text), grid: GRID });
const partial = (text: string): Fragment => ({ answer: 'partial', expr: tree(text) as Aggregate, grid: GRID });

/** Every kind of node, of answer and of grid. */
const REQUEST: FragmentQuery<Fragment> = {
  id: ID,
  since: { epoch: '0123456789abcdef', sequence: 41 },
  coverage: [
    {
      grid: GRID,
      reads: [
        { metric: 'x_total', fromMs: -240_000, toMs: 60_000, fixed: false },
        { metric: '', fromMs: 1_767_225_300_000, toMs: 1_767_225_600_500, fixed: true },
      ],
    },
    { grid: { startMs: 0, stepMs: 15_000, steps: 5 }, reads: [] },
  ],
  lookbackMs: 300_000,
  timeLeftMs: 9_500,
  features: { ...ALL_FEATURES, keptStartsReset: true },
  fragments: [
    vector('label_replace(-rate(x_total{code=~"5..",zone!="",a!~"b|c"}[5m] offset -1m), "z", "$1", "a", "(.*)")'),
    vector('x anchored * on (domain, "label name") group_left (env) fill_left (-0) fill_right (NaN) y @ 1767225600.5'),
    vector('max_over_time((a >= bool 2)[1h:1m] offset 2m) or sum by (domain) (x @ end())'),
    vector('topk by (domain) (3, x </ +Inf) unless ignoring (a) histogram_count(h)'),
    partial('avg without (instance, domain) (x smoothed)'),
    { answer: 'timed', expr: tree('target_info') as VectorSelector, grid: { ...GRID, steps: 1, endMs: GRID.startMs } },
    { answer: 'sketch', expr: tree('quantile by (job) (0.99, x)') as Aggregate, grid: GRID, relativeError: 0.01 },
  ],
};

const NATIVE: HistogramColumns = {
  layouts: [
    {
      schema: 3,
      zeroThreshold: 2 ** -128,
      positive: Int32Array.of(-9, -8, 300),
      negative: Int32Array.of(4),
      bounds: new Float64Array(0),
    },
    {
      schema: CUSTOM_BUCKETS,
      zeroThreshold: 0,
      positive: Int32Array.of(0, 2),
      negative: new Int32Array(0),
      bounds: Float64Array.of(-0.5, 1e9),
    },
  ],
  layoutOf: Int32Array.of(0, 1, FLOAT_ROW),
  hints: Uint8Array.of(2, 3, 0),
  starts: Uint32Array.of(0, 7, 0),
  cells: Float64Array.of(10, -4.5, 1, 2, 3, 1, 3, 7, NaN, 0, 5, 2),
};
const ALL = Uint8Array.of(1, 1, 1);
const FLOATS = [Float64Array.of(1, 2.5, -0), Float64Array.of(1e100, -Infinity, 4)];

/** The state of two series of floats, and of one of native histograms where the operator has a use for them. */
function stateOf(aggregation: TwoLevelAggregation): PartialColumns {
  const algebra = partialOf(aggregation);
  const columns = zeroColumns(algebra, STEPS);
  for (const values of FLOATS) algebra.add(columns, values, ALL);
  if (algebra.histograms === 'sum' || algebra.histograms === 'mean') {
    columns.histograms = zeroHistograms(ALL);
    addHistograms(columns.histograms, NATIVE, ALL, 'latency_seconds', algebra.histograms, 'anyOrder');
    addHistograms(columns.histograms, NATIVE, ALL, 'latency_seconds', algebra.histograms, 'anyOrder');
    columns.histograms.clashing.push('sizes_bytes');
  }
  algebra.settle?.(columns);
  return columns;
}

const OPERATORS: readonly PartialOp[] = ['sum', 'count', 'avg', 'min', 'max', 'group', 'stddev', 'stdvar'];

const ROWS: readonly AnswerRow[] = [
  {
    labels: ['__name__', 'x', 'domain', 'eu-west', 'zone', 'Zürich'],
    columns: { present: Uint8Array.of(1, 0, 1), fields: [Float64Array.of(0.1, 0, NaN)] },
    dropsName: true,
  },
  {
    labels: ['__name__', 'latency_seconds', 'domain', 'eu-west'],
    columns: { present: ALL, fields: [Float64Array.of(0, 0, 8)] },
    histograms: NATIVE,
  },
];

/** Every kind of answer. What a note is about is written as the index of the node. */
const ANSWERED: readonly (readonly [Fragment, FragmentAnswer])[] = [
  [
    vector('rate(x_total[5m]) > 0'),
    {
      rows: ROWS,
      notes: [
        { level: 'info', code: 'possible_non_counter', args: ['x'], span: { start: 2, end: 3 } },
        {
          level: 'warning',
          code: 'start_time_overlap',
          args: ['x'],
          span: { start: 2, end: 3 },
          detail: { kind: 'overlap', samples: 4 },
        },
        {
          level: 'info',
          code: 'forced_monotonicity',
          args: [''],
          span: { start: 0, end: 1 },
          detail: {
            kind: 'monotonicity',
            fromMs: -1,
            toMs: 1_767_225_660_000,
            leastBound: 0.5,
            mostBound: Infinity,
            mostDifference: 1e-9,
            samples: 2,
          },
        },
        { level: 'warning', code: 'sort_in_range_query', args: [], span: { start: 0, end: 0 } },
        { level: 'warning', code: 'invalid_quantile', args: [NaN], span: { start: 3, end: 4 } },
      ],
    },
  ],
  ...OPERATORS.map((op): [Fragment, FragmentAnswer] => {
    const fragment = partial(`${op} by (job) (x)`);
    const columns = stateOf({ answer: 'partial', expr: { op } });
    return [fragment, { rows: [{ labels: ['job', 'api'], columns }], notes: [] }];
  }),
  [REQUEST.fragments.at(-1)!, { rows: [{ labels: [], columns: sketch() }], notes: [] }],
  [vector('y'), { refusal: { code: 'class_aggregate', name: 'y', node: 0 } }],
  [vector('z'), { refusal: { code: 'timeout', name: '' } }],
];

function sketch(): PartialColumns {
  const fragment = REQUEST.fragments.at(-1)!;
  if (fragment.answer !== 'sketch') throw new Error('the last fragment is a sketch');
  return stateOf(fragment);
}

const fragments = ANSWERED.map(([fragment]) => fragment);

const ANSWER: QueryAnswer = {
  id: ID,
  status: STATUS,
  fragments: ANSWERED.map(([, answer]) => answer),
  coverage: [
    {
      runs: [
        { steps: STEPS - 1, observed: 12, expected: 12 },
        { steps: 1, observed: 0, expected: 300 },
      ],
      suppressible: true,
    },
    { runs: [{ steps: 5, observed: 0, expected: 0 }], suppressible: false },
  ],
  late: {
    epoch: '0123456789abcdef',
    sequence: 43,
    everything: false,
    intervals: [
      { fromMs: -60_000, toMs: -1 },
      { fromMs: 1_767_225_540_000, toMs: 1_767_225_599_999 },
    ],
  },
};

const EXPLAINED: ExplainAnswer = {
  id: ID,
  status: STATUS,
  verdicts: [
    {
      rules: [
        { metric: 'x', class: 'aggregate', rule: 'x*' },
        { metric: 'y', class: 'open', rule: 'default' },
      ],
      series: 4_096,
    },
    { refusal: { code: 'operator_not_permitted', name: 'topk', node: 3 } },
  ],
};

const HASHES = [1, 2].map((byte) => new Uint8Array(32).fill(byte));

/** Of a log that nobody keeps: what is in a receipt is not looked at when it is read. */
const RECEIPT: Receipt = {
  leaf: Buffer.from('{"kind":"release","v":1}'),
  index: 4_711,
  checkpoint: `example.org/eu\n4712\n${'A'.repeat(43)}=\n\n\u2014 example.org/eu AAAA\n`,
  proof: HASHES,
  requestSalt: new Uint8Array(16).fill(3),
  answerSalt: new Uint8Array(16).fill(4),
  key: 'example.org/eu+00000000+AQ==',
};

const SMALL_GRID = { startMs: 0, stepMs: 15_000, steps: 2 };
const SMALL = {
  id: ID,
  fragments: [{ ...partial('sum by (job) (x)'), grid: SMALL_GRID }],
  coverage: [{ grid: SMALL_GRID, reads: [{ metric: 'x', fromMs: -300_000, toMs: 0, fixed: false }] }],
};

/** What docs/federation.md explains byte by byte. */
export const SMALL_ANSWER: Golden = {
  name: 'small-answer',
  encode: () => {
    const fields = [Float64Array.of(0, 2.5), new Float64Array(2)];
    const rows = [{ labels: ['job', 'api'], columns: { present: Uint8Array.of(0, 1), fields } }];
    const bundle = { bundleDigest: '', bundleVersion: 0 };
    const status = {
      ...STATUS,
      ...bundle,
      domain: 'eu',
      policyDigest: '',
      settledUntilMs: 15_000,
      heldFromMs: 0,
      gaps: [],
    };
    const runs = [{ steps: 2, observed: 11, expected: 12 }];
    const late = { epoch: 'e', sequence: 3, everything: false, intervals: [{ fromMs: 0, toMs: 59_999 }] };
    return encodeQueryAnswer(
      {
        id: ID,
        status: { ...status, rawBytesHeld: 0, releasedBytes: 0 },
        fragments: [{ rows, notes: [] }],
        coverage: [{ runs, suppressible: false }],
        late,
      },
      SMALL.fragments,
    );
  },
  decode: (bytes) => decodeQueryAnswer(bytes, SMALL),
};

export const GOLDENS: readonly Golden[] = [
  SMALL_ANSWER,
  { name: 'query-request', encode: () => encodeQueryRequest(REQUEST), decode: decodeQueryRequest },
  {
    name: 'query-answer',
    encode: () => encodeQueryAnswer(ANSWER, fragments),
    decode: (bytes) => decodeQueryAnswer(bytes, { ...REQUEST, fragments }),
  },
  {
    name: 'labels-request',
    encode: () =>
      encodeLabelsRequest({
        id: ID,
        name: 'job',
        selectors: [[{ name: '__name__', op: '=', value: 'up' }], [{ name: 'a', op: '!~', value: 'b|c' }]],
        fromMs: 1,
        toMs: 1_767_225_600_000,
        limit: 100,
      }),
    decode: decodeLabelsRequest,
  },
  {
    name: 'labels-answer',
    encode: () => encodeLabelsAnswer({ id: ID, status: STATUS, values: ['api', 'büro'] }),
    decode: (bytes) => decodeLabelsAnswer(bytes, { id: ID, limit: 100 }),
  },
  {
    name: 'labels-refused',
    encode: () =>
      encodeLabelsAnswer({ id: ID, status: STATUS, refusal: { code: 'label_not_permitted', name: 'user' } }),
    decode: (bytes) => decodeLabelsAnswer(bytes, { id: ID, limit: 100 }),
  },
  {
    name: 'explain-answer',
    encode: () => encodeExplainAnswer(EXPLAINED),
    decode: (bytes) => decodeExplainAnswer(bytes, { id: ID, fragments: [vector('x + y'), REQUEST.fragments[3]!] }),
  },
  ...listGoldens(STATUS),
  { name: 'status-request', encode: () => encodeStatusRequest(ID), decode: decodeStatusRequest },
  {
    name: 'status-answer',
    encode: () => encodeStatusAnswer({ status: { ...STATUS, policyState: 'rolled back' }, id: ID }),
    decode: (bytes) => decodeStatusAnswer(bytes, { id: ID }),
  },
  { name: 'released', encode: () => encodeReleased(Uint8Array.of(8, 5), RECEIPT), decode: decodeReleased },
  {
    name: 'ledger-request',
    encode: () => encodeLedgerRequest({ sizes: [1, 4_711, 2 ** 40], id: ID }),
    decode: decodeLedgerRequest,
  },
  {
    name: 'ledger-answer',
    encode: () => encodeLedgerAnswer({ proofs: [HASHES, []], checkpoint: RECEIPT.checkpoint, id: ID }),
    decode: (bytes) => decodeLedgerAnswer(bytes, { sizes: [1, 4_711], id: ID }),
  },
  { name: 'error-answer', encode: () => encodeErrorAnswer('bad_data'), decode: decodeErrorAnswer },
];
