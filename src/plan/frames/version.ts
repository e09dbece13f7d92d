import { ComityError } from '../../base/errors.ts';
import { messageCodec, type MessageCodec } from '../../base/proto.ts';

/** The version of proto/federation.proto that this code speaks; any other is refused by name. */
export const FEDERATION_VERSION = 3;

/** What messages of every version have. */
export interface Versioned {
  version: number;
}

const anyMessage = messageCodec<Versioned>('federation.proto', 'comity.federation.v1.AnyMessage');

/** Throws `unsupported` for another version, where the same bytes may mean something else: nothing else is looked at. */
export function assertVersion(bytes: Uint8Array): void {
  const { version } = anyMessage.decode(bytes);
  if (version === FEDERATION_VERSION) return;
  throw new ComityError(
    'unsupported',
    `unsupported: version ${version} of the federation protocol, this is ${FEDERATION_VERSION}`,
  );
}

/** Decodes a message of this version all of whose fields are known. Throws `unsupported` for any other. */
export function decodeStrict<T extends Versioned>(codec: MessageCodec<T>, bytes: Uint8Array): T {
  assertVersion(bytes);
  const field = codec.unknownField(bytes);
  if (field !== undefined) throw new ComityError('unsupported', `unsupported: unknown ${field}`);
  return codec.decode(bytes);
}
