import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newKey, signerOf, verifierOf, type NoteVerifier } from '../../src/base/note-key.ts';
import { exportLedger } from '../../src/ledger/export.ts';
import { leafWriter } from '../../src/ledger/leaf-writer.ts';
import type { ReleaseDraft } from '../../src/ledger/leaf.ts';
import { ledgerOrigin, openLedger } from '../../src/ledger/open-ledger.ts';
import { openRecorder } from '../../src/ledger/recorder.ts';
import { cosignatureLine } from '../../src/ledger/witness.ts';

/** A ledger on disk with leaves of every kind, and an export of it. */
export interface FilledLedger {
  readonly file: string;
  /** The folder of the export. */
  readonly folder: string;
  readonly size: number;
  /** Of the log and of its witness. */
  readonly keys: readonly NoteVerifier[];
  remove(): void;
}

export const WITNESSED = 3;
export const NOW_MS = Date.UTC(2026, 10, 22, 8, 5);

export const DRAFT: ReleaseDraft = {
  what: 'query',
  policy: 'p1',
  decision: 'partly',
  consumer: { name: 'hub', jurisdiction: 'US' },
  fragments: [
    {
      decision: 'released',
      metrics: ['http_requests_total'],
      operators: ['sum', 'rate'],
      dimensions: ['service'],
      from: '2026-11-22T07:05Z',
      to: '2026-11-22T08:05Z',
      step_seconds: 15,
      cells: '100-999',
      class: 'aggregate',
      min_series: 1,
    },
    {
      decision: 'refused',
      reason: 'class_sealed',
      metrics: ['salaries'],
      operators: ['sum'],
      dimensions: [],
      from: '2026-11-22T07:05Z',
      to: '2026-11-22T08:05Z',
      step_seconds: 15,
      cells: '0',
    },
  ],
};

/** `answers`: how many answers are recorded beside the start, a policy and what admission did. */
export async function filledLedger(answers: number): Promise<FilledLedger> {
  const base = mkdtempSync(join(tmpdir(), 'comity-ledger-'));
  const file = join(base, 'a.ledger.sqlite');
  const about = { domain: 'eu', agent: 'agent-1', now: () => NOW_MS };
  const ledger = await openLedger({ path: file, keyPath: join(base, 'a.key'), origin: ledgerOrigin('eu', 'agent-1') });
  const writer = leafWriter(ledger, about);
  const recorder = await openRecorder(ledger, { ...about, consumerKey: new Uint8Array(32) });
  await writer.start({ jurisdiction: 'EU', source: 'store' });
  const policy = {
    policy: 'p1',
    state: 'in force',
    layers: [],
    approvers: ['compliance'],
    loosening: true,
    changes: ['up'],
  } as const;
  await writer.policy(policy);
  const count = { place: 'series', rule: 'user', reason: 'subject', action: 'pseudonym', count: 7 };
  await writer.redaction(NOW_MS - 3_600_000, NOW_MS, [count]);
  const witness = signerOf(newKey('witness.example', 'cosignature').skey);
  await ledger.addCosignature(WITNESSED, cosignatureLine(ledger.head().checkpoint, witness, NOW_MS));
  const { consumer, ...rest } = DRAFT;
  await Promise.all(
    Array.from({ length: answers }, (_, i) =>
      recorder.record({ ...rest, consumer }, Buffer.from(`request ${i}`), Buffer.from(`answer ${i}`)),
    ),
  );
  const { size } = ledger.head();
  await ledger.close();
  const folder = join(base, 'export');
  exportLedger(file, folder);
  const keys = [verifierOf(ledger.vkey), verifierOf(witness.vkey)];
  return { file, folder, size, keys, remove: () => rmSync(base, { recursive: true }) };
}
