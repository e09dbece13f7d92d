import { createHash } from 'node:crypto';
import { messageOf } from '../base/errors.ts';
import { BundleError, readBundle, signersOf, type BundleKey, type PolicyBundle } from './bundle.ts';
import { openPolicy, type PolicyTexts } from './document.ts';
import { isLooserBeneath } from './diff.ts';

/** A bundle that an agent has put in force. */
export interface AcceptedBundle {
  readonly bundle: PolicyBundle;
  /** The envelope as it came. */
  readonly text: string;
  /** Names of the keys that signed it. */
  readonly approvers: readonly string[];
  /** Documents that were in force before, oldest first, each with the last bundle that had them. */
  readonly history: readonly PastDocuments[];
}

export interface PastDocuments {
  /** Of the documents that concern the domain. */
  readonly documents: string;
  readonly bundle: string;
}

/** The latest bundle that an agent is known to have had, should the bundle itself be lost. */
export interface BundleMark {
  readonly version: number;
  readonly digest: string;
}

/** Who takes bundles, and what it goes by. */
export interface BundleTaker {
  readonly domain: string;
  readonly domainLabel: string;
  readonly keys: readonly BundleKey[];
}

/** What an offered bundle is to its taker. */
export type Offered =
  | { readonly kind: 'in force' }
  | { readonly kind: 'next'; readonly accepted: AcceptedBundle }
  | { readonly kind: 'candidate'; readonly bundle: PolicyBundle };

/** Documents that are remembered; a federation that changes its policy every day brings back none of three years ago. */
const HISTORY_MAX = 1_000;

/**
 * What a bundle is after the one in force, or with none in force after the mark: the next one, a candidate, or itself. Throws
 * `BundleError` for one that is not to be taken.
 *
 * The rules: signed by a known key; not expired; a greater version, with the digest of the one before; documents that were in
 * force earlier only with `rollback_to` and compliance; and whatever would let more out only with compliance. The first that
 * an agent takes lets out more than nothing.
 */
export function offeredBundle(
  text: string,
  before: AcceptedBundle | undefined,
  mark: BundleMark | undefined,
  taker: BundleTaker,
  nowMs: number,
): Offered {
  const sealed = readBundle(text);
  const { bundle } = sealed;
  const signers = signersOf(sealed, taker.keys);
  if (signers.length === 0) {
    throw new BundleError('signature', `version ${bundle.version} is signed by none of the configured keys`);
  }
  if (bundle.digest === before?.bundle.digest) return { kind: 'in force' };
  if (bundle.expiresMs <= nowMs) {
    throw new BundleError(
      'expired',
      `version ${bundle.version} expired at ${new Date(bundle.expiresMs).toISOString()}`,
    );
  }
  assertNext(bundle, before?.bundle, mark);
  assertPolicy(bundle, taker);
  if (bundle.isCanary) return { kind: 'candidate', bundle };

  const approved = signers.some(({ role }) => role === 'compliance');
  const history = pastDocuments(before, taker.domain);
  assertRollback(bundle, before, history, approved, taker.domain);
  if (!approved) {
    const looser = looserIn(bundle, before?.bundle, taker);
    if (looser !== undefined) {
      throw new BundleError('loosening', `version ${bundle.version} ${looser}; that needs the signature of compliance`);
    }
  }
  return { kind: 'next', accepted: { bundle, text, approvers: signers.map(({ verifier }) => verifier.name), history } };
}

/**
 * The bundle that was in force when the agent stopped. Its chain was checked when it was taken; signatures are looked at
 * again. Throws `BundleError`.
 */
export function restoredBundle(
  text: string,
  history: readonly PastDocuments[],
  mark: BundleMark | undefined,
  taker: BundleTaker,
): AcceptedBundle {
  const sealed = readBundle(text);
  const { bundle } = sealed;
  const signers = signersOf(sealed, taker.keys);
  if (signers.length === 0) throw new BundleError('signature', 'what is kept is signed by none of the configured keys');
  if (
    mark !== undefined &&
    (bundle.version < mark.version || (bundle.version === mark.version && bundle.digest !== mark.digest))
  ) {
    throw new BundleError(
      'version',
      `version ${bundle.version} is kept, but version ${mark.version} was in force already`,
    );
  }
  assertPolicy(bundle, taker);
  return { bundle, text, approvers: signers.map(({ verifier }) => verifier.name), history };
}

