import { LIMITS } from '../../base/limits.ts';
import { coverageReads } from '../../plan/coverage-reads.ts';
import type { Fragment } from '../../plan/distribute.ts';
import { NOTHING_KNOWN, type CoverageQuestion } from '../../plan/frames/coverage-codec.ts';
import { decodeQueryAnswer, encodeQueryRequest, type QueryAnswer } from '../../plan/frames/query-codec.ts';
import { newRequestId } from '../../plan/frames/request-id.ts';
import type { DomainStatus } from '../../plan/frames/status-codec.ts';
import type { AsOf, ReplicaColumns } from '../cache/columns-cache.ts';
import type { Segment } from '../cache/segments.ts';
import { stepsReading, stepsWithin, type Steps } from '../cache/steps.ts';
import type { Prepared } from '../dispatch/attempt.ts';
import { assertRowsFit } from '../own-rows.ts';
import type { Domain, Federation, Replica } from '../registry.ts';
import type { Asking } from './asking.ts';
import { gridOf, isKeepable, sameSteps, type Column } from './columns.ts';
import { certainPieces, missingSteps, piecesWithin, piecesWithout, placed, type Piece } from './pieces.ts';
import { sliceRows } from '../cache/rows.ts';
import { commonSteps, completeSteps } from './runs.ts';

/** What is asked of a domain at once. */
export interface Window {
  readonly columns: readonly Column[];
  readonly coverage: readonly CoverageQuestion[];
}

/** A window and who is asked about it. */
export interface WindowAsk {
  readonly window: Window;
  readonly domain: Domain;
  readonly asking: Asking;
  readonly federation: Federation;
  /** The window's, and those that tell which steps of single columns are complete. */
  readonly questions: readonly CoverageQuestion[];
  /** By column, the question that tells it; -1 for none. */
  readonly completeBy: readonly number[];
}

/** What is known of a window. */
export interface Known {
  /** By column, in order and apart. */
  readonly pieces: readonly (readonly Piece[])[];
  readonly asOf: AsOf;
  /** What was held then. */
  readonly heldFromMs: number;
}

/** What is asked of it, and known of the steps that are not asked. */
interface Request extends Known {
  readonly fragments: readonly Fragment[];
  /** Which steps of which column each fragment is about. */
  readonly asked: readonly { readonly column: number; readonly steps: Steps }[];
}

/** An answer with what it is an answer to. */
export interface Reply {
  readonly status: DomainStatus;
  readonly request: Request;
  readonly read: QueryAnswer;
}

/** The parts of a column that are asked one by one, where steps between them are known. */
const PARTS_MAX = 8;

export function windowAsk(window: Window, domain: Domain, asking: Asking, federation: Federation): WindowAsk {
  const questions = [...window.coverage];
  const base = { window, domain, asking, federation, questions };
  const completeBy = window.columns.map((column) => {
    const [whole] = window.coverage;
    const { expr, grid } = column.fragment;
    if (whole !== undefined && sameSteps(whole.grid, grid)) return 0;
    if (!column.mayKeep || !usesCache(base) || questions.length === LIMITS.coverageQuestions) return -1;
    return questions.push(coverageReads(expr, grid, asking.lookbackMs)) - 1;
  });
  return { ...base, completeBy };
}

/** Nothing is taken from the cache, or put there, unless it can be written down. */
function usesCache({ asking, federation }: Pick<WindowAsk, 'asking' | 'federation'>): boolean {
  return asking.useCache !== false && federation.cache !== undefined && federation.audit !== undefined;
}

function keptOf({ url }: Replica, ask: WindowAsk): ReplicaColumns | undefined {
  return usesCache(ask) ? ask.federation.cache!.of(ask.domain.config.name, url) : undefined;
}

/**
 * What to ask a replica: what is not known. `known` is what earlier answers to this window came to; without it what is kept is
 * taken, unless `anew` says that nothing is to be.
 */
export function prepareRound(
  replica: Replica,
  known: Known | undefined,
  anew: boolean,
  ask: WindowAsk,
): Prepared<Reply> {
  const { asking, domain, federation, questions } = ask;
  const { lookbackMs, features } = asking;
  const request = requestFor(ask.window, known ?? keptOn(replica, anew, ask), known === undefined);
  const id = newRequestId();
  const { fragments } = request;
  const query = { lookbackMs, features, fragments, coverage: questions, since: request.asOf.late, id };
  return {
    body: (timeLeftMs) => encodeQueryRequest({ ...query, timeLeftMs }),
    decode(bytes) {
      const read = decodeQueryAnswer(bytes, query);
      const { domainLabel } = federation;
      assertRowsFit(read, fragments, { domainLabel, domain: domain.config.name, features });
      return { status: read.status, request, read };
    },
  };
}

function keptOn(replica: Replica, anew: boolean, ask: WindowAsk): Known {
  const kept = keptOf(replica, ask);
  const pieces = ask.window.columns.map(({ key, steps, mayKeep }) => {
    if (kept === undefined || anew || !mayKeep) return [];
    return kept.find(key, steps).map((one) => ({ ...one.steps, of: one.segment, isKept: true }));
  });
  const { asOf, heldFromMs } = kept ?? { asOf: { digest: '', late: NOTHING_KNOWN }, heldFromMs: -Infinity };
  return { pieces, asOf, heldFromMs };
}

