import type { DomainCoverage } from '../coverage/coverage.ts';
import type { Note } from '../engine/notes.ts';
import type { Fragment, Plan } from '../plan/distribute.ts';
import { prunedFrom } from '../plan/prune.ts';
import { decodeQueryAnswer, encodeQueryRequest, type QueryAnswer } from '../plan/frames/query-codec.ts';
import type { RefusalCode } from '../plan/frames/refusal-codec.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { askDomain, type Answer } from './dispatch.ts';
import { assertRowsFit } from './own-rows.ts';
import type { DomainRefusal } from './refusal.ts';
import type { Domain, Federation } from './registry.ts';

/** What every domain of a query is told beside its fragments. */
export interface Asking {
  readonly lookbackMs: number;
  readonly features: PromqlFeatures;
  /** When to stop waiting, in ms since the epoch. */
  readonly deadlineMs: number;
}

/** What one domain was asked, and what came of it. */
export interface Part {
  readonly domain: Domain;
  /** Indices into the plan's fragments; none for a domain that cannot hold anything the query reads. */
  readonly asked: readonly number[];
  readonly answer: Answer<QueryAnswer> | undefined;
  /** The first of its refusals. */
  readonly refused: DomainRefusal | undefined;
}

/** Asks a domain all fragments of a plan that it could hold something of. */
export async function askPart(domain: Domain, plan: Plan, asking: Asking, { domainLabel }: Federation): Promise<Part> {
  const { asked, fragments, body } = requestOf(domain, plan, asking, domainLabel);
  if (asked.length === 0) return { domain, asked, answer: undefined, refused: undefined };
  const { features, deadlineMs } = asking;
  const given = await askDomain(domain, 'query', body, deadlineMs, (bytes) => {
    const read = decodeQueryAnswer(bytes, { fragments });
    assertRowsFit(read, fragments, { domainLabel, domain: domain.config.name, features });
    return read;
  });
  const answer = silenced(given);
  return { domain, asked, answer, refused: firstRefusal(domain, asked, answer, plan) };
}

/** What a domain is asked of a plan: the fragments that it could hold something of, also by index, and the message. */
export function requestOf(
  { config, lastStatus }: Domain,
  plan: Plan,
  { lookbackMs, features, deadlineMs }: Asking,
  domainLabel: string,
): { readonly asked: readonly number[]; readonly fragments: readonly Fragment[]; readonly body: Uint8Array } {
  const holding = { name: config.name, heldFromMs: lastStatus?.heldFromMs ?? 0 };
  const asked = plan.fragments.flatMap((fragment, index) =>
    prunedFrom(fragment, lookbackMs, domainLabel, holding) === undefined ? [index] : [],
  );
  const fragments = asked.map((index) => plan.fragments[index]!);
  const timeLeftMs = Math.max(1, deadlineMs - Date.now());
  return { asked, fragments, body: encodeQueryRequest({ lookbackMs, features, timeLeftMs, fragments }) };
}

/** What a domain that gave up says of itself: such an answer is none. */
const GIVEN_UP: Partial<Record<RefusalCode, Omit<Extract<Answer<never>, { readonly ok: false }>, 'ok'>>> = {
  timeout: { outcome: 'timeout', reason: 'it stopped at the deadline', retryable: false },
  source_unavailable: {
    outcome: 'unreachable',
    reason: 'the server that its agent asks does not answer',
    retryable: false,
  },
};

function silenced(answer: Answer<QueryAnswer>): Answer<QueryAnswer> {
  if (!answer.ok) return answer;
  for (const part of answer.value.fragments) {
    const given = 'refusal' in part ? GIVEN_UP[part.refusal.code] : undefined;
    if (given !== undefined) return { ok: false, ...given };
  }
  return answer;
}

function firstRefusal(
  domain: Domain,
  asked: readonly number[],
  answer: Answer<QueryAnswer> | undefined,
  plan: Plan,
): DomainRefusal | undefined {
  if (answer?.ok !== true) return undefined;
  for (const [at, part] of answer.value.fragments.entries()) {
    if ('refusal' in part) {
      return { domain: domain.config.name, fragment: plan.fragments[asked[at]!]!, refusal: part.refusal };
    }
  }
  return undefined;
}

/** Whether a domain gave all that it was asked for. */
export function isWhole({ asked, answer, refused }: Part): boolean {
  return asked.length > 0 && answer?.ok === true && refused === undefined;
}

/** The rows of all answers to a fragment, and what there is to say of them. */
export function rowsOf(
  index: number,
  parts: readonly Part[],
): { readonly rows: readonly AnswerRow[]; readonly notes: readonly Note[] } {
  const found = parts.flatMap(({ asked, answer }) => {
    const at = asked.indexOf(index);
    const fragment = at < 0 || answer?.ok !== true ? undefined : answer.value.fragments[at]!;
    return fragment !== undefined && 'rows' in fragment ? [fragment] : [];
  });
  return { rows: found.flatMap(({ rows }) => rows), notes: found.flatMap(({ notes }) => notes) };
}

/** `reasonOf`: a refusal in words. */
export function coverageOf(
  { domain, answer, refused }: Part,
  reasonOf: (refusal: DomainRefusal) => string,
): DomainCoverage {
  const status = answer?.ok === true ? answer.value.status : domain.lastStatus;
  const base = {
    domain: domain.config.name,
    expected: status?.expectedStreams ?? 0,
    settledUntil: status === undefined || status.settledUntilMs === 0 ? null : status.settledUntilMs / 1000,
  };
  if (answer === undefined) return { ...base, status: 'pruned', observed: status?.observedStreams ?? 0 };
  if (!answer.ok) return { ...base, status: answer.outcome, observed: 0, reason: answer.reason };
  if (refused === undefined) return { ...base, status: 'ok', observed: answer.value.status.observedStreams };
  return { ...base, status: 'refused', observed: 0, reason: reasonOf(refused) };
}
