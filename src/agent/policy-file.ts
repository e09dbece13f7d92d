import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import Type, { type Static } from 'typebox';
import { Value } from 'typebox/value';
import { ComityError, messageOf } from '../base/errors.ts';
import { parseStrictJson } from '../base/strict-json.ts';
import { BUNDLE_BYTES } from '../policy/bundle.ts';

const CLOSED = { additionalProperties: false } as const;
const DIGEST = Type.String({ pattern: '^[0-9a-f]{64}$' });

const POLICY_FILE = Type.Object(
  {
    v: Type.Literal(1),
    /** The bundle in force, in its envelope as it came. */
    bundle: Type.Optional(Type.String()),
    /** Version and digest of the latest bundle that was in force. */
    mark: Type.Optional(Type.Object({ version: Type.Integer({ minimum: 1 }), digest: DIGEST }, CLOSED)),
    /** As `AcceptedBundle.history`. */
    history: Type.Array(Type.Object({ documents: DIGEST, bundle: DIGEST }, CLOSED), { maxItems: 1_000 }),
    /** The documents that were last in force, for what a start changes. */
    layers: Type.Array(
      Type.Object(
        { layer: Type.Enum(['global', 'domain', 'local']), source: Type.String(), text: Type.String() },
        CLOSED,
      ),
      { maxItems: 3 },
    ),
  },
  CLOSED,
);

/** What an agent keeps of its policy over a restart. */
export type PolicyFile = Static<typeof POLICY_FILE>;

/** A bundle, and the documents in it a second time. */
const FILE_BYTES_MAX = 4 * BUNDLE_BYTES;

/** Undefined where there is no file. Throws `bad_config` for one that cannot be read. */
export function readPolicyFile(path: string): PolicyFile | undefined {
  try {
    if (!existsSync(path)) return undefined;
    if (statSync(path).size > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
    const value = parseStrictJson(readFileSync(path, 'utf8'));
    if (Value.Check(POLICY_FILE, value)) return value;
    const [first] = Value.Errors(POLICY_FILE, value);
    throw new Error(`${first?.instancePath ?? ''} ${first?.message ?? 'is of an unknown form'}`);
  } catch (error) {
    throw new ComityError('bad_config', `what is kept of the policy at ${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Replaces the file; it is on disk when this returns. Throws `unavailable`. */
export function writePolicyFile(path: string, file: PolicyFile): void {
  const draft = `${path}.new`;
  try {
    const handle = openSync(draft, 'w', 0o600);
    try {
      writeSync(handle, JSON.stringify(file));
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(draft, path);
    syncFolder(dirname(path));
  } catch (error) {
    throw new ComityError('unavailable', `cannot keep the policy at ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** A new name in a folder survives a loss of power only when the folder itself is flushed. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
