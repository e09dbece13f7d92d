import {
  createHash,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign as signEd25519,
  verify as verifyEd25519,
  type KeyObject,
} from 'node:crypto';
import { ComityError } from './errors.ts';
import { openSecretFile, readSecretFile } from './secret-file.ts';

/**
 * Keys of signed notes (https://c2sp.org/signed-note). Ed25519 in two types: a note's own signature, and the timestamped
 * cosignature of a witness (https://c2sp.org/tlog-cosignature).
 */
export type NoteKeyType = 'ed25519' | 'cosignature';

export interface NoteSigner {
  readonly name: string;
  readonly type: NoteKeyType;
  /** The key's id as it stands in signature lines: 8 hex digits. */
  readonly id: string;
  readonly vkey: string;
  /** The 64 bytes of the signature of exactly this message. */
  sign(message: Uint8Array): Uint8Array;
}

export interface NoteVerifier {
  readonly name: string;
  readonly type: NoteKeyType;
  /** 8 hex digits. */
  readonly id: string;
  readonly vkey: string;
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

const TYPE_BYTES: Readonly<Record<NoteKeyType, number>> = { ed25519: 0x01, cosignature: 0x04 };

const SEED_BYTES = 32;
const NAME_CHARS_MAX = 255;

/** Everything before the 32 bytes of an Ed25519 key in PKCS #8 and in SPKI (RFC 8410): how Node takes and gives them. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** A new key: `skey` is the secret one as text, `vkey` what others verify by. Throws `bad_config` for a name that no key may have. */
export function newKey(name: string, type: NoteKeyType = 'ed25519'): { readonly skey: string; readonly vkey: string } {
  checkName(name);
  const seed = randomBytes(SEED_BYTES);
  const { publicKey } = keysOf(seed);
  const id = keyId(name, type, publicKey);
  return { skey: `PRIVATE+KEY+${name}+${id}+${encoded(type, seed)}`, vkey: vkeyOf(name, type, publicKey) };
}

/** The signer of an `skey` text. Throws `bad_config` naming what is wrong, and never the key. */
export function signerOf(skey: string): NoteSigner {
  const match = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+(.+)$/s.exec(skey.trim());
  if (match === null) throw fault('a secret key', 'is not written PRIVATE+KEY+name+id+key');
  const [, name, id, text] = match as unknown as [string, string, string, string];
  checkName(name);
  const { type, key: seed } = decoded(text, 'a secret key');
  const { privateKey, publicKey } = keysOf(seed);
  if (keyId(name, type, publicKey) !== id)
    throw fault('a secret key', 'has an id that is not that of its name and key');
  return {
    name,
    type,
    id,
    vkey: vkeyOf(name, type, publicKey),
    sign: (message) => signEd25519(null, message, privateKey),
  };
}

/** The verifier of a `vkey` text. Throws `bad_config` naming what is wrong. */
export function verifierOf(vkey: string): NoteVerifier {
  const text = vkey.trim();
  // Before any other fault, since those show the text.
  if (text.startsWith('PRIVATE+KEY+')) throw fault('a key to verify by', 'is a secret one: give its public half');
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/s.exec(text);
  if (match === null) throw fault(`the key ${shown(text)}`, 'is not written name+id+key');
  const [, name, id, rest] = match as unknown as [string, string, string, string];
  checkName(name);
  const { type, key } = decoded(rest, `the key ${shown(text)}`);
  if (keyId(name, type, key) !== id) {
    throw fault(`the key ${shown(text)}`, 'has an id that is not that of its name and key: was it copied in full?');
  }
  const publicKey = publicKeyOf(key, text);
  return {
    name,
    type,
    id,
    vkey: text,
    verify: (message, signature) =>
      signature.length === SIGNATURE_BYTES && verifyEd25519(null, message, publicKey, signature),
  };
}

export const SIGNATURE_BYTES = 64;

/**
 * The signer whose `skey` is in the file. A missing file is made with a new key of this name, readable by its owner alone;
 * `created` says so. Throws `bad_config` when the file holds no key, one of another name or type, or can be read by others.
 */
export function openKeyFile(
  path: string,
  name: string,
  type: NoteKeyType = 'ed25519',
): NoteSigner & { readonly created: boolean } {
  checkName(name);
  const { bytes, created } = openSecretFile(path, WHAT, () => Buffer.from(`${newKey(name, type).skey}\n`));
  const signer = fromFile(bytes, path);
  if (signer.name !== name || signer.type !== type) {
    const other = signer.name === name ? `of type ${signer.type}, not ${type}` : `of ${signer.name}, not of ${name}`;
    throw new ComityError('bad_config', `${WHAT} ${path} is ${other}; name another file`);
  }
  return { ...signer, created };
}

/** The signer whose `skey` is in the file, of whatever name. Throws `bad_config`, also when there is none. */
export function readKeyFile(path: string): NoteSigner {
  const bytes = readSecretFile(path, WHAT);
  if (bytes === undefined) throw new ComityError('bad_config', `there is no ${WHAT} at ${path}`);
  return fromFile(bytes, path);
}

const WHAT = 'signing key';

function fromFile(bytes: Buffer, path: string): NoteSigner {
  try {
    return signerOf(bytes.toString('utf8'));
  } catch (error) {
    throw new ComityError('bad_config', `${WHAT} ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** Names stand in signature lines: neither spaces nor `+`, and no control characters (https://c2sp.org/signed-note). */
function checkName(name: string): void {
  if (name.length > 0 && name.length <= NAME_CHARS_MAX && !/[\s+\p{Z}\p{C}]/u.test(name)) return;
  throw fault(
    `the key name ${shown(name)}`,
    `must have 1 to ${NAME_CHARS_MAX} characters, none of them a space, a + or a control character`,
  );
}

function keysOf(seed: Uint8Array): { readonly privateKey: KeyObject; readonly publicKey: Buffer } {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { privateKey, publicKey: spki.subarray(SPKI_PREFIX.length) };
}

function publicKeyOf(key: Uint8Array, text: string): KeyObject {
  try {
    return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, key]), format: 'der', type: 'spki' });
  } catch {
    throw fault(`the key ${shown(text)}`, 'holds no Ed25519 key');
  }
}

function vkeyOf(name: string, type: NoteKeyType, publicKey: Uint8Array): string {
  return `${name}+${keyId(name, type, publicKey)}+${encoded(type, publicKey)}`;
}

function keyId(name: string, type: NoteKeyType, publicKey: Uint8Array): string {
  const hash = createHash('sha256').update(`${name}\n`).update(Buffer.of(TYPE_BYTES[type])).update(publicKey);
  return hash.digest('hex').slice(0, 8);
}

function encoded(type: NoteKeyType, key: Uint8Array): string {
  return Buffer.concat([Buffer.of(TYPE_BYTES[type]), key]).toString('base64');
}

function decoded(text: string, what: string): { readonly type: NoteKeyType; readonly key: Buffer } {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw fault(what, 'is not base64 after its id');
  const type = (Object.keys(TYPE_BYTES) as NoteKeyType[]).find((one) => TYPE_BYTES[one] === bytes[0]);
  if (type === undefined) {
    throw fault(what, 'is of an unknown type: Ed25519 (1) and Ed25519 cosignatures (4) are known');
  }
  const key = bytes.subarray(1);
  if (key.length !== SEED_BYTES) throw fault(what, `has ${key.length} bytes of key instead of ${SEED_BYTES}`);
  return { type, key };
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function fault(what: string, is: string): ComityError {
  return new ComityError('bad_config', `${what} ${is}`);
}
