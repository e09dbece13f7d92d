import { labelKey, type Answer, type AnswerRow, type Data, type HistogramPoint, type Point } from './answer.ts';
import type { Order } from './order.ts';

/** The first way in which two answers differ. `want` and `got` are words for people. */
export interface Difference {
  readonly kind: 'outcome' | 'series' | 'step' | 'value' | 'order' | 'notes';
  readonly where: string;
  readonly want: string;
  readonly got: string;
  /** Of a value, a step or a series: the row. */
  readonly key?: string;
  readonly timeMs?: number;
}

/** Names of what lets two values that are not the same pass; a run counts each. */
export type Tolerance =
  | 'relative 1e-12'
  | 'digits of a label'
  | 'sign of zero'
  | 'text of an error'
  | 'notes beyond the first ten'
  | 'count of repaired samples'
  | 'detail of a note'
  | 'notes of a mix'
  | 'ties at the root'
  | 'ties below the root'
  | 'a float and a histogram at one time'
  | 'ill-conditioned'
  | 'order of series'
  | 'NaN in empty buckets'
  | 'empty buckets'
  | '@ within a subquery, step by step';

/** Takes the name of each tolerance that was needed. */
export type Tolerated = (tolerance: Tolerance) => void;

const RELATIVE = 1e-12;

/** How `got` differs from `want`, or undefined where they are equal as far as PromQL defines answers. */
export function compareAnswers(want: Answer, got: Answer, order: Order, tolerated: Tolerated): Difference | undefined {
  if (want.kind === 'error' || got.kind === 'error') return compareErrors(want, got, tolerated);
  if (want.resultType !== got.resultType) {
    return { kind: 'outcome', where: 'the result type', want: want.resultType, got: got.resultType };
  }
  if (want.text !== got.text) {
    return { kind: 'value', where: 'the string', want: JSON.stringify(want.text), got: JSON.stringify(got.text) };
  }
  return compareRows(want, got, tolerated) ?? compareOrder(want, got, order) ?? compareNotes(want, got, tolerated);
}

/** Whether two values are equal, and what was needed for it. */
function closeValues(want: number, got: number, tolerated: Tolerated = () => undefined): boolean {
  if (Object.is(want, got)) return true;
  if (want === got) {
    tolerated('sign of zero');
    return true;
  }
  if (!Number.isFinite(want) || !Number.isFinite(got)) return Number.isNaN(want) && Number.isNaN(got);
  if (Math.abs(want - got) > RELATIVE * Math.max(Math.abs(want), Math.abs(got))) return false;
  tolerated('relative 1e-12');
  return true;
}

export function closePoints(want: Point, got: Point, tolerated: Tolerated = () => undefined): boolean {
  if (typeof want === 'number' || typeof got === 'number') {
    return typeof want === 'number' && typeof got === 'number' && closeValues(want, got, tolerated);
  }
  if (!closeValues(want.count, got.count, tolerated) || !closeValues(want.sum, got.sum, tolerated)) return false;
  const wanted = bucketsOf(want, got, tolerated);
  if (wanted.length !== got.buckets.length) return false;
  return wanted.every((bucket, i) =>
    bucket.every((value, field) => closeValues(value, got.buckets[i]![field]!, tolerated)),
  );
}

/**
 * The buckets that both must have. Prometheus adds the buckets of later samples to earlier ones of the same chunk, empty: times
 * NaN they show, and there is no saying where a chunk begins.
 */
function bucketsOf(want: HistogramPoint, got: HistogramPoint, tolerated: Tolerated): HistogramPoint['buckets'] {
  if (want.buckets.length <= got.buckets.length) return want.buckets;
  const known = new Set(got.buckets.map(([, lower, upper]) => `${lower} ${upper}`));
  const kept = want.buckets.filter(([, lower, upper, count]) => !Number.isNaN(count) || known.has(`${lower} ${upper}`));
  if (kept.length < want.buckets.length) tolerated('NaN in empty buckets');
  return kept;
}

