/**
 * Whether a text holds the number of a payment card: 13 to 19 digits with an issuer's prefix and a right check digit (Luhn,
 * ISO/IEC 7812-1), written together or in a card's groups. No prefix begins with 1, as times since 1970 do, and digits
 * beside letters are part of an id.
 */
export function hasCard(text: string): boolean {
  if (!hasDigits(text, CARD_DIGITS_MIN)) return false;
  for (const [run] of text.matchAll(/[\p{L}\p{N}_]+(?:[ -][\p{L}\p{N}_]+)*/gu)) {
    const groups = run.split(/[ -]/);
    if (groups.some((_, at) => CARD_GROUPS.some((lengths) => isCard(joined(groups, at, lengths))))) return true;
  }
  return false;
}

/** Whether a text has so many decimal digits, wherever they are: most have not, and need no closer look. */
export function hasDigits(text: string, atLeast: number): boolean {
  if (text.length < atLeast) return false;
  let found = 0;
  for (let i = 0; i < text.length && found < atLeast; i++) {
    const code = text.charCodeAt(i);
    if (code >= DIGIT_ZERO && code <= DIGIT_NINE) found++;
  }
  return found >= atLeast;
}

const DIGIT_ZERO = 0x30;
const DIGIT_NINE = 0x39;

const CARD_DIGITS_MIN = 13;

/** Lengths of the groups of digits; a single group is written together. */
const CARD_GROUPS: readonly (readonly number[])[] = [
  [13],
  [14],
  [15],
  [16],
  [17],
  [18],
  [19],
  [4, 4, 4, 4],
  [4, 4, 4, 4, 3],
  [4, 6, 4],
  [4, 6, 5],
];

/** Visa, Mastercard, American Express, Diners Club, Discover, JCB, UnionPay, Maestro. */
const CARD_PREFIX =
  /^(?:4|5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|3[47]|30[0-5]|3[689]|6011|64[4-9]|65|352[89]|35[3-8]|62|5[0678])/;

/** Issuers whose cards have one length; the others' vary. */
const CARD_LENGTHS: readonly (readonly [prefix: RegExp, lengths: readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|2)/, [16]],
  [/^3[47]/, [15]],
  [/^3[0689]/, [14, 16, 19]],
  [/^35/, [16, 19]],
];

function isCard(digits: string): boolean {
  if (!CARD_PREFIX.test(digits)) return false;
  const lengths = CARD_LENGTHS.find(([prefix]) => prefix.test(digits))?.[1];
  return (lengths === undefined || lengths.includes(digits.length)) && isLuhn(digits);
}

/** The digits of the groups from `at` on, if they have these lengths; otherwise empty. */
function joined(groups: readonly string[], at: number, lengths: readonly number[]): string {
  let digits = '';
  for (const [i, length] of lengths.entries()) {
    const group = groups[at + i];
    if (group === undefined || group.length !== length || !/^[0-9]+$/.test(group)) return '';
    digits += group;
  }
  return digits;
}

function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const doubled = digit * 2;
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Whether a text holds an IBAN: its country's length and remainder 1 modulo 97 (ISO 13616), in groups of four or not. */
export function hasIban(text: string): boolean {
  if (text.length < IBAN_CHARS_MIN || !hasDigits(text, 2)) return false;
  for (const [run] of text.matchAll(/[\p{L}\p{N}_]+(?: [\p{L}\p{N}_]+)*/gu)) {
    const groups = run.split(' ');
    for (const [at, group] of groups.entries()) {
      const start = /^([A-Z]{2})[0-9]{2}/i.exec(group);
      const length = start === null ? undefined : IBAN_LENGTHS.get(start[1]!.toUpperCase());
      if (length === undefined) continue;
      if (isIban(group, length) || isIban(inFours(groups, at, length), length)) return true;
    }
  }
  return false;
}

/** Norway's. */
const IBAN_CHARS_MIN = 15;

/** Nine groups hold the longest. All but the last must have four characters. */
function inFours(groups: readonly string[], at: number, length: number): string {
  const count = Math.ceil(length / 4);
  const found = groups.slice(at, at + count);
  return found.slice(0, -1).every((group) => group.length === 4) ? found.join('') : '';
}

function isIban(text: string, length: number): boolean {
  if (text.length !== length || !/^[A-Z0-9]+$/i.test(text)) return false;
  if (IBAN_OF_DIGITS.has(text.slice(0, 2).toUpperCase()) && !/^[0-9]+$/.test(text.slice(2))) return false;
  let remainder = 0;
  for (const char of text.slice(4) + text.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
}

/** From the registry of SWIFT (https://www.swift.com/standards/data-standards/iban-international-bank-account-number). */
const IBAN_LENGTHS: ReadonlyMap<string, number> = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ' +
    'ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 ' +
    'LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 ' +
    'PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** Countries whose account numbers have no letters: a span id often begins with `be`. From the same registry. */
const IBAN_OF_DIGITS: ReadonlySet<string> = new Set(
  'AE AT BA BE CR CZ DE DK EE EG ES FI FO GL HR HU IL IS LT LY ME MN NO PL PT RS SD SE SI SK SO TL TN VA XK'.split(' '),
);
