import { setTimeout as sleep } from 'node:timers/promises';
import { ask, federationStatus, isCompleteAndNonEmpty } from './hub-client.ts';
import type { Answer, Coverage, Sample } from './hub-client.ts';
import { ALL_QUERIES, REFUSED_QUERIES } from './queries.ts';
import type { DemoQuery } from './queries.ts';

/** What `--once --json` prints. */
export interface OnceDocument {
  readonly queries: readonly {
    readonly title: string;
    readonly query: string;
    readonly answer: readonly Sample[];
    readonly coverage: Coverage;
  }[];
  /** Bytes that left each domain, and bytes of raw telemetry held there. */
  readonly bytes: readonly { readonly domain: string; readonly crossed: number; readonly rawHeld: number }[];
  readonly hub: string;
  readonly refused: readonly { readonly title: string; readonly query: string; readonly error: string }[];
  /** From the demo's start to the moment at which every query had been answered completely. */
  readonly secondsToFirstCompleteAnswer: number;
}

/** Answers not complete by then will not become so: the services export every two seconds. */
const COMPLETE_WITHIN_MS = 60_000;

const ASK_AGAIN_MS = 500;

/** Asks every query until each has had a complete, non-empty answer, then those that are refused, then the bytes. */
export async function answerOnce(
  hubUrl: string,
  signal: AbortSignal,
  report: (line: string) => void,
): Promise<OnceDocument> {
  const deadlineMs = performance.now() + COMPLETE_WITHIN_MS;
  const queries: OnceDocument['queries'][number][] = [];
  for (const { title, query } of ALL_QUERIES) {
    const { result, coverage } = await completeAnswer(hubUrl, { title, query }, deadlineMs, signal);
    queries.push({ title, query, answer: result, coverage });
    report(`answered: ${title}`);
  }
  const secondsToFirstCompleteAnswer = Math.round(performance.now()) / 1_000;
  const refused: OnceDocument['refused'][number][] = [];
  for (const { title, query } of REFUSED_QUERIES) {
    refused.push({ title, query, error: await refusalOf(hubUrl, query) });
  }
  const status = await federationStatus(hubUrl);
  return {
    queries,
    bytes: status.map((one) => ({ domain: one.domain, crossed: one.bytesReleased, rawHeld: one.bytesRawHeld })),
    hub: hubUrl,
    refused,
    secondsToFirstCompleteAnswer,
  };
}

/** The hub's refusal of a query, or the words of the domain that refused it; throws when nobody does. */
export async function refusalOf(hubUrl: string, query: string): Promise<string> {
  const answer = await ask(hubUrl, query);
  if (!answer.ok) return answer.error;
  const refusing = answer.coverage.domains.filter((one) => one.status === 'refused');
  if (refusing.length === 0) throw new Error(`the policies of the demo should refuse ${query}, but it was answered`);
  return refusing.map((one) => `${one.domain}: ${one.reason ?? 'refused'}`).join('; ');
}

async function completeAnswer(
  hubUrl: string,
  { title, query }: DemoQuery,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Extract<Answer, { ok: true }>> {
  for (;;) {
    const answer = await ask(hubUrl, query);
    if (answer.ok && isCompleteAndNonEmpty(answer)) return answer;
    if (performance.now() > deadlineMs) {
      throw new Error(`no complete answer within ${COMPLETE_WITHIN_MS / 1_000} s: ${title}\n  ${outcomeText(answer)}`);
    }
    await sleep(ASK_AGAIN_MS, undefined, { signal });
  }
}

function outcomeText(answer: Answer): string {
  if (!answer.ok) return answer.error;
  const domains = answer.coverage.domains.map((one) => `${one.domain} ${one.status} ${one.observed}/${one.expected}`);
  return `${answer.result.length} series; ${domains.join(', ')}; ${answer.warnings.join('; ')}`;
}