function requestFor({ columns }: Window, { pieces, asOf, heldFromMs }: Known, isFirst: boolean): Request {
  const most = Math.min(PARTS_MAX, Math.floor(LIMITS.fragmentsPerQuery / columns.length));
  const requests = columns.map((column, index) => {
    // The last step is asked whatever is known, so that the domain's policy decides about each query anew.
    const last = { from: isFirst ? column.steps.to - 1 : column.steps.to, to: column.steps.to };
    const missing = missingSteps(column, piecesWithout(pieces[index]!, last));
    const asked = column.maySplit ? bridged(missing, most) : [column.steps];
    return {
      pieces: asked.reduce(piecesWithout, pieces[index]!),
      asked: asked.map((steps) => ({ column: index, steps })),
    };
  });
  const asked = requests.flatMap((one) => one.asked);
  return {
    asOf,
    heldFromMs,
    pieces: requests.map((one) => one.pieces),
    asked,
    fragments: asked.map(({ column, steps }) => {
      const { fragment } = columns[column]!;
      return { ...fragment, grid: gridOf(columns[column]!, steps) };
    }),
  };
}

/** At most so many parts: those that are nearest to each other are joined, with what lies between. */
function bridged(parts: readonly Steps[], most: number): readonly Steps[] {
  const joined = [...parts];
  while (joined.length > most) {
    let at = 0;
    for (let i = 1; i + 1 < joined.length; i++) {
      if (joined[i + 1]!.from - joined[i]!.to < joined[at + 1]!.from - joined[at]!.to) at = i;
    }
    joined.splice(at, 2, { from: joined[at]!.from, to: joined[at + 1]!.to });
  }
  return joined;
}

/**
 * What is known after an answer: what was before, as far as the answer says that it still holds, and what is new. Of that the
 * cache keeps what will not change any more.
 */
export function settle(replica: Replica, { request, read }: Pick<Reply, 'request' | 'read'>, ask: WindowAsk): Known {
  const { columns } = ask.window;
  const { status, late } = read;
  const kept = keptOf(replica, ask);
  const asOf: AsOf = {
    digest: status.policyDigest,
    late: late === undefined ? NOTHING_KNOWN : { epoch: late.epoch, sequence: late.sequence },
  };
  kept?.learn(request.asOf.late, late, asOf.digest, heldFrom(status));
  const pieces: Piece[][] = columns.map((column, index) => [
    ...stillRight(column, request.pieces[index]!, request, read),
  ]);
  for (const [at, { column: index, steps }] of request.asked.entries()) {
    const answer = read.fragments[at]!;
    if ('refusal' in answer) continue;
    const column = columns[index]!;
    const segment = { ...steps, rows: answer.rows, notes: placed(column, answer.notes), isExact: true };
    pieces[index]!.push({ ...steps, of: segment, isKept: false });
    if (kept === undefined || !column.mayKeep || !isKeepable(column.fragment, segment)) continue;
    for (const lasting of lastingSteps(index, steps, read, ask)) kept.keep(column.key, copyOf(segment, lasting), asOf);
  }
  return {
    asOf,
    heldFromMs: heldFrom(status),
    pieces: pieces.map((own) => certainPieces(own.toSorted((a, b) => a.from - b.from))),
  };
}

/** Late changes, a new policy and the end of what is held make steps wrong. */
function stillRight(
  { key, steps }: Column,
  pieces: readonly Piece[],
  { asOf, heldFromMs }: Request,
  { status, late }: QueryAnswer,
): readonly Piece[] {
  if (late === undefined || late.everything || late.epoch !== asOf.late.epoch) return [];
  if (status.policyDigest !== asOf.digest) return [];
  const changed = late.intervals.flatMap((interval) => stepsReading(interval, key.reads, key, steps));
  // A domain that says that it holds more than before does not hold again what is gone.
  const fromMs = Math.max(heldFromMs, heldFrom(status));
  const held = stepsWithin({ fromMs, toMs: Infinity }, key.reads, key, steps);
  return piecesWithin(changed.reduce(piecesWithout, pieces), held);
}

/** Of these steps those that a later answer will say the same of, unless it says otherwise: complete and settled ones. */
function lastingSteps(
  index: number,
  steps: Steps,
  { status, late, coverage }: QueryAnswer,
  ask: WindowAsk,
): readonly Steps[] {
  const { key, steps: all } = ask.window.columns[index]!;
  const question = ask.completeBy[index]!;
  if (late === undefined || status.settledUntilMs === 0 || question < 0) return [];
  // What lies before the watermark is settled.
  const settled = { fromMs: heldFrom(status), toMs: status.settledUntilMs - 1 };
  return commonSteps(completeSteps(coverage[question]!, all.from), stepsWithin(settled, key.reads, key, steps));
}

function heldFrom({ heldFromMs }: DomainStatus): number {
  return heldFromMs === 0 ? -Infinity : heldFromMs;
}

/** What is kept must not share columns with an answer that is worked on. */
function copyOf(segment: Segment, { from, to }: Steps): Segment {
  const rows = sliceRows(segment.rows, from - segment.from, to - segment.from);
  const isAll = from === segment.from && to === segment.to;
  return { from, to, rows, notes: segment.notes, isExact: isAll || segment.notes.length === 0 };
}
