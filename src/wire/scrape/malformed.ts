import { ComityError } from '../../base/errors.ts';

/** What is quoted of a body, in bytes: enough to find the place, never a whole line of megabytes. */
const QUOTED_BYTES = 40;

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

function found(body: Buffer, at: number): string {
  if (at >= body.length) return 'the end of the body';
  if (body[at] === 0x0a) return 'the end of the line';
  const newline = body.indexOf(0x0a, at);
  const end = Math.min(newline < 0 ? body.length : newline, at + QUOTED_BYTES);
  return JSON.stringify(body.toString('utf8', at, end));
}
