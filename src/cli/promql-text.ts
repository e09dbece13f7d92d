import { readFileSync } from 'node:fs';
import { ComityError, messageOf } from '../base/errors.ts';
import { PromqlError, renderCaret } from '../promql/parse-error.ts';

/** A mistake in PromQL as JSON; positions are 1-based. */
export interface MistakeJson {
  readonly error: string;
  readonly line: number;
  readonly column: number;
  readonly found: string | undefined;
  readonly expected: string | undefined;
  /** The line of the query with a caret under the place. */
  readonly rendering: string;
}

/** The PromQL of a command's argument; `-` stands for standard input. */
export function exprText(argument: string): string {
  if (argument !== '-') return argument;
  try {
    // A newline that ends the input is no part of the expression.
    return readFileSync(0, 'utf8').trimEnd();
  } catch (error) {
    throw new ComityError('bad_data', `cannot read standard input: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Prints what `make` gives, as text or as JSON. A mistake in PromQL becomes an error with the place shown below it, or JSON
 * and the exit status 1.
 */
export async function printMade<T>(
  json: boolean | undefined,
  make: () => T | Promise<T>,
  text: (made: T) => string,
): Promise<void> {
  try {
    const made = await make();
    process.stdout.write(`${json === true ? JSON.stringify(made) : text(made)}\n`);
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    if (json !== true) throw withCaret(error);
    process.stdout.write(`${JSON.stringify(mistakeJson(error))}\n`);
    process.exitCode = 1;
  }
}

/** The error with the line of the query below it, and a caret under the place. */
export function withCaret(error: PromqlError): ComityError {
  return new ComityError('bad_data', `${error.message}\n${renderCaret(error)}`, { cause: error });
}

function mistakeJson(error: PromqlError): MistakeJson {
  const { message, line, column, found, expected } = error;
  return { error: message, line, column, found, expected, rendering: renderCaret(error) };
}
