import { ComityError } from '../../base/errors.ts';
import { summariseCoverage, type Coverage } from '../../coverage/coverage.ts';
import { labelValue, type Labels } from '../../model/labels.ts';
import { mayReadFrom } from '../../plan/domain.ts';
import type { Refusal } from '../../plan/frames/refusal-codec.ts';
import { newRequestId } from '../../plan/frames/request-id.ts';
import type { DomainStatus } from '../../plan/frames/status-codec.ts';
import type { TimeRange } from '../../plan/read-range.ts';
import type { VectorSelector } from '../../promql/ast.ts';
import { listCoverage } from '../coverage.ts';
import { askDomain } from '../dispatch.ts';
import type { Answer } from '../dispatch/attempt.ts';
import { IncompleteError } from '../query.ts';
import { refusalWords } from '../refusal.ts';
import type { Domain, Federation } from '../registry.ts';
import type { Endpoint } from '../transport.ts';

/** Who asks for a list, and how long that may take. */
export interface ListCaller {
  /** When to stop waiting, in ms since the epoch. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** W3C traceparent. */
  readonly trace: string;
  /** False fails instead of answering in part. */
  readonly allowPartial: boolean;
}

/** A list, and how much of the federation it is of. */
export interface ListResult<T> {
  readonly values: readonly T[];
  readonly coverage: Coverage;
  /** What there is to warn of beside what the coverage says. */
  readonly warnings: readonly string[];
}

/** What every domain is asked for a list, and how its answer is read. */
export interface DomainList<A> {
  readonly endpoint: Endpoint;
  /** A domain that none of them can pick anything of is not asked; none asks every domain. */
  readonly selectors: readonly VectorSelector[];
  /** The times that are asked about; undefined for a list that has none. */
  readonly range: TimeRange | undefined;
  body(id: Uint8Array, timeLeftMs: number): Uint8Array;
  /** Throws `bad_data` for what no honest domain answers. */
  decode(bytes: Uint8Array, id: Uint8Array, domain: string): A;
}

type Listing = { readonly status: DomainStatus } & (object | { readonly refusal: Refusal });

/** An answer that is no refusal. */
export type Told<A> = Exclude<A, { readonly refusal: Refusal }>;

/**
 * Asks every domain that could hold something, and gives what they told with the domains' names. A domain that fails or refuses
 * leaves the list partial; fails when none of those asked tells anything, and when an incomplete list is not wanted.
 */
export async function askForList<A extends Listing>(
  list: DomainList<A>,
  caller: ListCaller,
  { registry, domainLabel }: Federation,
): Promise<{
  readonly told: readonly { readonly domain: string; readonly answer: Told<A> }[];
  readonly coverage: Coverage;
}> {
  const { selectors } = list;
  const range = list.range === undefined || isBoundless(list.range) ? undefined : list.range;
  const mayHold = ({ config }: Domain): boolean =>
    selectors.length === 0 || selectors.some((selector) => mayReadFrom(selector, domainLabel, config.name));
  const answers = await Promise.all(
    registry.map(async (domain) => ({
      domain,
      answer: mayHold(domain) ? givenUp(await ask(domain, list, caller)) : undefined,
    })),
  );
  const refusals: ComityError[] = [];
  const told: { readonly domain: string; readonly answer: Told<A> }[] = [];
  const coverage = summariseCoverage(
    answers.map(({ domain, answer }) => {
      const { name } = domain.config;
      if (answer?.ok !== true) return listCoverage(domain, answer, range);
      const { value } = answer;
      if (!('refusal' in value)) {
        told.push({ domain: name, answer: value as Told<A> });
        return listCoverage(domain, answer, range);
      }
      const { code, words } = refusalWords(value.refusal, name, undefined);
      refusals.push(new ComityError(code, `${code}: ${words}`));
      return listCoverage(domain, answer, range, `${code}: ${words}`);
    }),
  );
  if (told.length === 0 && answers.some(({ answer }) => answer !== undefined)) {
    // The refusal speaks first: it holds however many domains come back.
    throw refusals[0] ?? new IncompleteError(coverage);
  }
  if (!coverage.complete && !caller.allowPartial) throw new IncompleteError(coverage);
  return { told, coverage };
}

/** Whether a range is of all time on some side, which has no date. */
function isBoundless({ fromMs, toMs }: TimeRange): boolean {
  return fromMs === Number.MIN_SAFE_INTEGER || toMs === Number.MAX_SAFE_INTEGER;
}

function ask<A extends Listing>(
  domain: Domain,
  list: DomainList<A>,
  { deadlineMs, signal, trace }: ListCaller,
): Promise<Answer<A>> {
  const prepare = () => {
    const id = newRequestId();
    return {
      body: (timeLeftMs: number) => list.body(id, timeLeftMs),
      decode: (bytes: Uint8Array) => list.decode(bytes, id, domain.config.name),
    };
  };
  return askDomain(domain, { endpoint: list.endpoint, prepare, deadlineMs, signal, trace });
}

/** What a domain that gave up says of itself: such an answer is none. */
function givenUp<A extends Listing>(answer: Answer<A>): Answer<A> {
  if (!answer.ok || !('refusal' in answer.value)) return answer;
  switch (answer.value.refusal.code) {
    case 'timeout':
      return { ok: false, outcome: 'timeout', reason: 'it stopped at the deadline' };
    case 'source_unavailable':
      return { ok: false, outcome: 'unreachable', reason: 'the server that its agent asks does not answer' };
    default:
      return answer;
  }
}

/** Throws `bad_data` for a series that does not say it is the domain's. */
export function assertOwn(labels: Labels, domainLabel: string, domain: string): void {
  const said = labelValue(labels, domainLabel);
  if (said !== domain) throw new ComityError('bad_data', 'it told of series of another domain');
}

/** What a list of this kind leaves out by policy, in words; undefined where no policy does. */
export function selectiveWarning(
  what: string,
  told: readonly { readonly domain: string; readonly answer: { readonly isSelective: boolean } }[],
): string | undefined {
  const domains = told.flatMap(({ domain, answer }) => (answer.isSelective ? [domain] : []));
  if (domains.length === 0) return undefined;
  return (
    `${what} may be missing by policy: ${domains.join(', ')} let${domains.length === 1 ? 's' : ''} out only those of open ` +
    'metrics whose labels all may leave'
  );
}
