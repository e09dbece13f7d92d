import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { assertBounds, messageCodec, type MessageBounds } from '../base/proto.ts';
import type { StepGrid } from '../model/grid.ts';
import { shareRegexMeter, startRegexMeter, type Matcher, type RegexMeter } from '../model/matcher.ts';
import { partialOf } from '../partial/algebra.ts';
import type { PartialOp } from '../partial/algebra.ts';
import {
  decodeColumns,
  encodeColumns,
  startColumnsBudget,
  type ColumnsMessage,
  type ColumnsRow,
} from './columns-codec.ts';
import { children, type Expr } from '../promql/ast.ts';
import type { Fragment } from './distribute.ts';
import { decodeExpr, decodeMatcher, encodeExpr, type ExprMessage, type MatcherMessage } from './expr-codec.ts';

/** The version of proto/federation.proto that this code speaks; any other is refused by name. */
const FEDERATION_VERSION = 2;

/** What a hub asks of a domain. */
export interface FragmentQuery {
  readonly lookbackMs: number;
  /** How long the hub still waits; times left travel better than clocks. */
  readonly timeLeftMs: number;
  readonly fragments: readonly Fragment[];
}

export interface LabelsQuery {
  /** The label whose values are asked for; empty for label names. */
  readonly name: string;
  readonly selectors: readonly (readonly Matcher[])[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

/** What a domain says of itself with every answer. */
export interface DomainStatus {
  readonly domain: string;
  readonly policyDigest: string;
  readonly expectedStreams: number;
  readonly observedStreams: number;
  /** 0 when unknown. */
  readonly settledUntilMs: number;
  /** Bytes of the raw samples held, times and values alone. */
  readonly rawBytesHeld: number;
  /** Since the agent started. */
  readonly releasedBytes: number;
}

/** Why a border let a fragment's answer not out. A fixed list: an agent's words never reach a reader. */
export const REFUSAL_CODES = [
  'class_sealed',
  'class_aggregate',
  'label_not_permitted',
  'matcher_not_permitted',
  'unsupported',
  'execution',
  'undecided',
  'limit',
  'timeout',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** `name` is the metric or label at fault; empty where the fragment did not spell out the metric, and for other codes. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly name: string;
}

export type FragmentAnswer = { readonly rows: readonly ColumnsRow[] } | { readonly refusal: Refusal };

export interface QueryAnswer {
  readonly status: DomainStatus;
  readonly fragments: readonly FragmentAnswer[];
}

export type LabelsAnswer = { readonly status: DomainStatus } & (
  | { readonly values: readonly string[] }
  | { readonly refusal: Refusal }
);

const FILE = 'federation.proto';
const PACKAGE = 'comity.federation.v1';
const queryRequest = messageCodec<QueryRequestMessage>(FILE, `${PACKAGE}.QueryRequest`);
const queryAnswer = messageCodec<QueryAnswerMessage>(FILE, `${PACKAGE}.QueryAnswer`);
const labelsRequest = messageCodec<LabelsRequestMessage>(FILE, `${PACKAGE}.LabelsRequest`);
const labelsAnswer = messageCodec<LabelsAnswerMessage>(FILE, `${PACKAGE}.LabelsAnswer`);
const statusAnswer = messageCodec<Versioned & { status: DomainStatus | null }>(FILE, `${PACKAGE}.StatusAnswer`);
const errorAnswer = messageCodec<Versioned & { code: string }>(FILE, `${PACKAGE}.ErrorAnswer`);

export function encodeQueryRequest({ lookbackMs, timeLeftMs, fragments }: FragmentQuery): Uint8Array {
  return queryRequest.encode({
    version: FEDERATION_VERSION,
    lookbackMs,
    timeLeftMs: Math.ceil(timeLeftMs),
    fragments: fragments.map(({ answer, expr, grid }) => ({
      partial: answer === 'partial',
      expr: encodeExpr(expr),
      grid,
    })),
  });
}

/** Throws `bad_data`, `unsupported` or `limit`; never trusts the sender about size or shape. */
export function decodeQueryRequest(bytes: Uint8Array): FragmentQuery {
  assertBounds(bytes, { fields: LIMITS.fragmentsPerQuery + REQUEST_FIELDS });
  const message = queryRequest.decode(bytes);
  assertVersion(message);
  const { lookbackMs, timeLeftMs, fragments } = message;
  if (lookbackMs < 1) throw new ComityError('bad_data', 'malformed QueryRequest: lookback');
  if (fragments.length > LIMITS.fragmentsPerQuery) throw new ComityError('limit', 'too many fragments');
  const decoded = fragments.map(decodeFragment);
  const meter = startRegexMeter();
  for (const { expr } of decoded) meterSelectors(expr, meter);
  return { lookbackMs, timeLeftMs, fragments: decoded };
}

export function encodeQueryAnswer({ status, fragments }: QueryAnswer, asked: readonly Fragment[]): Uint8Array {
  return queryAnswer.encode({
    version: FEDERATION_VERSION,
    status,
    fragments: fragments.map((answer, index) =>
      'refusal' in answer
        ? { refusal: answer.refusal }
        : { columns: encodeColumns(answer.rows, fieldCount(asked[index]!)) },
    ),
  });
}

/** Reads a domain's answer to `asked`, and refuses one that does not fit what was asked. */
export function decodeQueryAnswer(bytes: Uint8Array, { fragments }: Pick<FragmentQuery, 'fragments'>): QueryAnswer {
  assertBounds(bytes, answerBounds(fragments.length));
  const message = queryAnswer.decode(bytes);
  assertVersion(message);
  if (message.fragments.length !== fragments.length) {
    throw new ComityError('bad_data', 'malformed QueryAnswer: number of fragments');
  }
  const budget = startColumnsBudget();
  return {
    status: readStatus(message.status),
    fragments: message.fragments.map(({ columns, refusal }, index) => {
      if (refusal !== undefined) return { refusal: readRefusal(refusal) };
      if (columns === undefined) throw new ComityError('bad_data', 'malformed QueryAnswer: an empty fragment');
      const fragment = fragments[index]!;
      return { rows: decodeColumns(columns, fragment.grid.steps, fieldCount(fragment), budget) };
    }),
  };
}

export function encodeLabelsRequest({ selectors, ...rest }: LabelsQuery): Uint8Array {
  const sets = selectors.map((matchers) => ({ matchers }));
  return labelsRequest.encode({ version: FEDERATION_VERSION, ...rest, selectors: sets });
}

export function decodeLabelsRequest(bytes: Uint8Array): LabelsQuery {
  assertBounds(bytes, { fields: LIMITS.selectorsPerRequest + REQUEST_FIELDS });
  const message = labelsRequest.decode(bytes);
  assertVersion(message);
  const { name, fromMs, toMs, limit } = message;
  if (message.selectors.length > LIMITS.selectorsPerRequest) throw new ComityError('limit', 'too many selectors');
  const selectors = message.selectors.map((set) => set.matchers.map(decodeMatcher));
  const meter = startRegexMeter();
  for (const matcher of selectors.flat()) shareRegexMeter(matcher, meter);
  return { name, fromMs, toMs, limit, selectors };
}

export function encodeLabelsAnswer(answer: LabelsAnswer): Uint8Array {
  return labelsAnswer.encode({ version: FEDERATION_VERSION, values: [], refusal: null, ...answer });
}

/** Reads a domain's answer to a request for at most `limit` values, and refuses one that says more. */
export function decodeLabelsAnswer(bytes: Uint8Array, limit: number): LabelsAnswer {
  assertBounds(bytes, { fields: limit + REQUEST_FIELDS, bytes: { [LABEL_VALUES]: LIMITS.labelBytes } });
  const message = labelsAnswer.decode(bytes);
  assertVersion(message);
  const status = readStatus(message.status);
  return message.refusal === null
    ? { status, values: message.values }
    : { status, refusal: readRefusal(message.refusal) };
}

export function encodeStatusAnswer(status: DomainStatus): Uint8Array {
  return statusAnswer.encode({ version: FEDERATION_VERSION, status });
}

export function decodeStatusAnswer(bytes: Uint8Array): { status: DomainStatus } {
  const message = statusAnswer.decode(bytes);
  assertVersion(message);
  return { status: readStatus(message.status) };
}

/** The answer to a request that could not be read: its code only. */
export function encodeErrorAnswer(code: string): Uint8Array {
  return errorAnswer.encode({ version: FEDERATION_VERSION, code });
}

export function decodeErrorAnswer(bytes: Uint8Array): string {
  return errorAnswer.decode(bytes).code;
}

/** More than the fields of any request or answer that are not repeated. */
const REQUEST_FIELDS = 8;

/** The number of LabelsAnswer's field `values`. */
const LABEL_VALUES = 3;

/** QueryAnswer, FragmentAnswer and Columns, by the field numbers of proto/federation.proto. */
function answerBounds(fragments: number): MessageBounds {
  const columns: MessageBounds = {
    fields: COLUMN_STRINGS + REQUEST_FIELDS,
    counts: { 2: 1, 3: 1, 4: 1, 5: REQUEST_FIELDS },
    bytes: { 1: LIMITS.labelBytes, 2: LIMITS.rowsPerAnswer * 2, 3: LABEL_INDEX_BYTES },
  };
  return { fields: fragments + REQUEST_FIELDS, nested: { 3: { fields: 2, nested: { 1: columns } } } };
}

/** Label names and values in one fragment's dictionary: several new ones for each row. */
const COLUMN_STRINGS = LIMITS.rowsPerAnswer * 5;

/** Ten labels a row, with indices of up to three bytes. */
const LABEL_INDEX_BYTES = LIMITS.rowsPerAnswer * 10 * 2 * 3;

interface Versioned {
  version: number;
}

interface QueryRequestMessage extends Versioned {
  lookbackMs: number;
  timeLeftMs: number;
  fragments: FragmentMessage[];
}

interface FragmentMessage {
  partial: boolean;
  expr: ExprMessage | null;
  grid: StepGrid | null;
}

interface QueryAnswerMessage extends Versioned {
  status: DomainStatus | null;
  fragments: { columns?: ColumnsMessage; refusal?: { code: string; name: string } }[];
}

interface LabelsRequestMessage extends Versioned {
  name: string;
  selectors: { matchers: readonly MatcherMessage[] }[];
  fromMs: number;
  toMs: number;
  limit: number;
}

interface LabelsAnswerMessage extends Versioned {
  status: DomainStatus | null;
  values: readonly string[];
  refusal: { code: string; name: string } | null;
}

/** Regular expressions of one request share one budget. */
function meterSelectors(expr: Expr, meter: RegexMeter): void {
  if (expr.kind === 'vector') for (const matcher of expr.matchers) shareRegexMeter(matcher, meter);
  for (const child of children(expr)) meterSelectors(child, meter);
}

function decodeFragment({ partial, expr: message, grid }: FragmentMessage): Fragment {
  if (message === null) throw new ComityError('bad_data', 'malformed QueryRequest: a fragment without an expression');
  if (grid === null || grid.steps < 1 || grid.steps > LIMITS.stepsPerFragment || grid.stepMs < 1) {
    throw new ComityError('bad_data', "malformed QueryRequest: a fragment's grid");
  }
  const expr = decodeExpr(message);
  if (!partial) return { answer: 'vector', expr, grid };
  if (expr.kind !== 'aggregate') throw new ComityError('bad_data', 'only an aggregation has a partial');
  return { answer: 'partial', expr, grid };
}

/** A vector's rows have their values as the only field; a partial's have what its operator keeps. */
function fieldCount(fragment: Fragment): number {
  return fragment.answer === 'vector' ? 1 : partialOf(fragment.expr.op as PartialOp).fields.length;
}

function readStatus(status: DomainStatus | null): DomainStatus {
  if (status === null) throw new ComityError('bad_data', 'malformed answer: no status');
  return status;
}

function readRefusal({ code, name }: { code: string; name: string }): Refusal {
  const known = REFUSAL_CODES.find((candidate) => candidate === code);
  return known === undefined ? { code: 'unsupported', name: code } : { code: known, name };
}

function assertVersion({ version }: Versioned): void {
  if (version !== FEDERATION_VERSION) {
    throw new ComityError(
      'unsupported',
      `unsupported: version ${version} of the federation protocol, this is ${FEDERATION_VERSION}`,
    );
  }
}
