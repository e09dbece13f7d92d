import type { NoteVerifier } from '../../base/note-key.ts';
import { ComityError } from '../../base/errors.ts';
import { openLedgerReader } from '../reader.ts';
import { verifyLedger } from '../verify.ts';
import type { VerifyOptions } from '../verify-parts.ts';
import { complianceReport, type ComplianceReport, type ReportOptions } from './report.ts';

/**
 * Verifies the log at `path` (its SQLite file, or an export of it) by the keys, and reports on it. Throws what `verifyLedger`
 * throws: of a log that does not hold there is no report.
 */
export function makeReport(
  path: string,
  keys: readonly NoteVerifier[],
  options: ReportOptions,
  verifying: VerifyOptions = {},
): ComplianceReport {
  if (options.fromMs >= options.toMs) throw new ComityError('bad_data', 'the period ends before it begins');
  const { origin, key, size, root, witnesses } = verifyLedger(path, keys, verifying);
  const reader = openLedgerReader(path);
  try {
    const ledger = { origin, key, size, root: Buffer.from(root).toString('base64'), witnesses };
    return complianceReport(ledger, reader.entries(0, size), options);
  } finally {
    reader.close();
  }
}