function compareErrors(want: Answer, got: Answer, tolerated: Tolerated): Difference | undefined {
  const differs = (): Difference => ({
    kind: 'outcome',
    where: 'the answer',
    want: describeOutcome(want),
    got: describeOutcome(got),
  });
  if (want.kind !== 'error' || got.kind !== 'error') return differs();
  if (want.status !== got.status || want.errorType !== got.errorType) return differs();
  // A text about what was sent is each parser's own; what an execution says is what clients know it by.
  if (want.errorType !== 'execution' || want.message === got.message) return undefined;
  if (got.hasOwnWords === true) {
    tolerated('text of an error');
    return undefined;
  }
  if (normalised(want.message) !== normalised(got.message)) return differs();
  tolerated('text of an error');
  return undefined;
}

/** Which of several faults is met first hangs on the order of series in the oracle's storage: so the label sets go. */
function normalised(message: string): string {
  return message.replaceAll(/[\w:]*\{(?:"(?:[^"\\]|\\.)*"|[^{}"])*\}/g, '{}');
}

function compareRows(want: Data, got: Data, tolerated: Tolerated): Difference | undefined {
  const others = new Map(got.rows.map((row) => [row.key, row]));
  for (const row of want.rows) {
    const other = others.get(row.key);
    if (other === undefined) {
      return { kind: 'series', where: row.key, want: describeRow(row), got: 'no such series', key: row.key };
    }
    const difference = comparePoints(row, other, tolerated);
    if (difference !== undefined) return difference;
  }
  const wanted = new Set(want.rows.map(({ key }) => key));
  const extra = got.rows.find(({ key }) => !wanted.has(key));
  if (extra === undefined) return undefined;
  return { kind: 'series', where: extra.key, want: 'no such series', got: describeRow(extra), key: extra.key };
}

function comparePoints(want: AnswerRow, got: AnswerRow, tolerated: Tolerated): Difference | undefined {
  for (const [timeMs, point] of want.points) {
    const at = { where: `${want.key} at ${timeMs / 1000}`, key: want.key, timeMs };
    const other = got.points.get(timeMs);
    if (other === undefined) return { kind: 'step', ...at, want: describePoint(point), got: 'no sample' };
    if (!closePoints(point, other, tolerated)) {
      return { kind: 'value', ...at, want: describePoint(point), got: describePoint(other) };
    }
  }
  for (const [timeMs, point] of got.points) {
    if (want.points.has(timeMs)) continue;
    return {
      kind: 'step',
      where: `${want.key} at ${timeMs / 1000}`,
      key: want.key,
      timeMs,
      want: 'no sample',
      got: describePoint(point),
    };
  }
  return undefined;
}

function compareOrder(want: Data, got: Data, order: Order): Difference | undefined {
  if (order.by === 'nothing') return undefined;
  const byValue = order.by === 'values';
  const keyOf = order.by === 'some labels' ? comparableLabels(want.rows, order.names) : (row: AnswerRow) => row.key;
  const show = (rows: readonly AnswerRow[]): string =>
    rows.map((row) => (byValue ? describePoint(onlyPoint(row)) : row.key)).join(' ');
  const same = want.rows.every((row, i) => {
    const other = got.rows[i]!;
    return byValue ? closePoints(onlyPoint(row), onlyPoint(other)) : keyOf(row) === keyOf(other);
  });
  return same ? undefined : { kind: 'order', where: 'the order of series', want: show(want.rows), got: show(got.rows) };
}

/**
 * What the order of rows by labels says for sure. Prometheus compares an empty text and any other as each less than the other,
 * so that from a label on that some have and some have not, the order is the one in which its algorithm met them.
 */
function comparableLabels(rows: readonly AnswerRow[], names: readonly string[]): (row: AnswerRow) => string {
  const lacking = names.findIndex(
    (name) => rows.some(({ labels }) => labels.has(name)) && rows.some(({ labels }) => !labels.has(name)),
  );
  if (lacking < 0) return ({ key }) => key;
  return ({ labels }) => JSON.stringify(names.slice(0, lacking).map((name) => labels.get(name) ?? ''));
}

function onlyPoint({ points }: AnswerRow): Point {
  return points.values().next().value ?? NaN;
}

/** How many warnings, and how many infos, an answer tells before it only counts. */
const NOTES_MAX = 10;

