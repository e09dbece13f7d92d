import { messageCodec } from '../../../src/base/proto.ts';
import type { ColumnsMessage } from '../../../src/plan/frames/columns-codec.ts';
import type { CoverageAnswerMessage, LateMessage } from '../../../src/plan/frames/coverage-codec.ts';
import type { NoteMessage } from '../../../src/plan/frames/notes-codec.ts';
import type { RefusalMessage } from '../../../src/plan/frames/refusal-codec.ts';
import type { StatusMessage } from '../../../src/plan/frames/status-codec.ts';
import type { Random } from '../../random.ts';
import { saying, type Fault } from './fault.ts';

/** An answer as it is on the wire, with all of it open to change. */
interface AnswerMessage {
  version: number;
  status: { -readonly [Key in keyof StatusMessage]: StatusMessage[Key] } | null;
  fragments: { columns?: ColumnsMessage; refusal?: RefusalMessage; notes: NoteMessage[] }[];
  coverage: CoverageAnswerMessage[];
  late: LateMessage | null;
  id: Uint8Array;
}

const codec = messageCodec<AnswerMessage>('federation.proto', 'comity.federation.v1.QueryAnswer');

/** `edit` changes the message in place and gives false where there is nothing to change. */
const edited = (
  name: string,
  edit: (message: AnswerMessage, random: Random) => boolean | void,
  { isPlain = true, about = /./ } = {},
): Fault => ({
  name,
  isPlain,
  about,
  answer(asked) {
    if (asked.endpoint !== 'query') return undefined;
    const message = codec.decode(asked.honest.bytes);
    return edit(message, asked.random) === false ? undefined : saying(asked, codec.encode(message));
  },
});

/** Of the coverage of some question. */
const coverage = (name: string, edit: (one: CoverageAnswerMessage) => boolean | void): Fault =>
  edited(`coverage with ${name}`, (message, random) => {
    if (message.coverage.length === 0) return false;
    return edit(random.pick(message.coverage));
  });

const late = (name: string, change: Partial<LateMessage>): Fault =>
  edited(`late changes with ${name}`, (message) => {
    message.late = { epoch: 'e', sequence: 1, everything: false, fromMs: [], toMs: [], ...change };
  });

const status = (name: string, change: Partial<StatusMessage>): Fault =>
  edited(`a status with ${name}`, (message) => void Object.assign(message.status!, change));

/** Of the columns of some fragment that has some. */
const columns = (
  name: string,
  edit: (one: ColumnsMessage, random: Random) => boolean | void,
  about = name.includes('sketch') ? /^quantile/ : /./,
): Fault =>
  edited(
    `columns with ${name}`,
    (message, random) => {
      const some = message.fragments.flatMap((one) => (one.columns?.pairs.length ? [one.columns] : []));
      return some.length === 0 ? false : edit(random.pick(some), random);
    },
    { about },
  );

