import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { SIGNATURE_BYTES, type NoteSigner, type NoteVerifier } from '../base/note-key.ts';
import { base64, readCheckpoint, signatureLine, type NoteSignature } from './checkpoint.ts';
import { HASH_BYTES } from './merkle.ts';

/*
 * What a witness and a log say to one another: https://c2sp.org/tlog-witness and https://c2sp.org/tlog-cosignature. A
 * cosignature is eight bytes of time, big-endian, in seconds, and the Ed25519 signature of
 *
 *     cosignature/v1
 *     time 1679315147
 *     <body of the checkpoint>
 */

/** Hashes of a consistency proof in a request: no log has more. */
const PROOF_LINES_MAX = 63;

const TIME_BYTES = 8;

/** The media type of the answer 409, whose body is the size that the witness knows. */
export const SIZE_MEDIA_TYPE = 'text/x.tlog.size';

/** The signature line (with its newline) by which a witness says that it has seen this checkpoint grow from all before. */
export function cosignatureLine(checkpoint: string, signer: NoteSigner, nowMs: number): string {
  if (signer.type !== 'cosignature') throw new ComityError('bad_config', `${signer.vkey} is no key of a witness`);
  const seconds = Math.floor(nowMs / 1000);
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(seconds));
  const signature = signer.sign(messageOf(seconds, readCheckpoint(checkpoint).body));
  return signatureLine(signer, Buffer.concat([time, signature]));
}

/** When a witness has cosigned a checkpoint's body, in seconds since the epoch; undefined where the signature does not fit. */
export function cosignedAt(body: string, { bytes }: NoteSignature, verifier: NoteVerifier): number | undefined {
  if (verifier.type !== 'cosignature' || bytes.length !== TIME_BYTES + SIGNATURE_BYTES) return undefined;
  const seconds = Number(Buffer.from(bytes.subarray(0, TIME_BYTES)).readBigUInt64BE());
  if (!Number.isSafeInteger(seconds)) return undefined;
  return verifier.verify(messageOf(seconds, body), bytes.subarray(TIME_BYTES)) ? seconds : undefined;
}

/** The body of a request to `add-checkpoint`. */
export interface AddCheckpoint {
  /** The size that the log believes the witness to know. */
  readonly oldSize: number;
  readonly proof: readonly Uint8Array[];
  /** A signed note. */
  readonly checkpoint: string;
}

export function writeAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return `old ${oldSize}\n${proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`).join('')}\n${checkpoint}`;
}

/** Throws `bad_data`. The checkpoint in it is not looked at. */
export function readAddCheckpoint(body: string): AddCheckpoint {
  const bad = (fault: string): ComityError => new ComityError('bad_data', `add-checkpoint: ${fault}`);
  if (body.length > LIMITS.checkpointBytes + PROOF_LINES_MAX * 64) throw bad('the body is too long');
  const gap = body.indexOf('\n\n');
  if (gap === -1) throw bad('there is no empty line before the checkpoint');
  const [first = '', ...lines] = body.slice(0, gap).split('\n');
  const size = /^old (0|[1-9][0-9]{0,15})$/.exec(first)?.[1];
  if (size === undefined || !Number.isSafeInteger(Number(size))) throw bad('the first line is not "old" and a size');
  if (lines.length > PROOF_LINES_MAX) throw bad(`there are more than ${PROOF_LINES_MAX} hashes`);
  const proof = lines.map((line) => {
    const hash = base64(line);
    if (hash?.length !== HASH_BYTES) throw bad(`a line of the proof is not ${HASH_BYTES} bytes in base64`);
    return hash;
  });
  return { oldSize: Number(size), proof, checkpoint: body.slice(gap + 2) };
}

function messageOf(seconds: number, body: string): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${body}`);
}
