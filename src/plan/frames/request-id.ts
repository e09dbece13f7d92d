import { ComityError } from '../../base/errors.ts';

/** Two requests of one hub have the same id once in 10^19. */
const REQUEST_ID_BYTES = 8;

/** An id that no other request has. */
export function newRequestId(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(REQUEST_ID_BYTES));
}

/** The id of a request as it came. Throws `bad_data` for what is none. */
export function decodeRequestId(id: Uint8Array): Uint8Array {
  if (id.length !== REQUEST_ID_BYTES) throw new ComityError('bad_data', 'malformed request: its id');
  return Uint8Array.from(id);
}

/** Throws `bad_data` for an answer to another request than `asked`. */
export function assertAnswerTo(asked: Uint8Array, id: Uint8Array): Uint8Array {
  if (Buffer.compare(asked, id) !== 0) throw new ComityError('bad_data', 'it answered another request');
  return asked;
}
