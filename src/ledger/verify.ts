import type { NoteVerifier } from '../base/note-key.ts';
import { isFolder } from './reader.ts';
import { verifyExport } from './verify-export.ts';
import { verifyFile } from './verify-file.ts';
import type { VerifiedLedger, VerifyOptions } from './verify-parts.ts';

/**
 * Proves that a ledger (its SQLite file, or the folder of an export) is whole and is what its key has signed: every hash is
 * worked out anew from the leaves, and every leaf is read. Throws `bad_data` that begins with the first bad leaf, tile or
 * checkpoint, and `bad_config` where there is no ledger or no key for it.
 */
export function verifyLedger(path: string, keys: readonly NoteVerifier[], options: VerifyOptions = {}): VerifiedLedger {
  return isFolder(path) ? verifyExport(path, keys, options) : verifyFile(path, keys, options);
}
