import { ComityError, type ErrorCode } from '../base/errors.ts';
import type { FragmentRecord, ReleaseKind } from '../ledger/leaf.ts';
import { encodeLedgerAnswer, type LedgerAnswer } from '../plan/frames/ledger-codec.ts';
import { encodeReleased } from '../plan/frames/receipt-codec.ts';
import { encodeErrorAnswer } from '../plan/frames/status-codec.ts';
import type { Policy } from '../policy/document.ts';
import type { Border } from './border.ts';
import { whileUnderWay } from './budget.ts';
import type { Asked } from './consumer.ts';
import { decisionOf } from './record.ts';
import { seal, type Released } from './released.ts';

/** What is written down of an answer. */
export interface Draft {
  readonly what: Exclude<ReleaseKind, 'error'>;
  /** The policy that has decided. */
  readonly policy: Policy;
  readonly fragments: readonly FragmentRecord[];
}

type Recording = Pick<Border, 'policy' | 'recorder'>;

/**
 * The only way out of a domain for what is told of it: first the record, then the answer with its receipt. An answer that
 * another policy has decided than the one in force is not sealed but fails with `overloaded`, so that it is asked again.
 */
export async function sealRecorded(
  { what, policy, fragments }: Draft,
  { body, consumer }: Asked,
  answer: Uint8Array,
  { policy: inForce, recorder }: Recording,
): Promise<Released> {
  assertInForce(policy, inForce());
  const decision = decisionOf(fragments);
  const draft = { what, policy: policy.digest, decision, fragments, consumer };
  const receipt = await whileUnderWay(recorder, decision === 'refused' ? 0 : answer.length, () =>
    recorder.record(draft, body, answer),
  );
  assertInForce(policy, inForce());
  return seal(what, encodeReleased(answer, receipt));
}

/**
 * The code of an error, without its words: they could tell of the data. What is said to somebody who has shown no token is a
 * constant and not recorded, or anybody could fill the ledger; so is that nothing can be recorded.
 */
export async function sealError(
  code: ErrorCode,
  asked: Asked | undefined,
  { policy, recorder }: Recording,
): Promise<Released> {
  const answer = encodeErrorAnswer(code);
  if (asked === undefined) return seal('error', answer);
  const { body, consumer } = asked;
  const draft = { what: 'error', policy: policy().digest, decision: 'refused', fragments: [], consumer } as const;
  try {
    await recorder.record(draft, body, answer);
  } catch {
    return seal('error', encodeErrorAnswer('unavailable'));
  }
  return seal('error', answer);
}

/** Proofs that the ledger has only grown: hashes, which tell of nothing that the ledger's own answers do not. */
export function sealProofs(answer: LedgerAnswer): Released {
  return seal('ledger', encodeLedgerAnswer(answer));
}

function assertInForce(decided: Policy, now: Policy): void {
  if (decided.digest === now.digest && decided.deniesAll === now.deniesAll) return;
  throw new ComityError('overloaded', 'the policy changed while the request was worked on. Ask again');
}
