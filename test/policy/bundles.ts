import { newKey, signerOf, verifierOf, type NoteSigner } from '../../src/base/note-key.ts';
import { readBundle, sealBundle, type BundleDraft, type BundleKey } from '../../src/policy/bundle.ts';

/** Whoever may sign, with the keys that agents know them by. */
export interface Signers {
  readonly compliance: NoteSigner;
  readonly operator: NoteSigner;
  /** Of neither role. */
  readonly stranger: NoteSigner;
  readonly keys: readonly BundleKey[];
}

export function newSigners(): Signers {
  const [compliance, operator, stranger] = ['compliance', 'operator', 'stranger'].map((name) =>
    newKey(`${name}.example`),
  );
  return {
    compliance: signerOf(compliance!.skey),
    operator: signerOf(operator!.skey),
    stranger: signerOf(stranger!.skey),
    keys: [
      { role: 'compliance', verifier: verifierOf(compliance!.vkey) },
      { role: 'operator', verifier: verifierOf(operator!.vkey) },
    ],
  };
}

/** A bundle's text and its digest. */
export interface MadeBundle {
  readonly text: string;
  readonly digest: string;
  readonly version: number;
}

/** A bundle for domain eu that follows another one, with what a test changes. */
export function bundleAfter(
  before: MadeBundle | undefined,
  document: string,
  signers: readonly NoteSigner[],
  changes: Partial<BundleDraft> = {},
): MadeBundle {
  const draft: BundleDraft = {
    version: (before?.version ?? 0) + 1,
    created: '2026-01-01T00:00:00Z',
    expires: '2027-01-01T00:00:00Z',
    previous: before?.digest ?? '',
    documents: { domains: { eu: document } },
    ...changes,
  };
  const text = sealBundle(draft, signers);
  return { text, digest: readBundle(text).bundle.digest, version: draft.version };
}
