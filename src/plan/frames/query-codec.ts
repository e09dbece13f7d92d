import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { messageCodec } from '../../base/proto.ts';
import type { Note } from '../../engine/notes.ts';
import { shareRegexMeter, startRegexMeter, type RegexMeter } from '../../model/matcher.ts';
import { children, type Expr } from '../../promql/ast.ts';
import { NO_FEATURES, type PromqlFeatures } from '../../promql/features.ts';
import {
  columnsBounds,
  decodeColumns,
  encodeColumns,
  shapeOf,
  startColumnsBudget,
  type AnswerRow,
  type ColumnsMessage,
} from './columns-codec.ts';
import type { Fragment } from '../distribute.ts';
import {
  coverageBounds,
  decodeCoverage,
  decodeKnown,
  decodeLate,
  decodeQuestions,
  encodeCoverage,
  encodeLate,
  lateBounds,
  questionBounds,
  type CoverageAnswerMessage,
  type CoverageQuestion,
  type CoverageQuestionMessage,
  type CoverageRuns,
  type LateKnown,
  type LateMessage,
  type LateTold,
} from './coverage-codec.ts';
import { decodeFragment, encodeFragment, unread, type AskedFragment } from './fragment-codec.ts';
import { decodeNotes, encodeNotes, noteBounds, type NoteMessage } from './notes-codec.ts';
import { preorder } from './preorder.ts';
import { decodeRefusal, encodeRefusal, type Refusal, type RefusalMessage } from './refusal-codec.ts';
import { assertAnswerTo, decodeRequestId } from './request-id.ts';
import { decodeStatus, encodeStatus, statusBounds, type DomainStatus, type StatusMessage } from './status-codec.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

/** What a hub asks of a domain; a hub asks `Fragment`s only. */
export interface FragmentQuery<Asked extends AskedFragment = AskedFragment> {
  readonly lookbackMs: number;
  /** How long the hub still waits; times left travel better than clocks. */
  readonly timeLeftMs: number;
  /** Those that change the evaluation travel. */
  readonly features: PromqlFeatures;
  /** None where only the rest is asked for. */
  readonly fragments: readonly Asked[];
  readonly coverage: readonly CoverageQuestion[];
  /** The changes of settled times after this are told. */
  readonly since: LateKnown;
  /** Another for each request. */
  readonly id: Uint8Array;
}

export type FragmentAnswer =
  | { readonly rows: readonly AnswerRow[]; readonly notes: readonly Note[] }
  | { readonly refusal: Refusal };

export interface QueryAnswer {
  readonly status: DomainStatus;
  readonly fragments: readonly FragmentAnswer[];
  /** One for each question. */
  readonly coverage: readonly CoverageRuns[];
  /** Undefined where the domain keeps no record of late changes: then nothing of the answer may be kept. */
  readonly late: LateTold | undefined;
  /** The request's. */
  readonly id: Uint8Array;
}

const FILE = 'federation.proto';
const PACKAGE = 'comity.federation.v1';
const queryRequest = messageCodec<QueryRequestMessage>(FILE, `${PACKAGE}.QueryRequest`);
const queryAnswer = messageCodec<QueryAnswerMessage>(FILE, `${PACKAGE}.QueryAnswer`);

export function encodeQueryRequest({
  lookbackMs,
  timeLeftMs,
  features,
  fragments,
  coverage,
  since,
  id,
}: FragmentQuery<Fragment>): Uint8Array {
  return queryRequest.encode({
    version: FEDERATION_VERSION,
    lookbackMs,
    timeLeftMs: Math.ceil(timeLeftMs),
    features: [...FEATURES].flatMap(([name, feature]) => (features[feature] ? [name] : [])),
    fragments: fragments.map(encodeFragment),
    coverage: [...coverage],
    since: since.epoch === '' ? null : since,
    id,
  });
}

/**
 * Throws `bad_data`, `unsupported` (another version) or `limit`; never trusts the sender about size or shape. A fragment with
 * something in it that this version does not know is unread, and all of them are where it is a feature.
 */
export function decodeQueryRequest(bytes: Uint8Array): FragmentQuery {
  const message = decodeStrict(queryRequest, bytes, {
    fields: LIMITS.fragmentsPerQuery + LIMITS.coverageQuestions + OTHER_FIELDS,
    counts: { [FEATURES_FIELD]: FEATURES.size, [QUESTIONS_FIELD]: LIMITS.coverageQuestions },
    nested: { [QUESTIONS_FIELD]: questionBounds },
  });
  const { lookbackMs, timeLeftMs } = message;
  const id = decodeRequestId(message.id);
  if (!Number.isSafeInteger(lookbackMs) || lookbackMs < 1) {
    throw new ComityError('bad_data', 'malformed QueryRequest: lookback');
  }
  if (!Number.isSafeInteger(timeLeftMs)) throw new ComityError('bad_data', 'malformed QueryRequest: time left');
  if (message.fragments.length > LIMITS.fragmentsPerQuery) throw new ComityError('limit', 'too many fragments');
  const coverage = decodeQuestions(message.coverage);
  const since = decodeKnown(message.since);
  const unknown = message.features.find((name) => !FEATURES.has(name));
  const decoded = message.fragments.map((one) => (unknown === undefined ? decodeFragment(one) : unread(unknown)));
  const meter = startRegexMeter();
  for (const fragment of decoded) if (fragment.answer !== 'unread') meterSelectors(fragment.expr, meter);
  const features = { ...NO_FEATURES };
  for (const [name, feature] of FEATURES) features[feature] = message.features.includes(name);
  return { lookbackMs, timeLeftMs, features, fragments: decoded, coverage, since, id };
}

