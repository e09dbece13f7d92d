import { traceIdOf } from '../../base/traceparent.ts';
import type { CoverageRuns } from '../../plan/frames/coverage-codec.ts';
import type { FragmentAnswer, QueryAnswer } from '../../plan/frames/query-codec.ts';
import type { RefusalCode } from '../../plan/frames/refusal-codec.ts';
import type { DomainStatus } from '../../plan/frames/status-codec.ts';
import type { TimeRange } from '../../plan/read-range.ts';
import { printExpr } from '../../promql/print.ts';
import type { Steps } from '../cache/steps.ts';
import { askDomain } from '../dispatch.ts';
import type { Answer, NoAnswer } from '../dispatch/attempt.ts';
import type { Domain, Federation, Replica } from '../registry.ts';
import type { Asking } from './asking.ts';
import { joinPieces, missingSteps } from './pieces.ts';
import { prepareRound, settle, windowAsk, type Known, type Reply, type Window, type WindowAsk } from './round.ts';

/** The answer to a window, wherever its steps were known from. */
export interface WindowAnswer {
  readonly status: DomainStatus;
  /** By column. */
  readonly fragments: readonly FragmentAnswer[];
  /** By question. */
  readonly coverage: readonly CoverageRuns[];
  /** Steps that were known, counted for each fragment. */
  readonly cachedSteps: number;
}

/**
 * How often a domain is asked for one window. What was known can turn out to be wrong with an answer, and is asked again; so
 * can that. The last time nothing is taken as known.
 */
const ROUNDS = 3;

/**
 * Asks a domain for a window: always, and at least the last step of each fragment, so that its policy decides anew about each
 * query; of the others those that the cache does not know. The answer says whether what was known still holds.
 */
export async function askWindow(
  domain: Domain,
  window: Window,
  asking: Asking,
  federation: Federation,
): Promise<Answer<WindowAnswer>> {
  const ask = windowAsk(window, domain, asking, federation);
  let before: (Known & { readonly replica: Replica }) | undefined;
  let anew = false;
  let wireBytes = 0;
  let tookMs = 0;
  for (let round = 1; ; round++) {
    anew ||= round === ROUNDS;
    const known = anew ? undefined : before;
    const given = await askOnce(ask, known, anew);
    if (!given.ok) {
      if (known === undefined) return given;
      // It was to add to what one replica knows; another one may know all.
      anew = true;
      continue;
    }
    wireBytes += given.wireBytes;
    tookMs += given.tookMs;
    const { replica, value } = given;
    const { status, read } = value;
    const gaveUp = gaveUpWith(read);
    if (gaveUp !== undefined) return gaveUp;
    const settled = settle(replica, value, ask);
    const answer = { ok: true, wireBytes, tookMs, replica } as const;
    const coverage = read.coverage.slice(0, window.coverage.length);
    if (read.fragments.some((one) => 'refusal' in one)) {
      return { ...answer, value: { status, fragments: refusedOf(value, window), coverage, cachedSteps: 0 } };
    }
    const isWhole = window.columns.every((column, i) => missingSteps(column, settled.pieces[i]!).length === 0);
    const cachedSteps = isWhole ? useKept(settled, value, ask) : undefined;
    if (cachedSteps !== undefined) {
      const fragments = window.columns.map((column, i) => joinPieces(column, settled.pieces[i]!));
      return { ...answer, value: { status, fragments, coverage, cachedSteps } };
    }
    before = { ...settled, replica };
    // All is asked where the use of what is kept cannot be written down, and where nobody tells what changes meanwhile.
    anew = isWhole || read.late === undefined;
  }
}

function askOnce(
  ask: WindowAsk,
  known: (Known & { readonly replica: Replica }) | undefined,
  anew: boolean,
): Promise<Answer<Reply>> {
  const { deadlineMs, signal, trace } = ask.asking;
  return askDomain(ask.domain, {
    endpoint: 'query',
    prepare: (replica) => prepareRound(replica, known, anew, ask),
    deadlineMs,
    signal,
    trace,
    window: timesRead(ask.window),
    only: known?.replica,
  });
}

/** The times that a window reads; undefined where it reads none that move with its steps. */
function timesRead({ columns }: Window): TimeRange | undefined {
  let range: TimeRange | undefined;
  for (const { key, steps } of columns) {
    const firstMs = key.startMs + steps.from * key.stepMs;
    const lastMs = key.startMs + (steps.to - 1) * key.stepMs;
    for (const read of key.reads) {
      if (read.fixed) continue;
      const fromMs = Math.min(range?.fromMs ?? Infinity, firstMs + read.fromMs);
      const toMs = Math.max(range?.toMs ?? -Infinity, lastMs + read.toMs);
      range = { fromMs, toMs };
    }
  }
  return range;
}

/** What a domain that gave up says of itself: such an answer is none. */
const GIVEN_UP: Partial<Record<RefusalCode, Omit<NoAnswer, 'ok'>>> = {
  timeout: { outcome: 'timeout', reason: 'it stopped at the deadline' },
  source_unavailable: { outcome: 'unreachable', reason: 'the server that its agent asks does not answer' },
};

function gaveUpWith({ fragments }: QueryAnswer): NoAnswer | undefined {
  for (const part of fragments) {
    const given = 'refusal' in part ? GIVEN_UP[part.refusal.code] : undefined;
    if (given !== undefined) return { ok: false, ...given };
  }
  return undefined;
}

/** By column, the first refusal of any of its steps; nothing is made of the others then. */
function refusedOf({ request, read }: Reply, { columns }: Window): readonly FragmentAnswer[] {
  return columns.map((_, index) => {
    const answers = read.fragments.filter((__, at) => request.asked[at]!.column === index);
    return answers.find((answer) => 'refusal' in answer) ?? { rows: [], notes: [] };
  });
}

/** Writes down which steps are taken from the cache, and counts them; undefined where that cannot be written. */
function useKept({ pieces, asOf }: Known, { request }: Reply, ask: WindowAsk): number | undefined {
  const { cache, audit } = ask.federation;
  if (cache === undefined || audit === undefined) return 0;
  let hits = 0;
  for (const [index, own] of pieces.entries()) {
    const steps = countSteps(own.filter(({ isKept }) => isKept));
    if (steps === 0) continue;
    hits += steps;
    const { fragment } = ask.window.columns[index]!;
    try {
      audit.write({
        time: new Date().toISOString(),
        event: 'cache_hit',
        trace: traceIdOf(ask.asking.trace),
        domain: ask.domain.config.name,
        answer: fragment.answer,
        fragment: printExpr(fragment.expr),
        steps,
        policy: asOf.digest,
      });
    } catch {
      return undefined;
    }
  }
  const asked = request.asked.filter(({ column }) => ask.window.columns[column]!.mayKeep);
  cache.used(hits, countSteps(asked.map(({ steps }) => steps)));
  return hits;
}

function countSteps(steps: readonly Steps[]): number {
  return steps.reduce((count, { from, to }) => count + to - from, 0);
}
