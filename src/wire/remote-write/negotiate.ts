import { ComityError } from '../../base/errors.ts';
import { MESSAGES, type RemoteWriteMessage } from './decode.ts';

const MEDIA_TYPE = 'application/x-protobuf';
const ENCODING = 'snappy';

/** A parameter of a media type (RFC 9110, 5.6.6); what is in quotes may hold anything. */
const PARAMETER = /;[ \t]*([!#$%&'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^";]*))/g;

/** Longer headers are cut: they only cost time. */
const HEADER_CHARS = 1000;

/**
 * The message that a Content-Type names: 1.0's when it has no `proto` parameter
 * (https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#content-type). Throws 415.
 */
export function messageOf(contentType: string | undefined): RemoteWriteMessage {
  const header = (contentType ?? '').slice(0, HEADER_CHARS);
  const [mediaType] = header.split(';', 1);
  if (mediaType!.trim().toLowerCase() === MEDIA_TYPE) {
    const named = protoOf(header);
    if (named === undefined) return 'prometheus.WriteRequest';
    const message = MESSAGES.find((one) => one === named);
    if (message !== undefined) return message;
  }
  const accepted = MESSAGES.map((message) => `${MEDIA_TYPE};proto=${message}`).join(' or ');
  throw new ComityError('unsupported_media_type', `Content-Type must be ${accepted}, not ${quotedHeader(header)}`);
}

/** Throws 415 for a Content-Encoding that is not Snappy's block format. */
export function checkSnappy(contentEncoding: string | undefined): void {
  const header = contentEncoding ?? '';
  if (header.trim().toLowerCase() === ENCODING) return;
  throw new ComityError(
    'unsupported_media_type',
    `Content-Encoding must be ${ENCODING} (its block format), not ${quotedHeader(header)}`,
  );
}

function protoOf(header: string): string | undefined {
  for (const [, name, inQuotes, plain] of header.matchAll(PARAMETER)) {
    if (name!.toLowerCase() === 'proto') return inQuotes ?? plain!.trim();
  }
  return undefined;
}

function quotedHeader(header: string): string {
  return JSON.stringify(header.slice(0, 200));
}
