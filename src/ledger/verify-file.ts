import { ComityError } from '../base/errors.ts';
import type { NoteVerifier } from '../base/note-key.ts';
import { readSignatureLine, type SignedCheckpoint } from './checkpoint.ts';
import { damageOf, openLedgerRows, type LedgerRows } from './ledger-db.ts';
import { isEqual, leafHash, subtreeIndex, treeHasher } from './merkle.ts';
import {
  bad,
  checkLeaf,
  checkpointVerifier,
  named,
  PROGRESS_LEAVES,
  type VerifiedLedger,
  type VerifyOptions,
} from './verify-parts.ts';

/** `verifyLedger` of a ledger's SQLite file: leaves, subtrees, and every checkpoint that was ever given out. */
export function verifyFile(path: string, keys: readonly NoteVerifier[], options: VerifyOptions): VerifiedLedger {
  let rows: LedgerRows | undefined;
  try {
    rows = openLedgerRows(path);
    return verifyRows(rows, keys, options);
  } catch (error) {
    const damage = error instanceof ComityError ? undefined : damageOf(error);
    if (damage === undefined) throw error;
    throw new ComityError('bad_data', `the file ${path} is damaged: ${damage}`, { cause: error });
  } finally {
    rows?.close();
  }
}

function verifyRows(rows: LedgerRows, keys: readonly NoteVerifier[], options: VerifyOptions): VerifiedLedger {
  const note = rows.lastCheckpoint();
  if (note === undefined) throw new ComityError('bad_config', 'checkpoint: there is none, so the ledger is empty');
  const verifier = checkpointVerifier(note, keys, options);
  const { origin } = verifier;
  const checkpoints = rows.checkpoints();
  const opened = (): SignedCheckpoint | undefined => {
    const next = checkpoints.next();
    return next.done === true ? undefined : verifier.open(next.value.note, `checkpoint of ${next.value.size} leaves`);
  };

  const subtrees = rows.subtrees();
  let index = 0;
  const tree = treeHasher((level, position, hash) => {
    const { value, done } = subtrees.next();
    const place = subtreeIndex(level, position);
    if (done === true || value.place !== place || !isEqual(value.hash, hash)) {
      throw bad(`leaf ${index}`, `subtree ${place} of the file has not the hash that follows from the leaves`);
    }
  });
  let given = 0;
  let next = opened();
  let last: SignedCheckpoint | undefined;
  for (const row of rows.leaves(0, Number.MAX_SAFE_INTEGER)) {
    if (row.index !== index) throw bad(`leaf ${index}`, 'it is missing');
    tree.add(leafHash(row.leaf));
    checkLeaf(row.leaf, index, origin);
    index++;
    while (next !== undefined && next.size <= index) {
      if (next.size < index || !isEqual(next.root, tree.root())) {
        throw bad(`checkpoint of ${next.size} leaves`, 'its root is not that of the leaves');
      }
      given++;
      last = next;
      next = opened();
    }
    if (index % PROGRESS_LEAVES === 0) options.onProgress?.(index, rows.size);
  }
  if (next !== undefined)
    throw bad(`leaf ${index}`, `it is missing: a checkpoint of ${next.size} leaves was given out`);
  if (subtrees.next().done !== true)
    throw bad(`leaf ${index}`, 'it is missing: the file has the hash of one more subtree');
  if (last?.size !== index) throw bad(`leaf ${last?.size ?? 0}`, 'no checkpoint covers it');
  cosignatures(rows, verifier);
  const { key } = verifier;
  return { origin, key: key.vkey, size: index, root: tree.root(), witnesses: verifier.witnesses(), checkpoints: given };
}

/** Every cosignature is of a checkpoint that was given out, which have all been proved by now. */
function cosignatures(rows: LedgerRows, verifier: ReturnType<typeof checkpointVerifier>): void {
  const lines = rows.cosignatures();
  let line = lines.next();
  if (line.done === true) return;
  for (const { size, note } of rows.checkpoints()) {
    const name = `checkpoint of ${size} leaves`;
    for (; line.done !== true && line.value.size <= size; line = lines.next()) {
      if (line.value.size < size) throw bad(`checkpoint of ${line.value.size} leaves`, 'it is cosigned and missing');
      const { line: text } = line.value;
      const signature = named(name, () => readSignatureLine(text.replace(/\n$/, '')));
      verifier.cosignature(verifier.open(note, name), signature, name);
    }
  }
  if (line.done !== true) throw bad(`checkpoint of ${line.value.size} leaves`, 'it is cosigned and missing');
}