const histograms = (name: string, edit: (one: NonNullable<ColumnsMessage['histograms']>) => boolean | void): Fault =>
  columns(`histograms with ${name}`, (one) => (one.histograms ? edit(one.histograms) : false), /^(rate\()?h/);

const states = (name: string, edit: (one: NonNullable<ColumnsMessage['histogramStates']>) => boolean | void): Fault =>
  columns(
    `states with ${name}`,
    (one) => (one.histogramStates ? edit(one.histogramStates) : false),
    /(sum|avg).*\bh\b/,
  );

const note = (name: string, change: Partial<NoteMessage>): Fault =>
  edited(`a note with ${name}`, (message) => {
    const one = message.fragments.find((part) => part.columns !== undefined);
    if (one === undefined) return false;
    one.notes = [{ code: 'sort_in_range_query', arguments: [], ...change }];
    return true;
  });

const longer = (block: Uint8Array, more: number): Uint8Array => Buffer.concat([block, new Uint8Array(more)]);
const times = (count: number): number[] => Array.from({ length: count }, (_, i) => i * 2);

export const MESSAGE_FAULTS: readonly Fault[] = [
  edited('no id', (message) => void (message.id = new Uint8Array(0))),
  edited('a longer id', (message) => void (message.id = longer(message.id, 1))),
  edited('no status', (message) => void (message.status = null)),
  edited('no fragments', (message) => (message.fragments.length === 0 ? false : void (message.fragments = []))),
  edited('one fragment less', (message) => message.fragments.pop() !== undefined),
  edited(
    'one fragment more',
    (message) => void message.fragments.push({ refusal: { code: 'limit', name: '' }, notes: [] }),
  ),
  edited('an empty fragment', (message) => {
    if (message.fragments.length === 0) return false;
    message.fragments[0] = { notes: [] };
    return true;
  }),
  edited('rows and a refusal', (message) => {
    const one = message.fragments.find((part) => part.columns !== undefined);
    if (one !== undefined) one.refusal = { code: 'limit', name: '' };
    return one !== undefined;
  }),
  edited('a refusal of a node that is none', (message) => {
    if (message.fragments.length === 0) return false;
    message.fragments[0] = { refusal: { code: 'limit', name: '', node: 9_999 }, notes: [] };
    return true;
  }),
  edited('a refusal with a long name', (message) => {
    if (message.fragments.length === 0) return false;
    message.fragments[0] = { refusal: { code: 'limit', name: 'n'.repeat(5_000) }, notes: [] };
    return true;
  }),
  edited(
    'a refusal that is made up',
    (message, random) => {
      if (message.fragments.length === 0) return false;
      const code = random.pick([
        'class_sealed',
        'execution',
        'undecided',
        'timeout',
        'source_unavailable',
        'on_holiday',
      ]);
      message.fragments[0] = { refusal: { code, name: random.pick(['', 'x', 'a\nb\u0000']) }, notes: [] };
      return true;
    },
    { isPlain: false },
  ),
  edited(
    'fragments in another order',
    (message) => (message.fragments.length < 2 ? false : void message.fragments.reverse()),
    { isPlain: false },
  ),

  edited('no coverage', (message) => (message.coverage.length === 0 ? false : void (message.coverage = []))),
  edited(
    'coverage that was not asked for',
    (message) => void message.coverage.push({ steps: [1], observed: [1], expected: [1], suppressible: false }),
  ),
  coverage('a step too many', (one) => void one.steps[0]!++),
  coverage('a step too few', (one) =>
    (one.steps.at(-1) ?? 1) === 1 ? void one.steps.pop() : void one.steps[one.steps.length - 1]!--,
  ),
  coverage('a run of no steps', (one) => void (one.steps.push(0), one.observed.push(1), one.expected.push(1))),
  coverage('more streams than there are', (one) => void (one.observed[0] = one.expected[0]! + 1)),
  coverage('a list that is too short', (one) => void one.observed.pop()),
  coverage('a list that is too long', (one) => void one.expected.push(3)),

  late('no epoch', { epoch: '' }),
  late('a long epoch', { epoch: 'e'.repeat(100) }),
  late('a number below 0', { sequence: -1 }),
  late('times that end before they begin', { fromMs: [2], toMs: [1] }),
  late('times out of order', { fromMs: [20, 1], toMs: [30, 2] }),
  late('times that overlap', { fromMs: [1, 2], toMs: [5, 6] }),
  late('starts alone', { fromMs: [1], toMs: [] }),
  late('times that none can be', { fromMs: [0], toMs: [2 ** 60] }),
  late('more times than any', { fromMs: times(1_025), toMs: times(1_025) }),
  late('a hundred thousand times', { fromMs: times(100_000), toMs: times(100_000) }),
  late('everything and something', { everything: true, fromMs: [1], toMs: [2] }),

  status('another name', { domain: 'elsewhere' }),
  status('no name', { domain: '' }),
  status('more streams than there are', { observedStreams: 5, expectedStreams: 4 }),
  status('a settled time that none can be', { settledUntilMs: 2 ** 60 }),
  status('bytes below 0', { rawBytesHeld: -1 }),
  status('gaps out of order', { gapFromMs: [5, 1], gapToMs: [6, 2] }),
  status('more gaps than any', { gapFromMs: times(33), gapToMs: times(33) }),
  status('a digest of megabytes', { policyDigest: 'd'.repeat(3_000_000) }),

  columns('a label that is not there', (one) => (one.labels.length === 0 ? false : void (one.labels[0] = 999))),
  columns('one label less', (one) => one.labels.pop() !== undefined),
  columns('one label more', (one) => (one.strings.length === 0 ? false : void one.labels.push(0))),
  columns('labels out of order', ({ pairs, labels }) => {
    if (pairs[0]! < 2) return false;
    labels.splice(0, 4, labels[2]!, labels[3]!, labels[0]!, labels[1]!);
    return true;
  }),
  columns('a label twice', ({ pairs, labels }) => {
    if (pairs[0] === 0) return false;
    pairs[0]!++;
    labels.unshift(labels[0]!, labels[1]!);
    return true;
  }),
  columns('an empty text', (one) => (one.strings.length === 0 ? false : void (one.strings[0] = ''))),
  columns('a row more', (one) => void one.pairs.push(0)),
  columns('a row less', (one) => void one.pairs.pop()),
  columns('a row of nothing', (one) => void (one.present = new Uint8Array(one.present.length))),
  columns('cells too many', (one) => void (one.present = longer(one.present, 1))),
  columns('cells too few', (one) => void (one.present = one.present.subarray(1))),
  columns('one field more', (one) => void one.fields.push(new Uint8Array(0))),
  columns('a field that is too long', (one) => {
    const field = one.fields.findIndex((block) => block.length > 0);
    if (field >= 0) one.fields[field] = longer(one.fields[field]!, 8);
    return field >= 0;
  }),
  columns('half a number', (one) => {
    const field = one.fields.findIndex((block) => block.length > 0);
    if (field >= 0) one.fields[field] = longer(one.fields[field]!, 3);
    return field >= 0;
  }),
  columns('one field less', (one) => one.fields.pop() !== undefined),
  columns('flags too many', (one) => void (one.dropsName = new Uint8Array(1_000))),
  columns('names that are to go', (one) => {
    const rows = one.pairs.length;
    one.dropsName = new Uint8Array(Math.ceil(rows / 8));
    one.dropsName[0] = 1;
  }),
  columns('states of quantiles', (one) => {
    if (one.sketches) return false;
    one.sketches = { bins: new Uint8Array(0), keys: new Uint8Array(0), counts: new Uint8Array(0) };
    return true;
  }),
  columns('no sketches', (one) => (one.sketches ? void (one.sketches = null) : false)),
  columns('a sketch of nothing', (one) => {
    if (!one.sketches) return false;
    one.sketches.counts = Uint8Array.from(one.sketches.counts).fill(0);
    return true;
  }),
  columns('a sketch whose keys stand still', (one) => {
    if (!one.sketches || one.sketches.bins.every((bins) => bins < 2)) return false;
    one.sketches.keys = Uint8Array.from(one.sketches.keys).fill(0);
    return true;
  }),

  histograms('a hint that is none', (one) => void (one.hints = Uint8Array.from(one.hints).fill(9))),
  histograms('a layout that is not there', (one) => void (one.layoutOf = Uint8Array.from(one.layoutOf).fill(99))),
  histograms('one number more', (one) =>
    one.numbers.length === 0 ? false : void (one.numbers = longer(one.numbers, 8)),
  ),
  histograms('one histogram more', (one) => void (one.hints = longer(one.hints, 1))),
  histograms('a schema that is none', (one) => void (one.layouts[0]!.schema = 100)),
  histograms('a threshold below 0', (one) => void (one.layouts[0]!.zeroThreshold = -1)),
  histograms('bounds that are none', (one) => void (one.layouts[0]!.bounds = new Uint8Array(24).fill(0xff))),
  histograms('buckets out of range', (one) => {
    one.layouts[0]!.positive = Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff, 0x0f);
  }),
  states('a step that saw what there is not', (one) => void (one.seen = Uint8Array.from(one.seen).fill(64))),
  states('a step too many', (one) => void (one.seen = longer(one.seen, 1))),
  states('what blocks do not hold', (one) => void (one.holds = Uint8Array.from(one.holds).fill(7))),
  states('sums of nothing', (one) => void (one.counts = Uint8Array.from(one.counts).fill(0))),
  states('hints too many', (one) => void (one.hints = longer(one.hints, 2))),
  states('one rounding error more', (one) => void (one.lost = longer(one.lost, 8))),
  states('metrics too many', (one) => void (one.metrics = longer(one.metrics, 3))),
  states('a block that is not there', (one) => void (one.blocks = Uint8Array.from(one.blocks).fill(99))),

  note('a code of its own', { code: 'buy_now' }),
  note('a node that is none', { node: 9_999 }),
  note('words', { arguments: [{ text: 'hear, hear' }] }),
  note('a detail that is not its own', { overlaps: 5 }),
  edited('more notes than any', (message) => {
    const one = message.fragments.find((part) => part.columns !== undefined);
    if (one === undefined) return false;
    one.notes = Array.from({ length: 5_000 }, () => ({ code: 'sort_in_range_query', arguments: [] }));
    return true;
  }),
];