function compareNotes(want: Data, got: Data, tolerated: Tolerated): Difference | undefined {
  for (const kind of ['warnings', 'infos'] as const) {
    const isMixed = [want, got].some(({ warnings }) => warnings.some(isMix));
    const isTold = [want, got].every(({ warnings }) => warnings.some((note) => isMix(note) || isClash(note)));
    const settled = (notes: readonly string[]): readonly string[] =>
      isMixed && isTold ? notes.filter(isOfNoMix) : notes;
    const [wanted, given] = [settled(want[kind]), settled(got[kind])];
    if (wanted.length < want[kind].length) tolerated('notes of a mix');
    const same = wanted.length === given.length && wanted.every((note) => given.includes(note));
    if (same) continue;
    if (sameNotes(wanted.map(withoutCount), given.map(withoutCount))) {
      tolerated('count of repaired samples');
      continue;
    }
    if (got.lacksDetails === true && sameNotes(wanted.map(withoutDetail), given.map(withoutDetail))) {
      tolerated('detail of a note');
      continue;
    }
    // Which ten of many are told is the order of a Go map: then only how many there are is the same.
    const [more, others] = [moreThan(wanted), moreThan(given)];
    if (more !== undefined && more === others) {
      tolerated('notes beyond the first ten');
      continue;
    }
    const only = (notes: readonly string[], besides: readonly string[]): string =>
      notes.filter((note) => !besides.includes(note)).join(' | ') || 'nothing else';
    return { kind: 'notes', where: kind, want: only(wanted, given), got: only(given, wanted) };
  }
  return undefined;
}

/**
 * A note without the number of samples in which classic buckets had to be made monotonic: over a range Prometheus doubles what
 * it has counted at each further step, since it merges its notes with themselves.
 */
function withoutCount(note: string): string {
  return note.replace(/(?<=needed to be fixed for monotonicity .*), over -?\d+ samples/, '');
}

/** Of floats and histograms in one group. */
function isMix(note: string): boolean {
  return note.includes('encountered a mix of histograms and floats for aggregation');
}

function isClash(note: string): boolean {
  return note.includes('vector contains a mix of histograms with exponential and custom buckets schemas');
}

/**
 * In such a group histograms are added up to the first float that is met, and say what there is to say up to there; and where
 * they clash before that, no float is met any more.
 */
function isOfNoMix(note: string): boolean {
  return (
    !isMix(note) && !isClash(note) && !note.includes('mismatched custom buckets were reconciled during aggregation')
  );
}

/** A note without what single series have to do with it. */
function withoutDetail(note: string): string {
  return note.replace(/ \(\d+ occurrences\)/, '').replace(/, from buckets .* samples from .*(?= \(\d+:\d+\)$)/, '');
}

function sameNotes(wanted: readonly string[], given: readonly string[]): boolean {
  const told = given.toSorted();
  return wanted.length === told.length && wanted.toSorted().every((note, i) => note === told[i]);
}

/** The line that counts what is left out. */
function moreThan(notes: readonly string[]): string | undefined {
  return notes.length === NOTES_MAX + 1 ? notes.find((note) => /^\d+ more /.test(note)) : undefined;
}

/** An answer in a few words. */
function describeOutcome(answer: Answer): string {
  if (answer.kind === 'error') return `error ${answer.status} ${answer.errorType}: ${answer.message}`;
  return `${answer.resultType} of ${answer.rows.length} series`;
}

function describeRow({ points }: AnswerRow): string {
  const [first] = points;
  return first === undefined
    ? 'a series without samples'
    : `${points.size} samples, at ${first[0] / 1000} ${describePoint(first[1])}`;
}

export function describePoint(point: Point): string {
  return typeof point === 'number' ? (Object.is(point, -0) ? '-0' : String(point)) : describeHistogram(point);
}

function describeHistogram({ count, sum, buckets }: HistogramPoint): string {
  const shown = buckets.map(([boundaries, lower, upper, n]) => {
    const [open, close] = ['(]', '[)', '()', '[]'][boundaries] ?? '??';
    return `${open}${lower},${upper}${close}:${n}`;
  });
  return `{count:${count} sum:${sum} ${shown.join(' ')}}`;
}

/** Rows by labels but for the metric's name. */
export function rowsWithoutName(data: Data): Map<string, AnswerRow> {
  return new Map(data.rows.map((row) => [labelKey(row.labels, '__name__'), row]));
}
