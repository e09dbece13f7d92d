import { RE2JS } from 're2js';
import type { NotesExpected, TextMatch } from './command.ts';
import { failAt, type ScriptLine } from './script-line.ts';

/** What the `expect` lines of an evaluation, and its variant, say of anything but values. */
export interface Expectations {
  ordered: boolean;
  readonly failures: TextMatch[];
  readonly warn: TextMatch[];
  readonly info: TextMatch[];
  noWarn: boolean;
  noInfo: boolean;
}

/** `variant`: what stands behind `eval_`, in the language's older form. */
export function noExpectations(variant: string | undefined): Expectations {
  return {
    ordered: variant === 'ordered',
    failures: variant === 'fail' ? [ANY] : [],
    warn: variant === 'warn' ? [ANY] : [],
    info: variant === 'info' ? [ANY] : [],
    noWarn: false,
    noInfo: false,
  };
}

/** Adds what an `expect` line says. Throws `ScriptError`. */
export function parseExpect(line: ScriptLine, expectations: Expectations): void {
  const match = EXPECT.exec(line.text);
  if (match === null) {
    return failAt(
      line,
      0,
      `this is written as expect <${KINDS}>, and behind fail, warn or info msg:<text> or regex:<text>`,
    );
  }
  const text = match[2] === undefined ? ANY : textMatch(line, match[2], match[3]!.trim(), match.indices![3]![0]);
  const word = match[1] as ExpectWord;
  switch (word) {
    case 'ordered':
      expectations.ordered = true;
      return;
    case 'no_warn':
      expectations.noWarn = true;
      return;
    case 'no_info':
      expectations.noInfo = true;
      return;
    case 'warn':
    case 'info':
      expectations[word].push(text);
      return;
    case 'fail':
      if (expectations.failures.some((one) => one !== ANY)) failAt(line, 0, 'an evaluation fails only once');
      expectations.failures.push(text);
  }
}

/** The same for the older lines behind `eval_fail`; false for any other line. Throws `ScriptError`. */
export function parseOldFailure(line: ScriptLine, expectations: Expectations): boolean {
  const match = OLD_FAILURE.exec(line.text);
  if (match === null) return false;
  const kind = match[1] === 'message' ? 'msg' : 'regex';
  expectations.failures.push(textMatch(line, kind, match[2]!.trim(), match.indices![2]![0]));
  return true;
}

export function notesExpected(line: ScriptLine, level: 'warn' | 'info', expectations: Expectations): NotesExpected {
  const texts = expectations[level];
  const none = level === 'warn' ? expectations.noWarn : expectations.noInfo;
  if (none && texts.length > 0) failAt(line, 0, `this expects ${level} and no_${level} at once`);
  if (none) return { kind: 'none' };
  return texts.length === 0 ? { kind: 'any' } : { kind: 'some', texts };
}

type ExpectWord = 'ordered' | 'fail' | 'warn' | 'no_warn' | 'info' | 'no_info';

const KINDS = 'fail|ordered|warn|no_warn|info|no_info';
const EXPECT = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/d;
const OLD_FAILURE = /^expected_fail_(message|regexp)(.*)$/d;

const ANY: TextMatch = { kind: 'any', text: '', matches: () => true };

function textMatch(line: ScriptLine, kind: string, text: string, at: number): TextMatch {
  if (kind === 'msg') return { kind: 'msg', text, matches: (found) => found === text };
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(text);
  } catch (error) {
    return failAt(line, at, `not a regular expression: ${text}`, error);
  }
  return { kind: 'regex', text, matches: (found) => pattern.matcher(found).find() };
}
