import { randomBytes } from 'node:crypto';

/** What W3C Trace Context calls a traceparent of version 00: `00-<trace id>-<span id>-<flags>`, in lower-case hex. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/** A header no longer than this is looked at: later versions may append to it, senders of nonsense without end. */
const CHARS_MAX = 512;

/**
 * A header's trace context as version 00; undefined for what https://www.w3.org/TR/trace-context/ calls invalid. Of a later
 * version the parts that version 00 has are taken.
 */
export function readTraceparent(header: unknown): string | undefined {
  if (typeof header !== 'string' || header.length > CHARS_MAX) return undefined;
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(header) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return `00-${traceId}-${spanId}-${flags}`;
}

/** A trace of its own. Whoever begins one decides whether it is sampled, and nobody here records spans: it is not. */
export function newTraceparent(): string {
  return `00-${randomHex(16)}-${randomHex(8)}-00`;
}

/** The same trace with a span id of its own, below the one given. */
export function childTraceparent(parent: string): string {
  return `${parent.slice(0, SPAN_AT)}${randomHex(8)}${parent.slice(FLAGS_AT)}`;
}

/** The 32 hexadecimal digits that all spans of a trace share. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(TRACE_AT, SPAN_AT - 1);
}

const TRACE_AT = 3;
const SPAN_AT = 36;
const FLAGS_AT = 52;

/** Zeros alone would be no id. */
function randomHex(bytes: number): string {
  for (;;) {
    const id = randomBytes(bytes);
    if (id.some((byte) => byte !== 0)) return id.toString('hex');
  }
}
