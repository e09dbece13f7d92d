import { failAt, type ScriptLine } from './script-line.ts';

/** Reads a line from left to right. */
export interface Scanner {
  readonly line: ScriptLine;
  /** The offset of what comes next in the line's text. */
  readonly at: number;
  /** Takes what a sticky expression matches here; undefined, and takes nothing, where it does not. */
  take(pattern: RegExp): string | undefined;
  /** Takes a text. */
  accept(text: string): boolean;
  readonly done: boolean;
  /** Throws for what comes next. */
  expected(what: string): never;
}

export function scanner(line: ScriptLine, from = 0): Scanner {
  let at = from;

  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(line.text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  }

  return {
    line,
    get at() {
      return at;
    },
    take,
    accept(text) {
      if (!line.text.startsWith(text, at)) return false;
      at += text.length;
      return true;
    },
    get done() {
      return at >= line.text.length;
    },
    expected(what) {
      const rest = line.text.slice(at, at + FOUND_CHARS);
      return failAt(line, at, `unexpected ${rest === '' ? 'end of the line' : JSON.stringify(rest)}, expected ${what}`);
    },
  };
}

/** As much of an unexpected text as it takes to recognise it. */
const FOUND_CHARS = 20;
