import { ComityError } from '../../base/errors.ts';
import { assertBounds, messageCodec, type MessageBounds, type MessageCodec } from '../../base/proto.ts';

/** The version of proto/federation.proto that this code speaks; any other is refused by name. */
export const FEDERATION_VERSION = 5;

/** What messages of every version have. */
export interface Versioned {
  version: number;
}

const anyMessage = messageCodec<Versioned>('federation.proto', 'comity.federation.v1.AnyMessage');

/** Throws `unsupported` for another version, where the same bytes may mean something else: nothing else is looked at. */
function assertVersion(bytes: Uint8Array): void {
  const { version } = anyMessage.decode(bytes);
  if (version === FEDERATION_VERSION) return;
  throw new ComityError(
    'unsupported',
    `unsupported: version ${version} of the federation protocol, this is ${FEDERATION_VERSION}`,
  );
}

/**
 * Decodes a message of this version within its bounds, all of whose fields are known. Throws `unsupported` for any other, and
 * `bad_data` past its bounds, before objects are made of it.
 */
export function decodeStrict<T extends Versioned>(
  codec: MessageCodec<T>,
  bytes: Uint8Array,
  bounds?: MessageBounds,
): T {
  assertVersion(bytes);
  if (bounds !== undefined) assertBounds(bytes, bounds);
  const field = codec.unknownField(bytes);
  if (field !== undefined) throw new ComityError('unsupported', `unsupported: unknown ${field}`);
  return codec.decode(bytes);
}
