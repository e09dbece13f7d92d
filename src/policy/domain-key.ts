import { createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import { ComityError } from '../base/errors.ts';
import { openSecretFile } from '../base/secret-file.ts';

/** The keys of a domain. They are derived where they are used; the root itself is handed to nobody. */
export interface DomainKeys {
  /** 32 bytes for one purpose and epoch: equal for equal ones, and none tells anything of another. */
  derive(name: string, epoch: number): Uint8Array;
}

export const ROOT_BYTES = 32;

/** Keys derived from a root by HKDF-SHA-256 (RFC 5869). Throws `bad_config` unless the root has 32 bytes. */
export function domainKeys(root: Uint8Array): DomainKeys {
  if (root.length !== ROOT_BYTES) {
    throw new ComityError('bad_config', `a domain key has ${ROOT_BYTES} bytes, not ${root.length}`);
  }
  // In a key object, whose bytes no log prints and no structured clone carries.
  const secret = createSecretKey(root);
  return {
    derive: (name, epoch) => new Uint8Array(hkdfSync('sha256', secret, '', `comity ${epoch} ${name}`, ROOT_BYTES)),
  };
}

/**
 * The keys of the domain whose root is in the file, 32 random bytes. A missing file is made, readable by its owner alone
 * and durable; `created` then says so: pseudonyms made under another key mean nothing any more.
 *
 * Throws `bad_config`, and never makes a new key in place of one, when the file is no regular file, can be read or written
 * by others, belongs to another user, has another length or holds zeros only, as after a loss of power.
 */
export function openDomainKeys(path: string): DomainKeys & { readonly created: boolean } {
  const { bytes, created } = openSecretFile(path, 'the domain key', () => randomBytes(ROOT_BYTES));
  if (bytes.length !== ROOT_BYTES) throw refusal(path, `has ${bytes.length} bytes instead of ${ROOT_BYTES}`);
  if (bytes.every((byte) => byte === 0)) throw refusal(path, 'holds zeros only');
  return { ...domainKeys(bytes), created };
}

function refusal(path: string, fault: string): ComityError {
  return new ComityError('bad_config', `the domain key ${path} ${fault}; restore it from a backup or mend the file`);
}
