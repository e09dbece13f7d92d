import { createHash } from 'node:crypto';
import Type, { type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { ComityError, messageOf } from '../base/errors.ts';
import type { NoteSigner, NoteVerifier } from '../base/note-key.ts';
import { parseStrictJson } from '../base/strict-json.ts';

/**
 * Why an agent does not take a bundle. `unreadable`: no envelope or no payload in it; `payload_type`: of another kind;
 * `signature`: by none of the configured keys; `version`, `previous`: not the next one after that in force; `expired`;
 * `rollback`: documents that were in force before, without leave to bring them back; `loosening`: more would be allowed, and
 * compliance has not signed; `policy`: its documents make no policy.
 */
export type BundleFault = (typeof BUNDLE_FAULTS)[number];

export const BUNDLE_FAULTS = [
  'unreadable',
  'payload_type',
  'signature',
  'version',
  'previous',
  'expired',
  'rollback',
  'loosening',
  'policy',
] as const;

export class BundleError extends ComityError {
  readonly fault: BundleFault;

  constructor(fault: BundleFault, message: string, options?: ErrorOptions) {
    super('bad_data', `policy bundle: ${message}`, options);
    this.fault = fault;
  }
}

/** What a key may sign: `operator` whatever makes no policy looser, `compliance` all. */
export type BundleRole = 'compliance' | 'operator';

export interface BundleKey {
  readonly role: BundleRole;
  readonly verifier: NoteVerifier;
}

/** The policies of a federation at one point of its history. */
export interface PolicyBundle {
  /** From 1, one more with each bundle. */
  readonly version: number;
  readonly createdMs: number;
  /** From then on nothing may leave. */
  readonly expiresMs: number;
  /** Digest of the bundle before; empty in the first. */
  readonly previous: string;
  /** Digest of the bundle whose documents come back. */
  readonly rollbackTo: string | undefined;
  /** A candidate: agents decide by it in shadow and never put it in force. */
  readonly isCanary: boolean;
  /** Policy documents as YAML: one for every domain, and those of single ones by name. */
  readonly global: string | undefined;
  readonly domains: ReadonlyMap<string, string>;
  /** SHA-256 of the payload as it was signed, in hexadecimal. More signatures do not change it. */
  readonly digest: string;
}

/** A bundle in its envelope, its signatures not looked at yet. */
export interface SealedBundle {
  readonly bundle: PolicyBundle;
  readonly payload: Uint8Array;
  readonly signatures: readonly { readonly keyid: string; readonly signature: Uint8Array }[];
}

/** What a bundle says before it is sealed; times are RFC 3339. */
export type BundleDraft = Static<typeof PAYLOAD>;

/** Of https://github.com/secure-systems-lab/dsse/blob/master/protocol.md; part of what is signed. */
const BUNDLE_PAYLOAD_TYPE = 'application/vnd.comity.policy-bundle+json';

/** Bytes of a bundle in its envelope: documents of a thousand domains at 1.5 kB. */
export const BUNDLE_BYTES = 2 * 1024 * 1024;

/** Compliance, some operators, and those of the next generation of keys. */
const SIGNATURES_MAX = 16;

const CLOSED = { additionalProperties: false } as const;
const DIGEST = '^[0-9a-f]{64}$';
const TIME = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?Z$' });
const DOCUMENT = Type.String({ minLength: 1 });

const PAYLOAD = Type.Object(
  {
    version: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    created: TIME,
    expires: TIME,
    previous: Type.String({ pattern: `^$|${DIGEST}` }),
    rollback_to: Type.Optional(Type.String({ pattern: DIGEST })),
    canary: Type.Optional(Type.Literal(true)),
    documents: Type.Object(
      {
        global: Type.Optional(DOCUMENT),
        domains: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }), DOCUMENT, CLOSED),
      },
      CLOSED,
    ),
  },
  CLOSED,
);

const ENVELOPE = Type.Object(
  {
    payloadType: Type.String(),
    payload: Type.String(),
    signatures: Type.Array(
      Type.Object({ keyid: Type.String({ minLength: 1, maxLength: 256 }), sig: Type.String() }, CLOSED),
      {
        minItems: 1,
        maxItems: SIGNATURES_MAX,
      },
    ),
  },
  CLOSED,
);

