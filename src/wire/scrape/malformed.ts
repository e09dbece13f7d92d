import { ComityError } from '../../base/errors.ts';

/** The error of a text that goes wrong at byte `at`: `expected` says what should stand there. */
export function malformed(body: Buffer, at: number, expected: string): ComityError {
  return refused(body, at, `${expected}, found ${found(body, at)}`);
}

/** The error of a text that is well-formed and yet wrong at byte `at`. */
export function refused(body: Buffer, at: number, problem: string): ComityError {
  let line = 1;
  let lineStart = 0;
  for (;;) {
    const newline = body.indexOf(0x0a, lineStart);
    if (newline < 0 || newline >= at) break;
    line++;
    lineStart = newline + 1;
  }
  let column = 1;
  // A character counts once, whatever its bytes.
  for (let i = lineStart; i < at; i++) if ((body[i]! & 0xc0) !== 0x80) column++;
  return new ComityError('bad_data', `line ${line}, column ${column}: ${problem}`);
}

/** What stands there, by its kind: the text itself may be what nobody but the target should see. */
function found(body: Buffer, at: number): string {
  if (at >= body.length) return 'the end of the body';
  const byte = body[at]!;
  if (byte === 0x0a) return 'the end of the line';
  if (byte === 0x20 || byte === 0x09) return 'a space';
  if (byte >= 0x80 || /[0-9A-Za-z]/.test(String.fromCharCode(byte))) return 'text';
  return byte < 0x20 || byte === 0x7f ? 'a control character' : JSON.stringify(String.fromCharCode(byte));
}
