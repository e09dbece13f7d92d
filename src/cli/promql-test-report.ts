import { readFileSync } from 'node:fs';
import { ComityError, messageOf } from '../base/errors.ts';
import { PromqlError, renderCaret } from '../promql/parse-error.ts';
import type { Failure } from '../promqltest/run-script.ts';
import { ScriptError } from '../promqltest/script-line.ts';

/** A script that could not be read or run to the end. */
export interface ErrorReport {
  readonly type: 'error';
  readonly file: string;
  /** Of a place in the script; missing where the script could not be read. */
  readonly line?: number;
  readonly column?: number;
  readonly problem: string;
  readonly rendering?: string;
}

/** Throws `not_found`. */
export function readScript(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ComityError('not_found', `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
}

export function errorReport(file: string, error: ComityError): ErrorReport {
  if (!(error instanceof ScriptError)) return { type: 'error', file, problem: error.message };
  const { line, column, problem, rendering } = error;
  return { type: 'error', file, line, column, problem, rendering };
}

export function errorText({ file, line, column, problem, rendering }: ErrorReport): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`;
  return `${place}: ${problem}\n${rendering === undefined ? '' : `${indent(rendering)}\n`}`;
}

/** `split`: where the series are, where that matters. */
export function failureText(failure: Failure, split: readonly string[] = []): string {
  const { file, line, query, mode, problem, expected, got, rendering } = failure;
  const lines = [
    `${file}:${line}: ${problem}`,
    rendering === undefined ? caretText(query, got ?? '') : indent(rendering),
  ];
  if (mode !== '') lines.push(`  ${mode}`);
  if (expected !== undefined) lines.push('  expected', indent(expected, 4));
  if (got !== undefined) lines.push('  got', indent(got, 4));
  if (split.length > 0) lines.push('  series', indent(split.join('\n'), 4));
  return `${lines.join('\n')}\n`;
}

/** A position in the query, as annotations end with one and errors of parsing begin with one. */
const POSITION = /^1:(\d+): |\(1:(\d+)\)$/m;

/** The query, with a caret under the place that a message names. */
function caretText(query: string, message: string): string {
  const match = POSITION.exec(message);
  if (match === null) return indent(query);
  const start = Number(match[1] ?? match[2]) - 1;
  return indent(renderCaret(new PromqlError(query, { start, end: start + 1 }, '')));
}

function indent(text: string, spaces = 2): string {
  return text.replace(/^/gm, ' '.repeat(spaces));
}

/** Prints reports one by one: as lines of JSON, or as text. */
export function reportPrinter<Report>(json: boolean, textOf: (report: Report) => string): (report: Report) => void {
  return (report) => process.stdout.write(`${json ? JSON.stringify(report) : textOf(report)}\n`);
}
