import { setImmediate } from 'node:timers/promises';
import { ComityError } from '../base/errors.ts';
import type { FragmentRecord } from '../ledger/leaf.ts';
import { encodeExplainAnswer, type Verdict } from '../plan/frames/explain-codec.ts';
import type { LedgerRequest } from '../plan/frames/ledger-codec.ts';
import {
  encodeQueryAnswer,
  type FragmentAnswer,
  type FragmentQuery,
  type QueryAnswer,
} from '../plan/frames/query-codec.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import { encodeStatusAnswer } from '../plan/frames/status-codec.ts';
import { checkInForce } from '../policy/check.ts';
import { answerFragment, type AnsweredFragment } from './answer-fragment.ts';
import { checkByteCount, checkRowCount } from './answer-limits.ts';
import type { Border } from './border.ts';
import type { Asked } from './consumer.ts';
import { explainFragment } from './explain-fragment.ts';
import { admitted, attempt, prepareAll, refused, type Prepared, type RefusedFragment } from './prepare.ts';
import { cellsOf, dimensionsOf, refusedRecord, releasedRecord, unreadRecord } from './record.ts';
import { releasedCoverage } from './release-coverage.ts';
import type { Released } from './released.ts';
import { releasedStatus } from './released-status.ts';
import { startRequest, type Request } from './request.ts';
import { sealProofs, sealRecorded } from './seal-recorded.ts';
import { selectedByCoverage } from './selected.ts';

/**
 * Answers a hub's fragments: for each, what `prepareAll` checks before anything is looked up; when there is room for all of
 * that, for each the evaluation and what `answerFragment` checks of it; then how much it is. A fragment that fails or cannot
 * be read is answered with a refusal; the others are answered all the same. What is decided is recorded, and then the answer
 * is sealed. Between fragments others of the process get their turn. `signal` says that nobody waits for the answer any more.
 */
export async function releaseQuery(
  query: FragmentQuery,
  asked: Asked,
  border: Border,
  signal: AbortSignal,
): Promise<Released> {
  const request = startRequest('query', query, asked, border, signal);
  const { policy } = request;
  if (query.fragments.length === 0 && checkInForce(policy) !== undefined) {
    throw new ComityError('refused', 'the policy of the domain lets nothing out');
  }
  const prepared = await prepareAll(request);
  return admitted(prepared, request, async () => {
    // What is stored from here on is late to the watermark in it, so that it is known not to be in this answer. A gap that is
    // filled from here on counts as one: so the answer may say that it lacks what it has, and never the other way round.
    const status = releasedStatus(border, policy);
    const late = border.late(query.since);
    const coverage = await releasedCoverage(query.coverage, policy, border, request);
    const answered: (Answered | RefusedFragment)[] = [];
    for (const one of prepared) {
      answered.push('refusal' in one ? one : await answer(one, request));
      await setImmediate();
    }
    const { fragments, bytes } = fit(answered, { id: query.id, status, coverage, late }, request);
    tellShadow(fragments, border);
    const records = [...fragments.map(recordOf), ...query.coverage.map(coverageRecord)];
    return sealRecorded({ what: 'query', policy, fragments: records }, asked, bytes, border);
  });
}

/** What a hub's fragments would come to: for each the refusal, or the rules that let it out and the series it draws on. */
export async function releaseExplain(
  query: FragmentQuery,
  asked: Asked,
  border: Border,
  signal: AbortSignal,
): Promise<Released> {
  const request = startRequest('explain', query, asked, border, signal);
  const { policy } = request;
  const prepared = await prepareAll(request);
  return admitted(prepared, request, async () => {
    const status = releasedStatus(border, policy);
    const verdicts: Verdict[] = [];
    const records: FragmentRecord[] = [];
    for (const one of prepared) {
      const verdict = 'refusal' in one ? one : await attempt(() => explainFragment(one, request));
      if ('refusal' in verdict) {
        verdicts.push({ refusal: verdict.refusal });
        records.push(recordOf('refusal' in one ? one : refused(one, verdict.refusal)));
      } else if ('selected' in one && one.selected !== undefined) {
        verdicts.push(verdict);
        records.push(releasedRecord(one.selected, [], verdict.series));
      }
      await setImmediate();
    }
    const bytes = encodeExplainAnswer({ id: query.id, status, verdicts });
    return sealRecorded({ what: 'explain', policy, fragments: records }, asked, bytes, border);
  });
}

