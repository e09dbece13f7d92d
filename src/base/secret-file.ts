import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, linkSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ComityError, messageOf } from './errors.ts';

/** Longer files are no keys. */
const SECRET_BYTES_MAX = 4096;

/**
 * The bytes of a file that its owner alone may read; undefined when there is none. `what` names it in errors. Throws
 * `bad_config` when it is no regular file, can be used by others, belongs to another user or is too long.
 */
export function readSecretFile(path: string, what: string): Buffer | undefined {
  return orBadConfig(path, what, () => read(path, what));
}

/**
 * The same, of a file that is made from `secret()` where there is none: readable by its owner alone, durable, and there as a
 * whole or not at all. Where another process makes it at the same moment, the file that is there counts.
 */
export function openSecretFile(
  path: string,
  what: string,
  secret: () => Uint8Array,
): { readonly bytes: Buffer; readonly created: boolean } {
  return orBadConfig(path, what, () => {
    const found = read(path, what);
    if (found !== undefined) return { bytes: found, created: false };
    const created = create(path, secret());
    const bytes = read(path, what);
    if (bytes === undefined) throw new ComityError('bad_config', `${what} ${path} vanished while it was opened`);
    return { bytes, created };
  });
}

/** Makes the file; throws `bad_config` where there is one already. */
export function makeSecretFile(path: string, what: string, secret: Uint8Array): void {
  orBadConfig(path, what, () => {
    if (!create(path, secret)) throw refusal(path, what, 'is there already; nothing was changed. Name another file');
  });
}

function orBadConfig<T>(path: string, what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ComityError) throw error;
    throw new ComityError('bad_config', `cannot open ${what} ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function read(path: string, what: string): Buffer | undefined {
  // A pipe without a writer would keep `open` waiting for ever.
  const file = openIfThere(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (file === undefined) return undefined;
  try {
    // What was opened is checked, so that nobody can put another file in between.
    const stat = fstatSync(file);
    if (!stat.isFile()) throw refusal(path, what, 'is no regular file');
    checkOwner(path, what, stat);
    if (stat.size > SECRET_BYTES_MAX) throw refusal(path, what, `has ${stat.size} bytes, which is too long`);
    const bytes = Buffer.alloc(stat.size);
    if (readSync(file, bytes, 0, stat.size, 0) !== stat.size) {
      throw refusal(path, what, 'became shorter while it was read');
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function checkOwner(path: string, what: string, stat: { mode: number; uid: number }): void {
  const user = process.geteuid?.();
  // Windows has neither owners by number nor modes.
  if (user === undefined) return;
  if (stat.uid !== user && stat.uid !== 0) throw refusal(path, what, `belongs to user ${stat.uid}, not to ${user}`);
  if ((stat.mode & 0o077) !== 0) {
    throw refusal(path, what, `has mode ${(stat.mode & 0o777).toString(8)}: others can use it (chmod 600 it)`);
  }
}

/** False when the file is there already. */
function create(path: string, secret: Uint8Array): boolean {
  const draft = `${path}.${randomBytes(8).toString('hex')}.new`;
  const file = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeSync(file, secret);
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

function refusal(path: string, what: string, fault: string): ComityError {
  return new ComityError('bad_config', `${what} ${path} ${fault}`);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