/** The documents of a bundle that concern a domain, as layers of its policy. */
export function bundleLayers(bundle: PolicyBundle, domain: string): PolicyTexts['layers'] {
  const { global, domains, version } = bundle;
  const own = domains.get(domain);
  return [
    ...(global === undefined ? [] : [{ layer: 'global', source: `bundle ${version}: global`, text: global } as const]),
    ...(own === undefined ? [] : [{ layer: 'domain', source: `bundle ${version}: ${domain}`, text: own } as const]),
  ];
}

function assertNext(bundle: PolicyBundle, before: PolicyBundle | undefined, mark: BundleMark | undefined): void {
  const { version, previous, digest } = bundle;
  const last = before ?? mark;
  if (last === undefined) return;
  // Whoever has lost the bundle that was in force may have it again.
  if (before === undefined && version === last.version && digest === last.digest) return;
  if (version <= last.version) {
    throw new BundleError('version', `version ${version} is offered, but version ${last.version} is in force`);
  }
  if (previous === last.digest) return;
  // What lies between a mark and a later bundle nobody can check; compliance has to sign that one anyway.
  if (before === undefined && version > last.version + 1) return;
  throw new BundleError(
    'previous',
    `version ${version} does not follow version ${last.version} (${last.digest.slice(0, 12)}…): offer those between, or sign a new one that follows`,
  );
}

function assertPolicy(bundle: PolicyBundle, { domain, domainLabel }: BundleTaker): void {
  const layers = bundleLayers(bundle, domain);
  // A bundle may have nothing to say of a domain.
  if (layers.length === 0) return;
  try {
    openPolicy({ layers, domain, domainLabel });
  } catch (error) {
    throw new BundleError('policy', `version ${bundle.version}: ${messageOf(error)}`, { cause: error });
  }
}

function assertRollback(
  bundle: PolicyBundle,
  before: AcceptedBundle | undefined,
  history: readonly PastDocuments[],
  approved: boolean,
  domain: string,
): void {
  const documents = documentsDigest(bundle, domain);
  const isUnchanged = before !== undefined && documentsDigest(before.bundle, domain) === documents;
  const earlier = isUnchanged ? undefined : history.find((past) => past.documents === documents);
  const { rollbackTo, version } = bundle;
  if (earlier !== undefined && rollbackTo !== earlier.bundle) {
    throw new BundleError(
      'rollback',
      `version ${version} brings back documents of an earlier bundle; it must say so: rollback_to: ${earlier.bundle}`,
    );
  }
  if (rollbackTo === undefined) return;
  if (!approved) throw new BundleError('rollback', `version ${version} is a rollback, which compliance has to sign`);
  const named = history.find((past) => past.bundle === rollbackTo);
  if (named !== undefined && named.documents !== documents) {
    throw new BundleError('rollback', `version ${version} has other documents than the bundle that rollback_to names`);
  }
}

/** With those of the bundle in force as the latest. */
function pastDocuments(before: AcceptedBundle | undefined, domain: string): readonly PastDocuments[] {
  if (before === undefined) return [];
  const documents = documentsDigest(before.bundle, domain);
  const others = before.history.filter((past) => past.documents !== documents);
  return [...others, { documents, bundle: before.bundle.digest }].slice(-HISTORY_MAX);
}

function documentsDigest({ global, domains }: PolicyBundle, domain: string): string {
  const texts = [global ?? null, domains.get(domain) ?? null];
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex');
}

/** In what way a bundle would let out more than the one before, whatever the domain's own document says or will say. */
function looserIn(bundle: PolicyBundle, before: PolicyBundle | undefined, taker: BundleTaker): string | undefined {
  if (before === undefined) return 'is the first that this agent takes';
  if (bundle.expiresMs > before.expiresMs) return 'would stay in force for longer than the one before';
  const { domain } = taker;
  return isLooserBeneath(bundleLayers(before, domain), bundleLayers(bundle, domain), taker)
    ? 'lets out what the one before does not'
    : undefined;
}
