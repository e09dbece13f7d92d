import { createHash } from 'node:crypto';
import type { PolicyLeaf } from '../ledger/leaf.ts';
import type { AcceptedBundle } from '../policy/bundle-chain.ts';
import { changeText, policyDiff } from '../policy/diff.ts';
import type { Policy, PolicyTexts } from '../policy/document.ts';

/** What the ledger is told of a policy that comes into force; it adds who and when. */
export type PolicyChange = Omit<PolicyLeaf, 'v' | 'kind' | 'domain' | 'agent' | 'minute'>;

/** A policy with what it is made from. */
export interface MadePolicy {
  readonly texts: PolicyTexts;
  readonly policy: Policy;
  readonly accepted: AcceptedBundle | undefined;
}

/** Lines of a change that are written down, and characters of each: a leaf has 64 kB. */
const LINES_MAX = 50;
const LINE_CHARS_MAX = 300;

/** The change from one policy to another; from none, it is not known what was allowed before. */
export function policyChange(before: Policy | undefined, { texts, policy, accepted }: MadePolicy): PolicyChange {
  const changes = before === undefined ? [] : policyDiff(before, policy);
  const lines = changes.map((change) => changeText(change).slice(0, LINE_CHARS_MAX));
  const rest = lines.length - LINES_MAX;
  return {
    policy: policy.digest,
    state: policy.deniesAll === undefined ? 'in force' : 'deny all',
    ...(policy.deniesAll === undefined ? {} : { reason: policy.deniesAll }),
    ...(accepted === undefined ? {} : { bundle: bundleOf(accepted) }),
    layers: texts.layers.map(({ layer, text }) => ({ layer, digest: createHash('sha256').update(text).digest('hex') })),
    approvers: accepted?.approvers ?? [],
    loosening: changes.some(({ direction }) => direction !== 'stricter'),
    changes: rest > 0 ? [...lines.slice(0, LINES_MAX), `and ${rest} more`] : lines,
  };
}

function bundleOf({ bundle }: AcceptedBundle): NonNullable<PolicyChange['bundle']> {
  return { digest: bundle.digest, version: bundle.version, expires: new Date(bundle.expiresMs).toISOString() };
}