/** The heartbeat: what `DomainStatus` has and nothing more. */
export async function releaseStatus(
  { id }: { readonly id: Uint8Array },
  asked: Asked,
  border: Border,
): Promise<Released> {
  const policy = border.policy();
  const bytes = encodeStatusAnswer({ id, status: releasedStatus(border, policy) });
  return sealRecorded({ what: 'status', policy, fragments: [] }, asked, bytes, border);
}

/**
 * Proofs that the ledger has only grown since it had some sizes. One that it has not reached is left out: the checkpoint that
 * is signed here says then that the ledger has shrunk.
 */
export async function releaseLedger(
  { sizes, id }: LedgerRequest,
  { ledger }: Pick<Border, 'ledger'>,
): Promise<Released> {
  if (ledger === undefined) throw new ComityError('not_found', 'no ledger is kept here that could be proved');
  const { size: reached } = ledger.head();
  const { proofs, checkpoint } = await ledger.consistency(sizes.filter((size) => size <= reached));
  return sealProofs({ id, checkpoint, proofs: proofs.map(({ proof }) => proof) });
}

/** A fragment with what is let out of it. */
type Answered = Pick<Prepared, 'fragment' | 'selected'> & AnsweredFragment;

async function answer(prepared: Prepared, request: Request): Promise<Answered | RefusedFragment> {
  const answered = await attempt(() => answerFragment(prepared, request));
  if ('refusal' in answered) return refused(prepared, answered.refusal);
  const { fragment, selected } = prepared;
  return { fragment, selected, ...answered };
}

interface Fitting {
  readonly fragments: readonly (Answered | RefusedFragment)[];
  readonly bytes: Uint8Array;
}

/** The answer, in which fragments are refused that pass what the policy lets out of rows and bytes at once, or today. */
function fit(
  answered: readonly (Answered | RefusedFragment)[],
  beside: Omit<QueryAnswer, 'fragments'>,
  { query, policy, border }: Request,
): Fitting {
  const { recorder } = border;
  const encode = (some: readonly (Answered | RefusedFragment)[]): Uint8Array =>
    encodeQueryAnswer({ ...beside, fragments: some.map(released) }, query.fragments);
  let rows = 0;
  const few = answered.map((one) => {
    if ('refusal' in one) return one;
    const refusal = checkRowCount(rows + one.rows.length, policy);
    if (refusal !== undefined) return refused(one, refusal);
    rows += one.rows.length;
    return one;
  });
  const whole = encode(few);
  const past = checkByteCount(whole.length, policy, recorder);
  if (past === undefined) return { fragments: few, bytes: whole };
  // It is too long: fragments stay as long as there is room, from the first on.
  const fragments: (Answered | RefusedFragment)[] = few.map((one) => ('refusal' in one ? one : refused(one, past)));
  for (const [i, one] of few.entries()) {
    const without = fragments[i]!;
    if ('refusal' in one) continue;
    fragments[i] = one;
    const refusal = checkByteCount(encode(fragments).length, policy, recorder);
    if (refusal !== undefined) fragments[i] = without;
  }
  return { fragments, bytes: encode(fragments) };
}

function released(one: Answered | RefusedFragment): FragmentAnswer {
  return 'refusal' in one ? { refusal: one.refusal } : { rows: one.rows, notes: one.notes };
}

function recordOf(one: Answered | RefusedFragment): FragmentRecord {
  if ('refusal' in one) {
    return one.selected === undefined ? unreadRecord(one.refusal) : refusedRecord(one.selected, one.refusal);
  }
  return releasedRecord(one.selected, dimensionsOf(one.rows), cellsOf(one.rows));
}

function coverageRecord(question: FragmentQuery['coverage'][number]): FragmentRecord {
  return releasedRecord(selectedByCoverage(question), [], question.grid.steps);
}

function tellShadow(fragments: readonly (Answered | RefusedFragment)[], { shadow }: Border): void {
  if (shadow === undefined) return;
  for (const one of fragments) {
    if (one.fragment === undefined) continue;
    const refusal: Refusal | undefined = 'refusal' in one ? one.refusal : undefined;
    shadow.decided(one.fragment, 'refusal' in one ? undefined : one.rows, refusal);
  }
}