/** Reads an envelope and the bundle in it. Throws `BundleError`. Whether it counts is for `signersOf` to say. */
export function readBundle(text: string): SealedBundle {
  if (text.length > BUNDLE_BYTES) throw new BundleError('unreadable', `it has more than ${BUNDLE_BYTES} bytes`);
  const envelope = checked(text, ENVELOPE, 'the envelope');
  if (envelope.payloadType !== BUNDLE_PAYLOAD_TYPE) {
    throw new BundleError('payload_type', `the envelope holds ${JSON.stringify(envelope.payloadType.slice(0, 100))}`);
  }
  const payload = bytesOf(envelope.payload, 'payload');
  const signatures = envelope.signatures.map(({ keyid, sig }) => ({ keyid, signature: bytesOf(sig, 'signature') }));
  return { bundle: readPayload(payload), payload, signatures };
}

/** The configured keys by which it is signed, each once. Signatures by others, and broken ones, do not count. */
export function signersOf({ payload, signatures }: SealedBundle, keys: readonly BundleKey[]): readonly BundleKey[] {
  const message = signedBytes(payload);
  return keys.filter(({ verifier }) =>
    signatures.some(({ keyid, signature }) => keyid === keyIdOf(verifier) && verifier.verify(message, signature)),
  );
}

/** A bundle in an envelope with a signature by each signer, as text. Throws `BundleError` for what no agent would read. */
export function sealBundle(draft: BundleDraft, signers: readonly NoteSigner[]): string {
  const payload = new TextEncoder().encode(JSON.stringify(draft));
  readPayload(payload);
  return envelopeText({ payload, signatures: [] }, signers);
}

/** The same bundle with more signatures; one by the same key is replaced. */
export function addSignatures(sealed: SealedBundle, signers: readonly NoteSigner[]): string {
  return envelopeText(sealed, signers);
}

/** How a signature names its key. */
export function keyIdOf({ name, id }: Pick<NoteVerifier, 'name' | 'id'>): string {
  return `${name}+${id}`;
}

function envelopeText({ payload, signatures }: Omit<SealedBundle, 'bundle'>, signers: readonly NoteSigner[]): string {
  const message = signedBytes(payload);
  const all = new Map(signatures.map(({ keyid, signature }) => [keyid, signature]));
  for (const signer of signers) all.set(keyIdOf(signer), signer.sign(message));
  const text = JSON.stringify({
    payloadType: BUNDLE_PAYLOAD_TYPE,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [...all].map(([keyid, signature]) => ({ keyid, sig: Buffer.from(signature).toString('base64') })),
  });
  readBundle(text);
  return `${text}\n`;
}

/** DSSE's pre-authentication encoding: `DSSEv1 <length> <type> <length> <payload>`, lengths in bytes. */
function signedBytes(payload: Uint8Array): Uint8Array {
  const { length } = Buffer.from(BUNDLE_PAYLOAD_TYPE);
  return Buffer.concat([Buffer.from(`DSSEv1 ${length} ${BUNDLE_PAYLOAD_TYPE} ${payload.length} `), payload]);
}

function readPayload(payload: Uint8Array): PolicyBundle {
  const raw = checked(textOf(payload), PAYLOAD, 'the payload');
  const createdMs = timeOf(raw.created, 'created');
  const expiresMs = timeOf(raw.expires, 'expires');
  if (expiresMs <= createdMs) throw new BundleError('unreadable', 'it expires before it was made');
  if ((raw.version === 1) !== (raw.previous === '')) {
    throw new BundleError(
      'unreadable',
      'version 1 has an empty `previous`, and every later one names the bundle before',
    );
  }
  const { global, domains } = raw.documents;
  return {
    version: raw.version,
    createdMs,
    expiresMs,
    previous: raw.previous,
    rollbackTo: raw.rollback_to,
    isCanary: raw.canary === true,
    global,
    domains: new Map(Object.entries(domains)),
    digest: createHash('sha256').update(payload).digest('hex'),
  };
}

function checked<T extends TSchema>(text: string, schema: T, what: string): Static<T> {
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch (error) {
    throw new BundleError('unreadable', `${what} is no JSON that can be relied on: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (Value.Check(schema, value)) return value;
  const [first] = Value.Errors(schema, value);
  const field = first === undefined || first.instancePath === '' ? '' : ` at ${first.instancePath}`;
  throw new BundleError('unreadable', `${what} is not as it should be${field}: ${first?.message ?? 'unknown form'}`);
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new BundleError('unreadable', 'the payload is no UTF-8', { cause: error });
  }
}

/** Standard base64 in its one spelling, so that one text never stands for two. */
function bytesOf(base64: string, what: string): Uint8Array {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) throw new BundleError('unreadable', `the ${what} is no base64`);
  return bytes;
}

function timeOf(text: string, field: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new BundleError('unreadable', `${field}: ${text} is no time`);
  return ms;
}
