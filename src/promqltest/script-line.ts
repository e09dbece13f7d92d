import { ComityError } from '../base/errors.ts';
import { PromqlError, renderCaret } from '../promql/parse-error.ts';

/** One line of a script. */
export interface ScriptLine {
  /** The script's name as its caller gave it. */
  readonly file: string;
  /** 1-based. */
  readonly number: number;
  /** As written. */
  readonly raw: string;
  /** Without the spaces at both ends; empty for a comment, which ends a command as an empty line does. */
  readonly text: string;
}

/** A script that is not well-formed or cannot be run. The message begins with `file:line:column`. */
export class ScriptError extends ComityError {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 units of the line as written. */
  readonly column: number;
  readonly problem: string;
  /** The line, and a caret under the place in a second one. */
  readonly rendering: string;

  constructor(line: ScriptLine, offset: number, problem: string, options?: ErrorOptions) {
    const start = line.raw.indexOf(line.text) + offset;
    super('bad_data', `${line.file}:${line.number}:${start + 1}: ${problem}`, options);
    this.name = 'ScriptError';
    this.file = line.file;
    this.line = line.number;
    this.column = start + 1;
    this.problem = problem;
    this.rendering = renderCaret(new PromqlError(line.raw, { start, end: start + 1 }, problem));
  }
}

/** `offset`: where in the line's text, in UTF-16 units. Throws. */
export function failAt(line: ScriptLine, offset: number, problem: string, cause?: unknown): never {
  throw new ScriptError(line, offset, problem, cause === undefined ? undefined : { cause });
}

/** Runs a step on text that stands at `offset`, and gives its error that place. */
export function placed<Value>(line: ScriptLine, offset: number, step: () => Value): Value {
  try {
    return step();
  } catch (error) {
    if (error instanceof ScriptError || !(error instanceof ComityError)) throw error;
    if (!(error instanceof PromqlError)) return failAt(line, offset, error.message, error);
    const problem = error.message.slice(`${error.line}:${error.column}: `.length);
    return failAt(line, offset + error.column - 1, problem, error);
  }
}

export function scriptLines(file: string, text: string): readonly ScriptLine[] {
  return text.split('\n').map((raw, index) => {
    const trimmed = raw.trim();
    return { file, number: index + 1, raw, text: trimmed.startsWith('#') ? '' : trimmed };
  });
}
