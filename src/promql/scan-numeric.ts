/** A number or a duration in a text; no type where it is neither, and `length` is then what hangs together there. */
export interface Numeric {
  readonly type?: 'number' | 'duration';
  readonly length: number;
}

/**
 * What begins with the digit, or the point before a digit, at `offset`. It ends where Prometheus 3.15 lets it end, which is
 * stricter than the form of numbers (`0x1e` must not end the text) and looser (`1e` before a parenthesis is a number whose
 * value is then refused): `numberValue` and `parseDuration` say whether it has a value. Takes time linear in the length.
 */
export function scanNumeric(text: string, offset: number): Numeric {
  const end = scanNumber(text, offset);
  if (end !== undefined && !isWord(text[end])) return { type: 'number', length: end - offset };
  DURATION.lastIndex = offset;
  const duration = DURATION.exec(text)?.[0].length ?? 0;
  if (duration > 0) return { type: 'duration', length: duration };
  WHOLE.lastIndex = offset;
  return { length: WHOLE.exec(text)?.[0].length ?? 1 };
}

const DURATION = /\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdw]))*(?!\w)/y;
const WHOLE = /[\w.]+/y;

/** Where a number ends, or undefined where it breaks off. */
function scanNumber(text: string, offset: number): number | undefined {
  let at = offset;
  const isHex = /^0[xX]$/.test(text.slice(at, at + 2));
  const digit = isHex ? /[\da-fA-F]/ : /\d/;
  const isDigit = (char: string | undefined): boolean => char !== undefined && digit.test(char);
  if (isHex) at += text[at + 2] === '_' ? 3 : 2;
  // An E in a hexadecimal number is a digit at the start and after other digits; elsewhere it is read as an exponent.
  if (text[at] === '.') at++;
  if (isDigit(text[at])) at++;
  for (;;) {
    const char = text[at];
    if (char === '.') {
      if (isHex) return undefined;
      at++;
      if (text[at] === '_' || text[at] === '.') return undefined;
    } else if (char === 'e' || char === 'E') {
      at++;
      if (text[at] === '+' || text[at] === '-') at++;
      if (isBreak(text[at])) return undefined;
    } else if (char === '_') {
      at++;
      if (isBreak(text[at])) return undefined;
    } else if (isDigit(char)) {
      while (isDigit(text[at])) at++;
    } else return at;
  }
}

/** Neither may follow an exponent or an underscore; the end of the text must not either. */
function isBreak(char: string | undefined): boolean {
  return char === undefined || '._eE'.includes(char);
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /\w/.test(char);
}
