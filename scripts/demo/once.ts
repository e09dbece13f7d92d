import { setTimeout as sleep } from 'node:timers/promises';
import { ask, federationStatus, isWhole } from './hub-client.ts';
import type { Answer, Coverage, Sample } from './hub-client.ts';
import type { RunFiles } from './files.ts';
import { proveDomain, type Proof } from './proof.ts';
import { ALL_QUERIES, REFUSED_QUERIES } from './queries.ts';

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
  /** Of each domain: its ledger and a receipt verified, and its report. */
  readonly proofs: readonly Proof[];
  /** From the demo's start to the moment at which every query had been answered completely. */
  readonly secondsToFirstCompleteAnswer: number;
}

/** Answers not complete by then will not become so: the services export every two seconds. */
const WHOLE_WITHIN_MS = 60_000;

const ASK_AGAIN_MS = 2_000;

/** Asks every query until all have a complete answer with every service in it, then the refused ones, then for the proofs. */
export async function answerOnce(
  { hub: { url: hubUrl }, agents }: RunFiles,
  signal: AbortSignal,
  report: (line: string) => void,
): Promise<OnceDocument> {
  const queries = await wholeAnswers(hubUrl, signal, report);
  const secondsToFirstCompleteAnswer = Math.round(performance.now()) / 1_000;
  const refused: OnceDocument['refused'][number][] = [];
  for (const { title, query } of REFUSED_QUERIES) {
    refused.push({ title, query, error: await refusalOf(hubUrl, query) });
  }
  const status = await federationStatus(hubUrl);
  const proofs = await Promise.all(agents.map((one) => proveDomain(hubUrl, one)));
  return {
    queries,
    bytes: status.map((one) => ({ domain: one.domain, crossed: one.bytesReceived, rawHeld: one.bytesRawHeld })),
    hub: hubUrl,
    refused,
    proofs,
    secondsToFirstCompleteAnswer,
  };
}

/** The hub's refusal of a query, or the words of the domain that refused it; throws when nobody refuses it. */
export async function refusalOf(hubUrl: string, query: string): Promise<string> {
  const answer = await ask(hubUrl, query);
  if (!answer.ok && answer.error.startsWith('refused')) return answer.error;
  const refusing = answer.ok ? answer.coverage.domains.filter((one) => one.status === 'refused') : [];
  if (refusing.length === 0)
    throw new Error(`a policy should refuse ${query}, but the hub says: ${outcomeText(answer)}`);
  return refusing.map((one) => `${one.domain}: ${one.reason ?? 'refused'}`).join('; ');
}

/** Asks everything at once, again and again, until all answers of one round are whole. */
async function wholeAnswers(
  hubUrl: string,
  signal: AbortSignal,
  report: (line: string) => void,
): Promise<OnceDocument['queries']> {
  const deadlineMs = performance.now() + WHOLE_WITHIN_MS;
  let wholeBefore: number | undefined;
  for (;;) {
    const round = await Promise.all(ALL_QUERIES.map(async (one) => ({ ...one, answer: await ask(hubUrl, one.query) })));
    const whole: OnceDocument['queries'][number][] = [];
    const missing: string[] = [];
    for (const { title, query, series, answer } of round) {
      if (isWhole(answer, series)) whole.push({ title, query, answer: answer.result, coverage: answer.coverage });
      else missing.push(`\n  ${title}: ${outcomeText(answer)}`);
    }
    if (whole.length !== wholeBefore) report(`${whole.length} of ${round.length} queries answered completely`);
    wholeBefore = whole.length;
    if (missing.length === 0) return whole;
    if (performance.now() > deadlineMs) {
      throw new Error(`no complete answer within ${WHOLE_WITHIN_MS / 1_000} s to${missing.join('')}`);
    }
    await sleep(ASK_AGAIN_MS, undefined, { signal });
  }
}

function outcomeText(answer: Answer): string {
  if (!answer.ok) return answer.error;
  const domains = answer.coverage.domains.map((one) => `${one.domain} ${one.status} ${one.observed}/${one.expected}`);
  return `${answer.result.length} series; ${domains.join(', ')}; ${answer.warnings.join('; ')}`;
}
