import { BundleError } from '../policy/bundle.ts';
import { restoredBundle, type AcceptedBundle, type BundleMark, type BundleTaker } from '../policy/bundle-chain.ts';
import { openPolicy, type DenyReason, type Policy, type PolicyTexts } from '../policy/document.ts';
import { readPolicyFile, writePolicyFile, type PolicyFile } from './policy-file.ts';

/** What an agent knows of its policy from before it was started. */
export interface KeptPolicy {
  readonly accepted: AcceptedBundle | undefined;
  /** The latest bundle that was in force. */
  readonly mark: BundleMark | undefined;
  /** Why all is denied where bundles are taken and none was accepted, and in more words. */
  readonly lost: DenyReason;
  readonly lostTo: unknown;
  /** The documents that were last in force. */
  readonly layers: PolicyTexts['layers'];
}

/** Reads what is kept; `mark` is the latest bundle of which the ledger knows. Never throws: what is lost denies. */
export function readKeptPolicy(
  path: string | undefined,
  mark: BundleMark | undefined,
  taker: BundleTaker | undefined,
): KeptPolicy {
  let kept: PolicyFile | undefined;
  let last = mark;
  try {
    kept = path === undefined ? undefined : readPolicyFile(path);
    last = later(mark, kept?.mark);
    const accepted =
      taker === undefined || kept?.bundle === undefined
        ? undefined
        : restoredBundle(kept.bundle, kept.history, last, taker);
    const lost = last === undefined ? 'unreadable' : 'rolled back';
    return { accepted, mark: last, lost, lostTo: 'no policy bundle has been taken yet', layers: kept?.layers ?? [] };
  } catch (error) {
    const lost = error instanceof BundleError && error.fault === 'version' ? 'rolled back' : 'unreadable';
    return { accepted: undefined, mark: last, lost, lostTo: error, layers: kept?.layers ?? [] };
  }
}

/** Writes down what a restart has to know; on disk when it returns. Throws `unavailable`. */
export function keepPolicy(
  path: string | undefined,
  { accepted, mark, layers }: Pick<KeptPolicy, 'accepted' | 'mark' | 'layers'>,
): void {
  if (path === undefined) return;
  writePolicyFile(path, {
    v: 1,
    ...(accepted === undefined ? {} : { bundle: accepted.text }),
    ...(mark === undefined ? {} : { mark: { version: mark.version, digest: mark.digest } }),
    history: [...(accepted?.history ?? [])],
    layers: [...layers],
  });
}

/** The policy of documents that were in force; undefined where they can be read no more. */
export function policyBefore(
  { layers }: KeptPolicy,
  about: Pick<PolicyTexts, 'domain' | 'domainLabel'>,
): Policy | undefined {
  try {
    return layers.length === 0 ? undefined : openPolicy({ ...about, layers });
  } catch {
    return undefined;
  }
}

function later(a: BundleMark | undefined, b: BundleMark | undefined): BundleMark | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.version >= a.version ? b : a;
}
