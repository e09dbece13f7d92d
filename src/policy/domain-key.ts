import { createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, linkSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ComityError } from '../base/errors.ts';

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
  try {
    const found = readRoot(path);
    if (found !== undefined) return { ...domainKeys(found), created: false };
    const created = createRoot(path);
    const root = readRoot(path);
    if (root === undefined) throw new ComityError('bad_config', `the domain key ${path} vanished while it was opened`);
    return { ...domainKeys(root), created };
  } catch (error) {
    if (error instanceof ComityError) throw error;
    throw new ComityError('bad_config', `cannot open the domain key ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Undefined when there is no file. Checks what was opened, so nobody can put another file in between. */
function readRoot(path: string): Uint8Array | undefined {
  // A pipe without a writer would keep `open` waiting for ever.
  const file = openIfThere(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (file === undefined) return undefined;
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw refusal(path, 'is no regular file');
    checkOwner(path, stat);
    if (stat.size !== ROOT_BYTES) throw refusal(path, `has ${stat.size} bytes instead of ${ROOT_BYTES}`);
    const root = Buffer.alloc(ROOT_BYTES);
    if (readSync(file, root, 0, ROOT_BYTES, 0) !== ROOT_BYTES) throw refusal(path, 'became shorter while it was read');
    if (root.every((byte) => byte === 0)) throw refusal(path, 'holds zeros only');
    return root;
  } finally {
    closeSync(file);
  }
}

function checkOwner(path: string, stat: { mode: number; uid: number }): void {
  const user = process.geteuid?.();
  // Windows has neither owners by number nor modes.
  if (user === undefined) return;
  if (stat.uid !== user && stat.uid !== 0) throw refusal(path, `belongs to user ${stat.uid}, not to ${user}`);
  if ((stat.mode & 0o077) !== 0) {
    throw refusal(path, `has mode ${(stat.mode & 0o777).toString(8)}: others can use it (chmod 600 it)`);
  }
}

/** False when another process was faster: its key counts. The file appears whole or not at all, whenever this stops. */
function createRoot(path: string): boolean {
  const draft = `${path}.${randomBytes(8).toString('hex')}.new`;
  const file = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeSync(file, randomBytes(ROOT_BYTES));
    fsyncSync(file);
    linkSync(draft, path);
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    closeSync(file);
    rmSync(draft, { force: true });
  }
  syncFolder(dirname(path));
  return true;
}

/** A new name in a folder survives a loss of power only when the folder itself is flushed. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function openIfThere(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function refusal(path: string, fault: string): ComityError {
  return new ComityError('bad_config', `the domain key ${path} ${fault}; restore it from a backup or mend the file`);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
