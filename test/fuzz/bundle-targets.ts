import { readBundle, signersOf, type BundleDraft } from '../../src/policy/bundle.ts';
import { bundleAfter, newSigners } from '../policy/bundles.ts';
import type { Random } from '../random.ts';
import type { FuzzTarget } from './target.ts';

const { compliance, operator, keys } = newSigners();

/** Signed policy bundles, as a hub that is not to be trusted hands them out. */
export function bundleTargets(): FuzzTarget[] {
  return [
    {
      name: 'policy-bundle',
      valid: (random) =>
        Buffer.from(bundleAfter(undefined, 'version: 1\ndomain: eu\n', [compliance], changes(random)).text),
      decode(input) {
        const sealed = readBundle(Buffer.from(input).toString('utf8'));
        signersOf(sealed, keys);
      },
    },
    {
      name: 'policy-bundle-payload',
      // The envelope holds whatever payload, signed: what a signature is for is not that it can be read.
      valid(random) {
        const { payload } = readBundle(
          bundleAfter(undefined, 'version: 1\ndomain: eu\n', [operator], changes(random)).text,
        );
        return payload;
      },
      decode(input) {
        const envelope = {
          payloadType: 'application/vnd.comity.policy-bundle+json',
          payload: Buffer.from(input).toString('base64'),
          signatures: [{ keyid: 'a', sig: '' }],
        };
        const { bundle } = readBundle(JSON.stringify(envelope));
        if (!Number.isSafeInteger(bundle.version) || !(bundle.createdMs < bundle.expiresMs)) {
          throw new Error('a bundle without a version or without a time in force');
        }
        if (bundle.version > 1 && bundle.previous === '') throw new Error('a later bundle that follows none');
      },
    },
  ];
}

function changes(random: Random): Partial<BundleDraft> {
  const text = (): string => random.pick(['version: 1\ndomain: eu\n', '"é\\', ' ', '{}', 'metrics: []\n'.repeat(20)]);
  return {
    documents: {
      ...(random.chance(0.5) ? { global: text() } : {}),
      domains: Object.fromEntries(random.subset(['eu', 'us', 'ap-south', '4711'], 0.5).map((name) => [name, text()])),
    },
    ...(random.chance(0.2) ? { canary: true as const } : {}),
  };
}
