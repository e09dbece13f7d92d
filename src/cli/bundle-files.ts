import { existsSync, statSync } from 'node:fs';
import { readText } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { verifierOf } from '../base/note-key.ts';
import { BUNDLE_BYTES, readBundle, type BundleKey, type BundleRole, type SealedBundle } from '../policy/bundle.ts';

/** Reads a bundle. Throws naming the file and what is wrong. */
export function readBundleFile(path: string): SealedBundle & { readonly text: string } {
  const text = boundedText(path);
  try {
    return { ...readBundle(text), text };
  } catch (error) {
    throw new ComityError('bad_data', `${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Digests as they are, and those of the bundles in files. */
export function digestOf(given: string): string {
  return /^[0-9a-f]{64}$/.test(given) ? given : readBundleFile(given).bundle.digest;
}

/**
 * Keys that bundles are verified by: each given as `role=key`, or as a file with one on each line; empty lines and those that
 * begin with # do not count. Throws `bad_config` naming what is wrong.
 */
export function bundleKeys(given: readonly string[]): readonly BundleKey[] {
  return given.flatMap((one) => {
    if (!existsSync(one)) return [keyOf(one, one)];
    const lines = boundedText(one).split('\n');
    return lines.flatMap((line, i) => {
      const text = line.trim();
      return text === '' || text.startsWith('#') ? [] : [keyOf(text, `${one}:${i + 1}`)];
    });
  });
}

function keyOf(text: string, where: string): BundleKey {
  const [, role, key] = /^(compliance|operator)=(.+)$/.exec(text) ?? [];
  if (role === undefined || key === undefined) {
    throw new ComityError('bad_config', `${where}: write compliance=KEY or operator=KEY, or name a file of such lines`);
  }
  try {
    return { role: role as BundleRole, verifier: verifierOf(key) };
  } catch (error) {
    throw new ComityError('bad_config', `${where}: ${messageOf(error)}`, { cause: error });
  }
}

function boundedText(path: string): string {
  if (existsSync(path) && statSync(path).size > BUNDLE_BYTES) {
    throw new ComityError('bad_data', `${path} has more than ${BUNDLE_BYTES} bytes`);
  }
  return readText(path);
}