export function encodeQueryAnswer(
  { status, fragments, coverage, late, id }: QueryAnswer,
  asked: readonly AskedFragment[],
): Uint8Array {
  return queryAnswer.encode({
    version: FEDERATION_VERSION,
    status: encodeStatus(status),
    coverage: encodeCoverage(coverage),
    late: late === undefined ? null : encodeLate(late),
    id,
    fragments: fragments.map((answer, index) => {
      if ('refusal' in answer) return { refusal: encodeRefusal(answer.refusal), notes: [] };
      const fragment = asked[index]!;
      if (fragment.answer === 'unread') throw new ComityError('internal', 'an unread fragment has no rows');
      return { columns: encodeColumns(answer.rows, shapeOf(fragment)), notes: encodeNotes(answer.notes) };
    }),
  });
}

/**
 * Reads a domain's answer to a request, and refuses one that does not fit what was asked. Notes stand where their nodes stand in
 * the asker's own trees; a refusal's node stays an index.
 */
export function decodeQueryAnswer(
  bytes: Uint8Array,
  { fragments, coverage, id }: Pick<FragmentQuery<Fragment>, 'fragments' | 'coverage' | 'id'>,
): QueryAnswer {
  const answer = { fields: 2 + noteBounds.count, nested: { 1: columnsBounds, 3: noteBounds.each } };
  const message = decodeStrict(queryAnswer, bytes, {
    fields: fragments.length + coverage.length + OTHER_FIELDS,
    counts: { 4: coverage.length },
    nested: { 2: statusBounds, 3: answer, 4: coverageBounds, 5: lateBounds },
  });
  if (message.fragments.length !== fragments.length) {
    throw new ComityError('bad_data', 'malformed QueryAnswer: number of fragments');
  }
  const budget = startColumnsBudget();
  return {
    id: assertAnswerTo(id, message.id),
    status: decodeStatus(message.status),
    coverage: decodeCoverage(message.coverage, coverage),
    late: decodeLate(message.late),
    fragments: message.fragments.map(({ columns, refusal, notes }, index) => {
      const fragment = fragments[index]!;
      const nodes = preorder(fragment.expr);
      if (refusal !== undefined) {
        if (notes.length > 0) throw new ComityError('bad_data', 'malformed QueryAnswer: notes beside a refusal');
        return { refusal: decodeRefusal(refusal, nodes.length) };
      }
      if (columns === undefined) throw new ComityError('bad_data', 'malformed QueryAnswer: an empty fragment');
      return { rows: decodeColumns(columns, shapeOf(fragment), budget), notes: decodeNotes(notes, nodes) };
    }),
  };
}

/** Features that change what an expression comes to, by the names that travel: Prometheus's where it has one. */
const FEATURES: ReadonlyMap<string, keyof PromqlFeatures> = new Map([
  ['promql-delayed-name-removal', 'delayedNameRemoval'],
  ['use-start-timestamps', 'startTimestamps'],
  ['type-and-unit-labels', 'typeAndUnitLabels'],
  ['kept-starts-reset', 'keptStartsReset'],
]);

/** More than the fields of a request or an answer that are not fragments or coverage. */
const OTHER_FIELDS = 8;

/** Numbers of QueryRequest's fields. */
const FEATURES_FIELD = 5;
const QUESTIONS_FIELD = 6;

interface QueryRequestMessage extends Versioned {
  lookbackMs: number;
  timeLeftMs: number;
  fragments: Uint8Array[];
  features: string[];
  coverage: CoverageQuestionMessage[];
  since: LateKnown | null;
  id: Uint8Array;
}

interface QueryAnswerMessage extends Versioned {
  status: StatusMessage | null;
  coverage: CoverageAnswerMessage[];
  late: LateMessage | null;
  id: Uint8Array;
  fragments: { columns?: ColumnsMessage; refusal?: RefusalMessage; notes: NoteMessage[] }[];
}

/** Regular expressions of one request share one budget. */
function meterSelectors(expr: Expr, meter: RegexMeter): void {
  if (expr.kind === 'vector') for (const matcher of expr.matchers) shareRegexMeter(matcher, meter);
  for (const child of children(expr)) meterSelectors(child, meter);
}
