import type { DomainStatus } from '../plan/frames/status-codec.ts';
import type { Policy } from '../policy/document.ts';
import type { Border } from './border.ts';

/** What the domain says of itself with every answer. By a policy that denies all, no more than which policy that is. */
export function releasedStatus(border: Pick<Border, 'status'>, policy: Policy): DomainStatus {
  const status = border.status();
  const { domain, bundleDigest, bundleVersion } = status;
  if (policy.deniesAll === undefined) return { ...status, policyDigest: policy.digest };
  return {
    domain,
    policyDigest: policy.digest,
    policyState: policy.deniesAll,
    bundleDigest,
    bundleVersion,
    expectedStreams: 0,
    observedStreams: 0,
    settledUntilMs: 0,
    heldFromMs: 0,
    rawBytesHeld: 0,
    releasedBytes: 0,
    gaps: [],
  };
}
