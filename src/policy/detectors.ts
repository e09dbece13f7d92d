import { isIPv6 } from 'node:net';
import { hasCard, hasDigits, hasIban } from './detect-numbers.ts';

/** Finds one kind of personal data in a text. Takes time linear in the text. */
export interface Detector {
  readonly name: string;
  /** Whether the text holds an instance of it, wherever. */
  readonly find: (text: string) => boolean;
  /** Left out for values that are versions: `1.2.3.4` is a version as well as an address. */
  readonly notInVersions?: boolean;
}

/**
 * A second net under values that may be stored as they are. It finds what has a form of its own, and leaves alone what
 * telemetry is full of: times in any unit, trace and span ids, UUIDs, versions, ports, names of packages and of types.
 */
export const DETECTORS: readonly Detector[] = [
  { name: 'email', find: hasEmail },
  { name: 'card', find: hasCard },
  { name: 'iban', find: hasIban },
  { name: 'ip', find: hasAddress, notInVersions: true },
  { name: 'jwt', find: hasJwt },
  { name: 'phone', find: hasPhone },
];

/** A name, `@` or its escape, and a domain with a dot and letters at its end. */
function hasEmail(text: string): boolean {
  if (!text.includes('@') && !text.includes('%40')) return false;
  // Each part between two signs is looked at twice: as the domain of one and as the name of the next.
  const parts = text.split(/@|%40/);
  return parts.some((part, i) => i > 0 && EMAIL_NAME_END.test(parts[i - 1]!.slice(-1)) && isDomainStart(part));
}

const EMAIL_NAME_END = /[\p{L}\p{N}._%+'-]/u;

function isDomainStart(text: string): boolean {
  const host = /^[\p{L}\p{N}.-]+/u.exec(text)?.[0] ?? '';
  // The last part that could be a country or a kind: after a full stop another sentence may follow.
  return host.split('.').some((label, i, labels) => i > 0 && labels[i - 1] !== '' && /^\p{L}{2,}/u.test(label));
}

/** An IPv4 address of four numbers below 256 and no more, or an IPv6 address with a digit in it. */
function hasAddress(text: string): boolean {
  if (!hasDigits(text, 1) || !/[.:]/.test(text)) return false;
  for (const [run] of text.matchAll(/[\p{L}\p{N}_][\p{L}\p{N}_.]*/gu)) if (isIpv4(run)) return true;
  for (const [run] of text.matchAll(HEX_RUN)) {
    // Without a digit it is a name of C++ or Ruby: `A::B`.
    if (run.includes(':') && /[0-9]/.test(run) && isIPv6(trimColons(run))) return true;
  }
  return false;
}

/** As long as eight groups of four with a colon to spare on either side; the bound keeps the search linear. */
const HEX_RUN = /(?<![\p{L}\p{N}_])[0-9a-fA-F:]{2,41}(?![\p{L}\p{N}_:])/gu;

function isIpv4(run: string): boolean {
  const parts = run.replace(/\.$/, '').split('.', 5);
  return parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part) && Number(part) <= 255);
}

/** A single colon at an end belongs to the text around. */
function trimColons(run: string): string {
  const start = run.startsWith(':') && !run.startsWith('::') ? 1 : 0;
  const end = run.endsWith(':') && !run.endsWith('::') ? -1 : undefined;
  return run.slice(start, end);
}

/** Two parts of base64url with a dot between them, of which the first begins a JSON object (RFC 7519). */
function hasJwt(text: string): boolean {
  if (!text.includes('eyJ')) return false;
  for (const [run] of text.matchAll(/[\w.-]+/g)) {
    const parts = run.split('.');
    if (parts.some((part, i) => part.startsWith('eyJ') && part.length >= 10 && (parts[i + 1]?.length ?? 0) >= 4)) {
      return true;
    }
  }
  return false;
}

/** `+` and 8 to 15 digits (E.164), or ten digits as North America writes them: `(415) 555-0132`, `415-555-0132`. */
function hasPhone(text: string): boolean {
  if (!hasDigits(text, PHONE_DIGITS_MIN)) return false;
  for (const match of text.matchAll(/\+[0-9(][0-9 ().-]*/g)) {
    const digits = match[0].replace(/[^0-9]/g, '').length;
    // Behind a letter or digit it is a build's metadata, as in `1.0.0+20130313144700`, or a time zone.
    const before = text[match.index - 1] ?? '';
    if (digits >= PHONE_DIGITS_MIN && digits <= 15 && !/[\p{L}\p{N}]/u.test(before)) return true;
  }
  return NORTH_AMERICAN.test(text);
}

const PHONE_DIGITS_MIN = 8;

/** Fixed in length, so each place is tried in constant time. */
const NORTH_AMERICAN =
  /(?<![\p{L}\p{N}.-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}(?![\p{L}\p{N}-])(?!\.[0-9])/u;
