import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { NoteVerifier } from '../base/note-key.ts';
import { base64 } from './checkpoint.ts';
import type { Leaf } from './leaf.ts';
import { HASH_BYTES, isEqual, leafHash, rootByInclusion } from './merkle.ts';
import { decodeLeaf } from './canonical.ts';
import { checkpointVerifier, named, type VerifyOptions, type WitnessedSize } from './verify-parts.ts';

/*
 * One leaf with all that it takes to prove it (https://c2sp.org/tlog-proof). The leaf itself is the extra data:
 *
 *     c2sp.org/tlog-proof@v1
 *     extra <leaf in base64>
 *     index 73894
 *     <hashes in base64, from the leaf's sibling up, a line each>
 *
 *     <checkpoint>
 */

const HEADER = 'c2sp.org/tlog-proof@v1';

/** Hashes from a leaf to the root: no log has more levels. */
const PROOF_LINES_MAX = 63;

/** What a proof says, before it is verified. */
export interface LeafProof {
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly proof: readonly Uint8Array[];
  readonly checkpoint: string;
}

/** What a proof has proved. */
export interface ProvedLeaf {
  readonly origin: string;
  readonly index: number;
  readonly size: number;
  readonly leaf: Leaf;
  readonly witnesses: readonly WitnessedSize[];
}

export function writeProof({ leaf, index, proof, checkpoint }: LeafProof): string {
  const lines = [HEADER, `extra ${text(leaf)}`, `index ${index}`, ...proof.map(text)];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

/** Throws `bad_data`. Nothing of it is verified. */
export function readProof(written: string): LeafProof {
  if (written.length > LIMITS.leafBytes * 2 + LIMITS.checkpointBytes) throw bad('it is too long');
  const gap = written.indexOf('\n\n');
  if (gap === -1) throw bad('there is no empty line before the checkpoint');
  const [header, extra = '', index = '', ...hashes] = written.slice(0, gap).split('\n');
  if (header !== HEADER) throw bad(`its first line is not ${HEADER}`);
  const leaf = extra.startsWith('extra ') ? base64(extra.slice('extra '.length)) : undefined;
  if (leaf === undefined) throw bad('its second line is not "extra" and the leaf in base64');
  const number = /^index (0|[1-9][0-9]{0,15})$/.exec(index)?.[1];
  if (number === undefined || !Number.isSafeInteger(Number(number)))
    throw bad('its third line is not "index" and a number');
  if (hashes.length > PROOF_LINES_MAX) throw bad(`it has more than ${PROOF_LINES_MAX} hashes`);
  const proof = hashes.map((line, i) => {
    const hash = base64(line);
    if (hash?.length !== HASH_BYTES) throw bad(`hash ${i} is not ${HASH_BYTES} bytes in base64`);
    return hash;
  });
  return { leaf, index: Number(number), proof, checkpoint: written.slice(gap + 2) };
}

/** Proves that the log of one of the keys has the leaf. Throws `bad_data` that begins with leaf, proof or checkpoint. */
export function verifyProof(written: string, keys: readonly NoteVerifier[], options: VerifyOptions = {}): ProvedLeaf {
  const { leaf, index, proof, checkpoint } = readProof(written);
  const verifier = checkpointVerifier(checkpoint, keys, options);
  const { origin, size, root } = verifier.open(checkpoint, 'checkpoint');
  const proved = rootByInclusion(index, size, leafHash(leaf), proof);
  if (proved === undefined || !isEqual(proved, root)) {
    throw new ComityError(
      'bad_data',
      `leaf ${index}: the proof does not lead from it to the checkpoint of ${size} leaves`,
    );
  }
  return { origin, index, size, leaf: named(`leaf ${index}`, () => decodeLeaf(leaf)), witnesses: verifier.witnesses() };
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function bad(fault: string): ComityError {
  return new ComityError('bad_data', `proof: ${fault}`);
}
